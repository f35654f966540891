"""How a signal gets to a process: messages, replies and exit signals. Order is kept per sender and receiver.

A message is appended to the mailbox at once. An exit signal that is fatal
dooms its target, which dies in its own next step; a trapped one is a message.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

from ..model.exits import KILL, KILLED, NORMAL
from ..model.ids import Pid, Ref
from ..model.text import short_text
from .exceptions import CallExit, CallTimeout, ReceiveTimeout, StartError
from .inputs import Reply
from .isolate import ATOMIC
from .operations import OP_SLEEP, OP_START, OP_STOP, Raise, Receive
from .process import DEAD, FRESH, IDLE, READY, RECEIVING, SUSPENDED, WAITING, Process
from .signals import (
    CALL,
    CAST,
    EXIT,
    INFO,
    MISSING,
    SYSTEM,
    Caller,
    Entry,
    Exit,
    Notify,
    Request,
    Response,
    SystemRequest,
)  # fmt: skip

if TYPE_CHECKING:
    from .node import Node


REPLY_DEMONITOR: Final = "reply_demonitor"


def lookup(node: Node, target: Any) -> Process | None:
    """The living process that ``target`` means, None when there is none."""
    kind = type(target)
    if kind is Pid:
        return node.processes.get(target)
    if kind is str:
        pid = node.names.get(target)
    elif kind is Ref:
        pid = node.aliases.get(target)
    else:
        whereis = getattr(target, "whereis", None)
        pid = whereis(node) if whereis is not None else None
    return None if pid is None else node.processes.get(pid)


def shown(target: Any) -> str:
    """Whom a call was meant for, in words that run none of the target's own code."""
    return target if type(target) is str else short_text(target, 200)


def new_box(entry: Entry) -> deque[Entry]:
    """A mailbox with its first entry: most processes have none."""
    return deque((entry,))


def deliver(node: Node, process: Process, entry: Entry) -> None:
    """Append to the mailbox and make the receiver ready if this can end its wait."""
    box = process.mailbox
    if box is None:
        process.mailbox = deque((entry,))
    else:
        box.append(entry)
    status = process.status
    if status == IDLE:
        process.status = FRESH
        node.ready.append(process)
    else:
        if status == RECEIVING or (status == SUSPENDED and is_signal(process, entry)):
            process.status = READY
            node.ready.append(process)
        if box is not None and len(box) > node.longest:
            _longer(node, process, len(box))


def is_signal(process: Process, entry: Entry) -> bool:
    """Whether a suspended process handles this entry all the same: system messages and its parent's exit."""
    return entry[0] == SYSTEM or (entry[0] == EXIT and is_parent(process, entry[2]))


def is_parent(process: Process, source: object) -> bool:
    """Whether a behaviour obeys exits of this process. Who was started without link or monitor is its own parent."""
    parent = process.parent
    return source == (process.pid if parent is None else parent)


def _longer(node: Node, process: Process, length: int) -> None:
    """Longer than any mailbox was before."""
    if length <= node.max_mailbox:
        node.longest = length
    elif process.doom is None:
        node.emit("limit", process, ("mailbox_limit", node.max_mailbox))
        doom(node, process, "mailbox_limit")


def send(node: Node, sender: Process, target: Any, message: Any) -> bool:
    """Send a plain message; to a dead pid it is dropped. False when a name is not registered."""
    kind = type(target)
    process = node.processes.get(target) if kind is Pid else lookup(node, target)
    node.sent += 1
    if node.trace is not None:
        node.trace("message_send", sender, ("send", target, message))
    if process is None:
        return kind is Pid or kind is Ref
    if type(message) in ATOMIC:
        deliver(node, process, (INFO, message, sender.number))
    elif type(message) in _SPEAKING:
        deliver(node, process, _as_entry(node, sender, message))
    else:
        deliver(node, process, (INFO, node.copy(message), sender.number))
    if kind is Ref:
        _alias_used(node, process, target)
    return True


_SPEAKING: Final = frozenset({Exit, Notify, Request, SystemRequest})
"""Messages that say by themselves what they are."""


def _as_entry(node: Node, sender: Process, message: Any) -> Entry:
    """As in Erlang, who sends an exit message is taken at its word, and requests may be passed on."""
    if type(message) is Exit:
        return EXIT, node.copy(message), message.process
    if type(message) is Notify:
        return CAST, node.copy(message.message), sender.number
    kind = CALL if type(message) is Request else SYSTEM
    return kind, node.copy(message[1]), message.caller


def _alias_used(node: Node, process: Process, ref: Ref) -> None:
    """One message through it ends an alias of the kind ``reply_demonitor``, and its monitor."""
    if process.aliases is None or process.aliases.get(ref) != REPLY_DEMONITOR:
        return
    del process.aliases[ref]
    node.aliases.pop(ref, None)
    watched = process.monitors.pop(ref, None) if process.monitors is not None else None
    other = node.processes.get(watched) if watched is not None else None
    if other is not None and other.monitored_by is not None:
        other.monitored_by.pop(ref, None)


