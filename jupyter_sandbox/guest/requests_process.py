"""Requests that act on processes. Each becomes a client inside the node, so it is numbered, journalled and replayed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..otp import inspect
from ..runtime import Tell
from ..runtime.exceptions import StartError
from ..wire import messages as m
from . import clients
from .guest import CLIENTS, OTP_CLIENTS, Handlers, pid_text
from .values import value_answer

if TYPE_CHECKING:
    from .guest import Guest


def call(guest: Guest, request: m.Call) -> None:
    """GenServer call; the reply comes back as data, and whole."""
    guest.must_run("call", "leave a message that waits for the next step: %sandbox cast, %sandbox send")
    args = (request.target, request.args, request.timeout_ms)
    guest.pending.apply(request, f"{CLIENTS}call", args, _value(request.id, request.most))


def cast(guest: Guest, request: m.Cast) -> None:
    """Answered at once: a cast waits for nothing, also while the node is paused."""
    _post(guest, request, lambda pid: m.Done(id=request.id))


def send(guest: Guest, request: m.Send) -> None:
    """Answered at once with the pid it went to."""
    _post(guest, request, lambda pid: m.Sent(id=request.id, pid=pid))


def _post(guest: Guest, request: m.Cast | m.Send, make: Callable[[str], m.Answer]) -> None:
    pid = inspect.find(guest.node, request.target).pid
    with guest.aside:
        clients.opened(request.args)
        guest.node.admit(Tell(pid, request.args, isinstance(request, m.Cast), f"{CLIENTS}opened"))
    guest.emit(make(pid_text(pid)))


def spawn(guest: Guest, request: m.Spawn) -> None:
    """Spawn a function or start a behaviour outside any tree."""
    guest.must_run("spawn")

    def answer(pid: Any) -> m.Answer:
        if pid is None:
            raise StartError("ignore")
        return m.Sent(id=request.id, pid=pid_text(pid))

    guest.pending.apply(request, f"{CLIENTS}spawn", (request.function, request.args, request.name), answer)


def kill(guest: Guest, request: m.Kill) -> None:
    """An exit signal, answered at once."""
    pid = pid_text(inspect.find(guest.node, request.target).pid)
    guest.pending.tell(f"{OTP_CLIENTS}kill", (pid, request.reason))
    guest.emit(m.Done(id=request.id))


def suspend(guest: Guest, request: m.Suspend) -> None:
    """sys:suspend."""
    guest.must_run("suspend")
    guest.pending.apply(request, f"{OTP_CLIENTS}suspend", (request.target,), lambda _: m.Done(id=request.id))


def unsuspend(guest: Guest, request: m.Unsuspend) -> None:
    """sys:resume."""
    guest.must_run("unsuspend")
    guest.pending.apply(request, f"{OTP_CLIENTS}unsuspend", (request.target,), lambda _: m.Done(id=request.id))


def get_state(guest: Guest, request: m.GetState) -> None:
    """The state as it is between two steps: looking takes no step, so it works while paused and in any callback."""
    process = inspect.find(guest.node, request.target)
    guest.emit(value_answer(request.id, process.state, request.most))


def set_state(guest: Guest, request: m.SetState) -> None:
    """sys:replace_state with a value."""
    guest.must_run("set-state")
    guest.pending.apply(request, f"{CLIENTS}set_state", (request.target, request.args), _value(request.id))


def child_action(guest: Guest, request: m.ChildAction) -> None:
    """A supervisor function on one of its children."""
    guest.must_run(request.action)
    args = (request.action, request.supervisor, request.child)
    guest.pending.apply(request, f"{OTP_CLIENTS}child_action", args, _value(request.id))


def children(guest: Guest, request: m.Children) -> None:
    """which_children."""
    guest.must_run("children", f"see them in %sandbox tree {guest.node.name}")
    guest.pending.apply(request, f"{OTP_CLIENTS}children", (request.target,), _value(request.id))


def _value(number: int, most: int | None = None) -> Callable[[Any], m.Answer]:
    return lambda value: value_answer(number, value, most)


HANDLERS: Handlers = {
    m.Call: call, m.Cast: cast, m.Send: send, m.Spawn: spawn, m.Kill: kill, m.Suspend: suspend,
    m.Unsuspend: unsuspend, m.GetState: get_state, m.SetState: set_state, m.ChildAction: child_action,
    m.Children: children,
}  # fmt: skip
