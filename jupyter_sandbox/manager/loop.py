"""The manager's permanent thread with its asyncio loop, and the one way to wait for it from other threads.

The thread lives until ``close``: the zygote is started from it, and the
operating system ends a child when the *thread* that started it ends. A wait is
interruptible: on KeyboardInterrupt the work is cancelled, and the wait returns
after the work has cleaned up after itself, or in less than a second: then the
work goes on cleaning up. A fork of the kernel has no such
thread: whoever asks there is told so, and waits for nobody. Nor does anybody
wait for a thread that could not go on, see ``serving``.
"""

from __future__ import annotations

import _thread
import asyncio
import os
import selectors
import socket
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError
from contextlib import suppress
from functools import partial
from typing import Any, Generic, TypeVar, cast

from ..isolation.aside import no_thread
from ..isolation.needs import must_be_let_through
from ..isolation.shortage import shortage
from ..model.errors import InternalError, LaunchFailed, SandboxGone
from .serving import serve

T = TypeVar("T")
CLOSED = "the sandbox manager was closed; make another one: SandboxManager()"
DIED = (
    "the thread of the sandbox manager has ended, and all its sandboxes with it ({}): begin anew with "
    "%reload_ext jupyter_sandbox, or with another SandboxManager()"
)
NO_MEMORY = (
    "the kernel has no memory left for that: free some in the notebook, or destroy some sandboxes, and try again"
)
LOOK_UP_S = 0.2
INTERRUPT_S = 0.7
"""How long an interrupted wait lets the work clean up: killing a guest takes milliseconds. Whoever interrupts has the
notebook back within a second; what takes longer goes on behind it."""
ROOM = 4_000_000
"""Bytes that have to be there for a thread of Python to begin: some of its arenas, and room to work."""
UNWIND_S = 5.0
"""How long ``close`` waits for what it cancelled."""


class ManagerLoop:
    """Starts its thread at the first use.

    >>> loop = ManagerLoop()
    >>> async def answer(): return 42
    >>> loop.run(answer())
    42
    >>> loop.close()
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._closed = False
        self._died = ""
        self._owner = os.getpid()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do ``work`` on the loop and wait for it, from any other thread.

        Raises what the work raises, LaunchFailed where that is MemoryError, SandboxGone after ``close`` and in a fork.
        """
        try:
            loop = self._started()
            if threading.current_thread() is self._thread:
                raise InternalError("the manager's own thread cannot wait for itself; use another thread")
        except BaseException:
            work.close()
            raise
        ticket: _Ticket[T] = _Ticket(work, loop, self._must_live)
        try:
            loop.call_soon_threadsafe(ticket.begin)
            return ticket.wait()
        except CancelledError:
            raise SandboxGone(CLOSED) from None
        except BaseException:
            # Not only KeyboardInterrupt: whatever breaks the wait must not leave the work half done behind it.
            ticket.cancel_and_wait()
            raise

    def post(self, act: Callable[[], None]) -> None:
        """Do something soon on the loop, without waiting."""
        self._started().call_soon_threadsafe(act)

    @property
    def is_current(self) -> bool:
        """Whether this is the manager's thread."""
        return threading.current_thread() is self._thread

    @property
    def closed(self) -> bool:
        """Whether it does nothing any more: it was closed, or its thread could not go on."""
        return self._closed or bool(self._died)

    @property
    def is_here(self) -> bool:
        """Whether this is the OS process that made it."""
        return os.getpid() == self._owner

    def must_be_here(self) -> None:
        """Raises SandboxGone in a fork of the kernel, as ``multiprocessing`` makes them, and where the thread died."""
        if not self.is_here:
            raise SandboxGone(
                "this OS process was forked from the kernel and has none of its sandboxes: ask for them there, or make "
                "others here with a manager of its own: SandboxManager()"
            )
        self._must_live()

    def _must_live(self) -> None:
        """Raises SandboxGone when the thread could not go on: nobody would ever answer."""
        thread = self._thread
        if self._died or (thread is not None and not self._closed and not thread.is_alive()):
            raise SandboxGone(DIED.format(self._died or "for want of memory"))

    def _started(self) -> asyncio.AbstractEventLoop:
        self.must_be_here()  # before the lock: whoever held it during the fork never lets go
        with self._lock:
            if self._closed:
                raise SandboxGone(CLOSED)
            if self._loop is None:
                self._loop, self._thread = self._started_thread()
            return self._loop

    def close(self) -> None:
        """End the thread; idempotent. Work still going on is cancelled and cleans up first."""
        with self._lock:
            self._closed = True
            loop, thread = self._loop, self._thread
            self._loop = None
        if loop is not None and thread is not None:
            with suppress(RuntimeError):  # it died, and has closed its loop
                loop.call_soon_threadsafe(loop.stop)
            thread.join(UNWIND_S)

    def _started_thread(self) -> tuple[asyncio.AbstractEventLoop, threading.Thread]:
        """A loop and the thread that serves it; neither is kept when it does not start.

        Where Python has no memory for a thread that Linux gave, ``start`` waits for it for ever: that is tried before.

        asyncio's own loop, whatever policy the notebook has for those of its own.
        """
        loop = _new_loop()
        serving = partial(serve, loop, lambda: self._closed, self._die)
        thread = threading.Thread(target=serving, name="jupyter-sandbox-manager", daemon=True)
        try:
            bytearray(ROOM)
            thread.start()
        except (RuntimeError, MemoryError) as error:
            loop.close()
            raise no_thread(error) from None
        except BaseException:  # interrupted: should the thread have begun, then it ends and closes its loop
            loop.call_soon_threadsafe(loop.stop)
            raise
        return loop, thread

    def _die(self, why: str) -> None:
        self._died = why


