"""A thread for something that may take long and that nobody has to wait for, not even Python's exit.

Not ``threading``, whose start waits until the new thread has run: in a notebook of many busy threads that keeps the
loop for a tenth of a second.
"""

from __future__ import annotations

import _thread
import threading
from collections.abc import Callable


def begun_aside(act: Callable[[], object]) -> threading.Event | None:
    """Have it done; set when it is over. None where no thread is to be had, and then nothing is done."""
    over = threading.Event()

    def run() -> None:
        try:
            act()
        finally:
            over.set()

    try:
        _thread.start_new_thread(run, ())
    except (RuntimeError, MemoryError):
        return None
    return over
