"""Calls whose answer is taken later: the request's reference is an alias, and the answer a message through it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from ..model.exits import NOPROC
from ..model.ids import Pid, Ref
from . import delivery, names
from .exceptions import CallExit, CallTimeout
from .operations import OP_RECEIVE, ask
from .process import Process
from .signals import CALL, INFO, Caller, Response

if TYPE_CHECKING:
    from .node import Node


def send(node: Node, process: Process, target: Any, request: Any) -> Ref:
    """Send a request; the reference that is returned stands for its answer."""
    ref = node.new_ref()
    names.make_alias(node, process, ref)
    callee = delivery.lookup(node, target)
    if callee is None:
        delivery.deliver(node, process, (INFO, Response(ref, False, NOPROC), None))
        return ref
    node.sent += 1
    if callee.callers is None:
        callee.callers = {}
    callee.callers[ref.number] = process.pid
    if node.trace is not None:
        node.trace("message_send", process, ("call", target, request))
    delivery.deliver(node, callee, (CALL, node.copy(request), Caller(process.pid, ref.number)))
    return ref


async def without_waiting(process: Process, target: Any, request: Any, kind: int, function: str) -> NoReturn:
    """A call with no time to wait: the request goes out, and the caller goes on with CallTimeout before any answer.

    Raises CallExit when the target is a name that nobody has, or the caller itself.
    """
    node = process.node
    callee = delivery.lookup(node, target)
    shown = delivery.shown(target)
    if callee is process or (callee is None and type(target) is not Pid):
        raise CallExit(NOPROC if callee is None else "calling_self", shown, function)
    if callee is not None:
        node.next_tag += 1  # which counts as the message, too
        if node.trace is not None:
            node.trace("message_send", process, ("call", target, request))
        delivery.deliver(node, callee, (kind, node.copy(request), Caller(process.pid, node.next_tag)))
    raise CallTimeout("timeout", shown, function)


async def take(process: Process, ref: Ref, timeout_ms: int | None) -> Any:
    """Wait for the answer and give the reference up. Raises CallExit, CallTimeout."""

    def is_it(message: Any) -> bool:
        return type(message) is Response and message.ref == ref

    response = await ask((OP_RECEIVE, is_it, None, timeout_ms, None))
    names.drop_alias(process.node, process, ref)
    if response is None:
        raise CallTimeout("timeout", repr(ref))
    if not response.ok:
        raise CallExit(response.value, repr(ref))
    return response.value