def reply(node: Node, caller: Caller, value: Any) -> None:
    """Answer a call. A reply to a wait that is over is dropped: the caller has moved on."""
    hand_over(node, caller, value if type(value) in ATOMIC else node.copy(value))


def hand_over(node: Node, caller: Caller, value: Any) -> None:
    """Reply with a value that is the caller's alone already."""
    current, tag = node.current, caller.tag
    if current is not None:
        if current.callers:
            current.callers.pop(tag, None)
        if node.trace is not None:
            node.trace("reply", current, (caller.pid, value))
    process = node.processes.get(caller.pid)
    if process is None or process.token != tag:
        if process is None and tag in node.asked:
            node.answers.append(Reply(node.asked.pop(tag), True, value))
        else:
            _respond(node, process, tag, True, value)
        return
    go_on(node, process, value)


def go_on(node: Node, process: Process, value: Any) -> None:
    """Who was answered, or whose child is up, goes next, unless somebody does already."""
    process.token = 0
    process.resume = value
    process.status = READY
    if node.woken is None and node.policy is None:
        node.woken = process
    else:
        node.ready.append(process)


def ask_failed(node: Node, tag: int, error: CallExit) -> None:
    """There is nobody (any more) to answer an Ask."""
    node.answers.append(Reply(node.asked.pop(tag), False, None, error))


def _respond(node: Node, process: Process | None, tag: int, ok: bool, value: Any) -> None:
    """The outcome of a ``send_request`` is a message; of a call that is over it is dropped."""
    if process is not None and process.aliases is not None and Ref.of(tag) in process.aliases:
        deliver(node, process, (INFO, Response(Ref.of(tag), ok, node.copy(value)), None))


def wake(node: Node, process: Process, value: Any) -> None:
    """End the present wait of a suspended callback with a value or a Raise."""
    process.token = 0
    process.resume = value
    if process.status == WAITING or process.status == RECEIVING:
        process.status = READY
        process.wait = None
        node.ready.append(process)


def timed_out(process: Process) -> Any:
    """What a wait ends with when its time is up."""
    wait = process.wait
    if type(wait) is Receive:
        if wait.default is not MISSING:
            return wait.default
        return Raise(ReceiveTimeout("nothing that matches arrived in time"))
    if wait[0] == OP_SLEEP:
        return None
    if wait[0] == OP_START:
        return _start_timed_out(process, wait[1])
    return Raise(CallTimeout("timeout", shown(wait[1]), "stop" if wait[0] == OP_STOP else "call"))


def _start_timed_out(process: Process, child: Pid) -> Raise:
    """Who takes too long to start is killed, and its exit signal does not reach the starter."""
    found = process.node.processes.get(child)
    if found is not None:
        found.starter = None
        for one, other in ((process, found), (found, process)):
            if one.links is not None:
                one.links.pop(other.pid, None)
        doom(process.node, found, KILLED)
    return Raise(StartError("timeout"))


def exit_signal(node: Node, sender: Pid, process: Process, reason: Any) -> None:
    """``exit(Pid, Reason)``: kill is untrappable, normal is ignored unless trapped or sent to oneself."""
    if type(reason) is str and reason == KILL:
        doom(node, process, KILLED)
    elif type(reason) is str and reason == NORMAL and not process.trap_exit:
        if sender == process.pid:
            doom(node, process, NORMAL)
    else:
        link_signal(node, sender, process, reason)


def link_signal(node: Node, sender: Pid, process: Process, reason: Any) -> None:
    """The exit signal of a link: a message when trapped, ignored when normal, else fatal; ``kill`` is as any other."""
    if process.trap_exit:
        deliver(node, process, (EXIT, Exit(sender, node.copy(reason)), sender))
    elif not (type(reason) is str and reason == NORMAL):
        doom(node, process, reason)


def doom(node: Node, process: Process, reason: Any) -> None:
    """The process dies in its next step, with the first reason that reached it."""
    if process.doom is not None or process.status == DEAD:
        return
    process.doom = (reason,)
    if process.status > READY:
        node.ready.append(process)
    process.status = READY


def call_failed(node: Node, caller: Pid, tag: int, reason: Any, target: str) -> None:
    """The process that was called is gone: the caller's wait ends with CallExit, unless that is what it waited for."""
    process = node.processes.get(caller)
    if process is not None and process.token == tag:
        if process.wait[0] == OP_STOP:
            go_on(node, process, (reason,))
            return
        wake(node, process, Raise(CallExit(reason, target)))
    elif process is None and tag in node.asked:
        ask_failed(node, tag, CallExit(reason, target))
    else:
        _respond(node, process, tag, False, reason)