class _LooksOnceMore(selectors.DefaultSelector):
    """Sees what came while the kernel was stopped before it takes anybody's patience for ended.

    Whoever goes on after SIGSTOP, or after a freezer, is told by Python that the time is over, and nothing else.
    """

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(timeout)
        return ready if ready or not timeout or timeout < 0 else super().select(0)


def _new_loop() -> asyncio.AbstractEventLoop:
    """Raises LaunchFailed when nothing more can be opened; asyncio would leave half a loop behind that complains. Also
    where it could not be woken.

    Nor is it one to be debugged: who starts a notebook with ``-X dev`` means loops of his own, and would find what
    this one takes long for under his cells.
    """
    must_be_let_through()
    try:
        with selectors.DefaultSelector():
            for end in socket.socketpair():
                end.close()
        loop = asyncio.SelectorEventLoop(_LooksOnceMore())
        loop.set_debug(False)
        return loop
    except OSError as error:
        raise LaunchFailed(f"the sandbox manager cannot begin: {shortage(error)}") from None


class _Ticket(Generic[T]):
    """One piece of work on its way: knows its task as soon as there is one, and whether it was called off before.

    Who waits is let go by the work itself as it ends: what the loop does next, such as telling observers, is not
    waited for.
    """

    def __init__(
        self, work: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop, must_live: Callable[[], None]
    ) -> None:
        self._work, self._loop, self._must_live = work, loop, must_live
        self._task: asyncio.Task[None] | None = None
        self._called_off = False
        self._over = _thread.allocate_lock()
        self._over.acquire()
        self._ended = False
        self._result: T | None = None
        self._error: BaseException | None = CancelledError()
        """What became of it, once it has ended."""

    def begin(self) -> None:
        if self._called_off:
            self._finish()
            return
        carried_out = self._carry_out()
        try:
            self._task = self._loop.create_task(carried_out)
            self._task.add_done_callback(self._finish)
        except MemoryError as error:  # else whoever waits would wait for ever
            if self._task is None:
                carried_out.close()
                self._work.close()
            self._error = error
            self._let_go()

    async def _carry_out(self) -> None:
        try:
            self._result = await self._work
            self._error = None
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # raised where it is waited for
            self._error = error
        self._let_go()

    def _let_go(self) -> None:
        if not self._ended:
            self._ended = True
            self._over.release()

    def _finish(self, task: asyncio.Task[None] | None = None) -> None:
        """Lets go who waits for work that was cancelled, also for such that never began."""
        if task is None or task.cancelled():
            self._work.close()
            self._let_go()

    def wait(self) -> T:
        """The result. Looks up now and then: a signal that comes just before a lock is waited for wakes nobody."""
        while not self._over.acquire(timeout=LOOK_UP_S):
            if not self._ended:
                self._must_live()
        try:
            if isinstance(self._error, MemoryError):
                raise LaunchFailed(NO_MEMORY) from None
            if self._error is not None:
                raise self._error
            return cast("T", self._result)
        finally:
            self._error = None  # else they hold each other, and all that was to be sent, until the collector comes

    def cancel_and_wait(self) -> None:
        if self._ended:
            return
        try:
            self._must_live()
            self._loop.call_soon_threadsafe(self._cancel)
            self._over.acquire(timeout=INTERRUPT_S)
        except BaseException:  # the caller raises what interrupted the wait, whatever became of the work
            return

    def _cancel(self) -> None:
        self._called_off = True
        if self._task is not None:
            self._task.cancel()


async def unbroken(work: Coroutine[Any, Any, T]) -> T:
    """Do something that must not stop half way: an interrupt takes effect when it is done."""
    task = asyncio.get_running_loop().create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # seen: the interrupt is what the caller hears of
        raise
