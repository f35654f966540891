"""What a process waits for that is no message: time, its turn, and work outside. Only an ``async def`` callback can."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, overload

from ...model.errors import UsageError
from ...model.given import LONGEST_WAIT_MS, MOST
from ..exceptions import WaitInPlainCallback
from ..operations import OP_OUTSIDE, OP_SLEEP, OP_YIELD, ask
from ..signals import Value
from .identity import Identity


class Waits(Identity):
    """Waiting, and the leave to do so."""

    def sleep(self, ms: int) -> Awaitable[None]:
        """Wait; messages stay in the mailbox meanwhile."""
        self._may_wait("sleep")
        return ask((OP_SLEEP, check_timer(self._process.node.now_ms, ms), None, None, None))

    def yield_(self) -> Awaitable[None]:
        """Let the others go first (``erlang:yield``)."""
        self._may_wait("yield_")
        return ask((OP_YIELD, None, None, None, None))

    @overload
    def outside(self, work: Awaitable[Value]) -> Awaitable[Value]: ...
    @overload
    def outside(self, work: Callable[[], Value]) -> Awaitable[Value]: ...
    def outside(self, work: Callable[[], Any] | Awaitable[Any]) -> Awaitable[Any]:
        """The door to threads, files, sockets and other people's coroutines.

        A callable runs in a thread, an awaitable on an asyncio loop; the result
        is journalled, so a replay gets it without doing the work again:
        ``page = await self.outside(lambda: path.read_text())``.
        """
        self._may_wait("outside")
        return ask((OP_OUTSIDE, work, None, None, None))

    def _may_wait(self, what: str, timeout_ms: int | None = None) -> None:
        if self._process.coro is None:
            raise WaitInPlainCallback(what)
        if timeout_ms is not None:
            check_duration(timeout_ms)


def check_duration(ms: int) -> int:
    """How long to wait for somebody, if it can be. Raises UsageError (Erlang: timeout_value)."""
    return _checked(ms, LONGEST_WAIT_MS, "; send_after takes more")


def check_timer(now_ms: int, ms: int) -> int:
    """How long a timer or a sleep takes, if it can be: no clock goes on for ever. Raises UsageError (badarg)."""
    return _checked(ms, MOST - now_ms, "")


def _checked(ms: int, most: int, hint: str) -> int:
    if isinstance(ms, bool) or not isinstance(ms, int) or ms < 0:
        raise UsageError("milliseconds", ms, hint="give a whole number, 0 or more")
    if ms > most:
        raise UsageError("milliseconds", ms, hint=f"give a whole number from 0 to {most}{hint}")
    return ms
