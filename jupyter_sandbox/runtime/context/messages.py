"""Messages of a process: sending them, and taking the first one that matches out of its mailbox."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, overload

from ...model.errors import NoProcess
from ...model.ids import Pid
from .. import delivery
from ..exceptions import WaitInPlainCallback
from ..generic import TypeVar
from ..isolate import ATOMIC
from ..operations import OP_RECEIVE, ask
from ..process import FRESH, IDLE, READY
from ..signals import CAST, INFO, MISSING, Value
from .waits import Waits, check_duration

Other = TypeVar("Other")


class Messages(Waits):
    """Sending and receiving."""

    def send(self, target: Any, message: Any) -> None:
        """Send a message to a pid, a registered name or an alias; never waits. To a dead pid it is dropped.

        Raises NoProcess when a name is not registered (Erlang: badarg).
        """
        process = self._process
        node = process.node
        found = node.processes.get(target) if type(target) is Pid else None
        if found is not None and type(message) in ATOMIC and node.trace is None:
            node.sent += 1  # what follows is as delivery.send would, for the most frequent cases
            box = found.mailbox
            if box and found.status <= READY and len(box) < node.longest:
                box.append((INFO, message, process.number))
            else:
                delivery.deliver(node, found, (INFO, message, process.number))
        elif not delivery.send(node, process, target, message):
            raise NoProcess(f"no process is registered as {target!r}")

    def cast(self, target: Any, request: Any) -> None:
        """Send a request that wants no answer; to nobody it is dropped (``gen_server:cast``)."""
        process = self._process
        node = process.node
        node.sent += 1
        if node.trace is not None:
            node.trace("message_send", process, ("cast", target, request))
        try:
            found = node.processes.get(target)
        except TypeError:
            found = None
        if found is None:
            found = delivery.lookup(node, target)
            if found is None:
                return
        if type(request) not in ATOMIC:
            request = node.copy(request)
        box = found.mailbox  # what follows is as deliver would, for the most frequent cases
        if found.status == IDLE and box is not None:
            box.append((CAST, request, process.number))
            found.status = FRESH
            node.ready.append(found)
        elif box and found.status <= READY and len(box) < node.longest:
            box.append((CAST, request, process.number))
        else:
            delivery.deliver(node, found, (CAST, request, process.number))

    @overload
    def receive(self, match: type[Value], *, timeout_ms: int | None = None) -> Awaitable[Value]: ...
    @overload
    def receive(self, match: type[Value], *, timeout_ms: int | None, default: Other) -> Awaitable[Value | Other]: ...
    @overload
    def receive(
        self, match: Callable[[Any], Any] | None = None, *, timeout_ms: int | None = None, default: Any = MISSING
    ) -> Awaitable[Any]: ...
    def receive(
        self, match: type | Callable[[Any], Any] | None = None, *, timeout_ms: int | None = None, default: Any = MISSING
    ) -> Awaitable[Any]:
        """Wait for the first message in the mailbox that matches; the others stay, in order.

        ``match`` is a class, a predicate, or None for any message. After
        ``timeout_ms`` the result is ``default``; without one ReceiveTimeout is raised.
        """
        if self._process.coro is None:
            raise WaitInPlainCallback("receive")
        if timeout_ms is not None:
            check_duration(timeout_ms)
        if match is not None and isinstance(match, type):
            kind = match
            return ask((OP_RECEIVE, lambda message: isinstance(message, kind), default, timeout_ms, None))
        return ask((OP_RECEIVE, match, default, timeout_ms, None))
