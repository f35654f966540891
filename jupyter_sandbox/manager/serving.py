"""What the manager's thread does: it serves its loop, and goes on when something breaks out of it.

asyncio lets ``SystemExit`` and ``KeyboardInterrupt`` of whatever it calls out of the loop, and ``MemoryError`` where it
needs memory itself. None of them is a reason to end all sandboxes: who calls ``sys.exit()`` meant something else, and
memory that a cell has used up is there again when the cell has ended. A loop that cannot be waited for any more,
because somebody closed what it waits with, is one: then the thread ends, and so do its zygotes and guests.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

_LOG = logging.getLogger(__name__)
_PAUSE_S = 0.02
"""Who has no memory does not try again at once: others need the processor to give some back."""
_TOLD_S = 5.0
"""So seldom is it told that there is none."""
_MOST_IN_VAIN = 5
"""So often in a row may the loop break before it has called anything at all."""
_ROUNDS = 20
_UNKNOWN = "an error of its own"


def serve(loop: asyncio.AbstractEventLoop, closed: Callable[[], bool], died: Callable[[str], None]) -> None:
    """Until the loop is stopped. ``died`` is told why it cannot go on; then nothing of it is ended in peace.

    ``closed`` says whether it was to be stopped, should the stop have been lost in something that broke out.
    """
    why = _UNKNOWN
    try:
        why = _Service(loop).until_stopped(closed)
    finally:
        if why:
            died(why)
            _leave_unfinished(loop)
        try:
            if not why:
                _cancel_all(loop)
                loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            with suppress(OSError):  # somebody else has closed what it waited with
                loop.close()


class _Service:
    """A loop that is begun again whenever something breaks out of it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._turned = False
        self._in_vain = 0
        self._told_s = -_TOLD_S
        loop.set_exception_handler(self._complain)

    def until_stopped(self, closed: Callable[[], bool]) -> str:
        """Why it cannot go on; empty where it was stopped."""
        while True:
            try:
                self._turned = False
                self._loop.call_soon(self._turn)
                self._loop.run_forever()
                return ""
            except MemoryError:
                self._no_memory()
            except BaseException as error:
                self._in_vain = 0 if self._turned else self._in_vain + 1
                if self._in_vain > _MOST_IN_VAIN:
                    return f"{type(error).__name__}: {error}"
                if self._turned:
                    _LOG.exception("something broke out of the loop of the sandbox manager, which is begun again")
            if closed():
                return ""

    def _turn(self) -> None:
        self._turned = True

    def _complain(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """asyncio's own report, but for want of memory: of that there would be thousands, each of which needs some."""
        if isinstance(context.get("exception"), MemoryError):
            self._no_memory()
        else:
            loop.default_exception_handler(context)

    def _no_memory(self) -> None:
        with suppress(MemoryError):
            if time.monotonic() - self._told_s >= _TOLD_S:
                self._told_s = time.monotonic()
                _LOG.warning("the kernel has no memory left for its sandboxes: free some in the notebook")
        time.sleep(_PAUSE_S)


def _leave_unfinished(loop: asyncio.AbstractEventLoop) -> None:
    """asyncio need not tell of each task that it was left: why has been told."""
    for task in asyncio.all_tasks(loop):
        task._log_destroy_pending = False  # type: ignore[attr-defined]


def _cancel_all(loop: asyncio.AbstractEventLoop) -> None:
    """In rounds: what is cancelled may begin something to clean up after itself."""
    for _ in range(_ROUNDS):
        tasks = asyncio.all_tasks(loop)
        if not tasks:
            return
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
