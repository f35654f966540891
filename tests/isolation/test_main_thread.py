"""Whether the first thread of an OS process ended alone: asked of real ones."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jupyter_sandbox.isolation.main_thread import leaves_others
from jupyter_sandbox.isolation.memory_use import MemoryUse

from ..waiting import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")

TWO_THREADS = """
import ctypes, sys, threading, time
threading.Thread(target=time.sleep, args=(20,), daemon=True).start()
print(flush=True)
sys.stdin.readline()
ctypes.CDLL(None).pthread_exit(None)
"""


@contextmanager
def two_threads() -> Iterator[subprocess.Popen[bytes]]:
    """A program of two threads, the first of which ends alone once it is told to."""
    with subprocess.Popen([sys.executable, "-c", TWO_THREADS], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as made:
        assert made.stdout is not None
        made.stdout.readline()
        try:
            yield made
        finally:
            made.kill()


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_who_lost_its_first_thread_has_no_memory_and_leaves_others() -> None:
    with two_threads() as made:
        use = MemoryUse(made.pid)
        assert use.read() > 0 and not use.nothing
        assert made.stdin is not None
        made.stdin.write(b"go\n")
        made.stdin.flush()
        until(lambda: state(made.pid) == "Z", "its first thread goes on")
        assert use.read() == 0 and use.nothing and leaves_others(made.pid)
        use.close()


def test_who_was_killed_leaves_no_others() -> None:
    with two_threads() as made:
        os.kill(made.pid, signal.SIGKILL)
        until(lambda: state(made.pid) == "Z", "it goes on")
        assert not leaves_others(made.pid)
    assert not leaves_others(made.pid)
