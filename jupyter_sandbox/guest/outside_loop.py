"""The one asyncio loop that all foreign coroutines of a sandbox run on, in a thread of its own.

It is everybody's, so no work may end it: the calls that would are refused where they are made, and what ends any other
loop (``sys.exit`` in a callback) is told and costs nobody else anything.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn

_INSTEAD = "all work of this sandbox outside runs on it. Let your coroutine return instead, or cancel tasks of your own"


class OutsideLoop(asyncio.SelectorEventLoop):
    """Ends by ``leave`` alone."""

    def __init__(self) -> None:
        super().__init__()
        self.left = False
        """Whether it has been told to end."""

    def leave(self) -> None:
        """From any thread: end now."""
        self.left = True
        self.call_soon_threadsafe(super().stop)

    def stop(self) -> NoReturn:
        """Refused. Raises RuntimeError."""
        raise RuntimeError(f"loop.stop() would end the loop, and {_INSTEAD}")

    def close(self) -> None:
        """Refused while it may still be needed. Raises RuntimeError."""
        if not self.left:
            raise RuntimeError(f"loop.close() would end the loop, and {_INSTEAD}")
        try:
            super().close()
        except Exception:  # user code has closed a part of it: the rest is closed piece by piece
            for end in (getattr(self, "_ssock", None), getattr(self, "_csock", None)):
                with suppress(Exception):
                    end.close()  # type: ignore[union-attr]

    def __del__(self) -> None:
        """asyncio's would close it once more, whenever the collector comes, and raise in the midst of anything."""

    async def shutdown_default_executor(self, *_: Any, **__: Any) -> NoReturn:
        """Refused. Raises RuntimeError."""
        raise RuntimeError(
            f"loop.shutdown_default_executor() would take asyncio.to_thread from the loop, and {_INSTEAD}"
        )

    def cancel_all(self) -> None:
        """When it has left: let coroutines clean up, for one round."""
        for task in asyncio.all_tasks(self):
            task.cancel()
        self.call_soon(super().stop)
        self.run_forever()


def begin(broke: Callable[[OutsideLoop, BaseException], None]) -> tuple[OutsideLoop, threading.Thread]:
    """A loop that runs. ``broke`` is called, in its thread, when it cannot go on. Raises RuntimeError for no thread."""
    loop = OutsideLoop()
    thread = threading.Thread(target=_serve, args=(loop, broke), name="outside-loop", daemon=True)
    try:
        thread.start()
    except RuntimeError:
        loop.left = True
        loop.close()
        raise
    return loop, thread


def _serve(loop: OutsideLoop, broke: Callable[[OutsideLoop, BaseException], None]) -> None:
    try:
        while not loop.left:
            _run(loop)
        loop.cancel_all()
    except BaseException as error:  # user code has closed its files, say
        loop.left = True
        broke(loop, error)
    finally:
        loop.close()


def _run(loop: OutsideLoop) -> None:
    """Until it was told to leave, or user code has made it come back: then it is to go on."""
    try:
        loop.run_forever()
    except (SystemExit, KeyboardInterrupt) as error:
        text = f"{type(error).__name__} in a task or callback outside: that ends a process, not the sandbox"
        loop.call_exception_handler({"message": text, "exception": error})
