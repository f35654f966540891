"""Requests that a guest has taken in and not answered yet: they run in the node, or wait for something to be true."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..otp import CallTimeout, inspect
from ..runtime import Apply, Reply
from ..wire import messages as m
from .aside import HandlerTimeout
from .failures import about, failed

if TYPE_CHECKING:
    from .guest import Guest

Make = Callable[[Any], m.Answer]
"""Turns the value of an Apply into the answer of its request."""


class Pending:
    """Of one guest, which says when steps have been taken."""

    def __init__(self, guest: Guest) -> None:
        self._guest = guest
        self._waiting: dict[int, tuple[m.Request, Make]] = {}
        self._next_apply = 1
        self._own_from = 1
        """The first request of this guest's own; those before it were answered while the journal was recorded."""
        self._delayed: list[Callable[[], bool]] = []

    def apply(self, request: m.Request, function: str, args: tuple[Any, ...], make: Make) -> None:
        """Run a client function inside the node; ``make`` turns its value into the answer."""
        number = self._next_apply
        self._next_apply += 1
        self._waiting[number] = (request, make)
        self._guest.node.admit(Apply(number, function, args))

    def tell(self, function: str, args: tuple[Any, ...]) -> None:
        """Run a client function that nobody waits for."""
        number = self._next_apply
        self._next_apply += 1
        self._guest.node.admit(Apply(number, function, args))

    def later(self, request: int, ready: Callable[[], bool]) -> None:
        """Call ``ready`` after every turn until it says True or raises."""

        def attempt() -> bool:
            try:
                return ready()
            except (Exception, HandlerTimeout) as error:
                with self._guest.aside:
                    answer = failed(request, error, sandbox=self._guest.node.name)
                self._guest.emit(answer)
                return True

        if not attempt():
            self._delayed.append(attempt)

    @property
    def has_delayed(self) -> bool:
        """Whether some request waits for a condition that only time may bring."""
        return bool(self._delayed)

    def settle(self) -> None:
        """After steps: answer what has an answer now."""
        for reply in self._guest.node.take_replies():
            self._answer(reply)
        if self._delayed:
            self._delayed = [ready for ready in self._delayed if not ready()]

    def number_from(self, last_apply: int) -> None:
        """Go on counting after the Applies of a journal, so that a late reply of its time answers nobody."""
        self._next_apply = self._own_from = max(self._next_apply, last_apply + 1)

    def _answer(self, reply: Reply) -> None:
        waiting = self._waiting.pop(reply.id, None)
        if waiting is None:
            self._told_nobody(reply)
            return
        request, make = waiting
        if reply.error is not None:
            whom = about(request)
            suspended = isinstance(reply.error, CallTimeout) and inspect.is_suspended(self._guest.node, whom)
            with self._guest.aside:
                answer: m.Answer = failed(request.id, reply.error, whom, self._guest.node.name, suspended=suspended)
            self._guest.emit(answer)
            return
        try:
            with self._guest.aside:
                answer = make(reply.value)
            self._guest.emit(answer)
        except (Exception, HandlerTimeout) as error:
            self._guest.refuse(request, error)

    def _told_nobody(self, reply: Reply) -> None:
        """A cast or kill that nobody waits for failed after it had been taken in: that must not be lost silently."""
        if reply.error is not None and reply.id >= self._own_from and not self._guest.reporter.silent:
            with self._guest.aside:
                text = failed(0, reply.error, sandbox=self._guest.node.name).message
            self._guest.push(m.Notice(level="warning", text=f"a request failed: {text}"))
