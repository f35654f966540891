"""Frozen pictures of a node: its tree, one process, and what a target text means. Reading takes no step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ..model import anatomy
from ..model.errors import NoProcess
from ..model.ids import Pid
from ..model.target import named
from ..model.text import short_text
from ..model.views import Event, Inspection, ProcessView, TreeView
from ..runtime import Node
from ..runtime.operations import OP_CALL, OP_OUTSIDE, OP_START, OP_STOP
from ..runtime.process import DEAD, READY, RECEIVING, SUSPENDED, WAITING, Process
from ..runtime.process_info import ancestors
from ..runtime.storytelling import describe, state_text, who
from . import restart
from .child import Child

_MAILBOX_SHOWN = 20


def tree(node: Node) -> TreeView:
    """All processes in tree order."""
    return TreeView(node.name, node.step_number, node.now_ms, tuple(_walk(node)))


def _walk(node: Node) -> Iterator[ProcessView]:
    supervised = {
        pid for process in node.processes.values() for pid in _supervision(process).by_pid
    }  # one look at every supervisor; membership only, so its order never matters
    for process in list(node.processes.values()):
        if process.hidden or process.pid in supervised or _booting(node, process):
            continue
        key = root_key(process)
        yield from _branch(node, process, key, None, None)


def _booting(node: Node, process: Process) -> bool:
    """A child whose start is not acknowledged yet, or whose supervisor has not heard of it, shows under nobody."""
    parent = node.processes.get(process.parent) if process.parent is not None else None
    if parent is None:
        return False
    # What a start function starts beside its child is nobody's child for good: it shows once the supervisor is done.
    return process.starter is not None or (_is_supervisor(parent) and parent.coro is not None)


def root_key(process: Process) -> str:
    """The key of a process without a supervisor: its name, the class of a supervisor, or its pid."""
    if process.name:
        return process.name
    return anatomy.own_name(process.behaviour) if _is_supervisor(process) else repr(process.pid)


def _is_supervisor(process: Process) -> bool:
    return type(process.state) is restart.State  # isinstance would ask a user's object what it is


_NOTHING = restart.State(restart.Flags())


def _supervision(process: Process) -> restart.State:
    return process.state if type(process.state) is restart.State else _NOTHING


def _branch(
    node: Node, process: Process, key: str, parent: str | None, entry: restart.Entry | None
) -> Iterator[ProcessView]:
    yield view(node, process, key, parent, entry)
    if not _is_supervisor(process):
        return
    for id, child_entry in process.state.entries.items():
        child_key = f"{key}/{_shown(id)}"
        child = node.processes.get(child_entry.pid) if child_entry.pid is not None else None
        if child is None:
            yield _empty(child_entry, child_key, key)
        else:
            yield from _branch(node, child, child_key, key, child_entry)


def _shown(id: Any) -> str:
    return id if type(id) is str else short_text(id, 40)


def _empty(entry: restart.Entry, key: str, parent: str) -> ProcessView:
    child: Child = entry.child
    status = "restarting" if entry.restarting else "stopped"
    return ProcessView(
        key=key, pid=None, name=_shown(child.id), kind=str(child.type), behaviour=behaviour_name(child.module),
        status=status, parent=parent, registered=None, restarts=entry.restarts,
    )  # fmt: skip


def view(
    node: Node, process: Process, key: str, parent: str | None = None, entry: restart.Entry | None = None
) -> ProcessView:
    """One living process."""
    supervision = process.state if _is_supervisor(process) else None
    flags = supervision.flags if supervision is not None else None
    return ProcessView(
        key=key,
        pid=repr(process.pid),
        name=_display_name(process, entry),
        kind=_kind(process, entry),
        behaviour=behaviour_name(process.behaviour),
        status=status(process),
        parent=parent,
        registered=process.name,
        state=state_text(process),
        queue=len(process.mailbox or ()),
        restarts=entry.restarts if entry is not None else 0,
        steps=process.steps,
        strategy=flags.strategy if flags else None,
        budget_left=restart.window_left(supervision, node.now_ms // 1000) if supervision is not None else None,
        budget=flags.intensity if flags else None,
        period_s=flags.period_s if flags else None,
        links=tuple(who(node, pid) for pid in process.links or ()),
        monitors=tuple(who(node, target) for target in (process.monitors or {}).values()),
        code_version=_version(process.behaviour),
    )


def _display_name(process: Process, entry: restart.Entry | None) -> str:
    if process.name:
        return process.name
    if process.label is not None:
        return short_text(process.label, 40)
    if entry is not None and type(entry.child.id) is str:
        return entry.child.id
    return anatomy.own_name(process.behaviour) or repr(process.pid)


def _version(behaviour: Any) -> int:
    """Of its code; a class of the user's may have an attribute of that name."""
    version = anatomy.lookup(behaviour, "__sandbox_version__") if anatomy.isinstance_of(behaviour, type) else 0
    return version if type(version) is int else 0


def _kind(process: Process, entry: restart.Entry | None) -> str:
    if _is_supervisor(process):
        return "supervisor"
    if entry is not None:
        return "worker"
    return "worker" if isinstance(process.behaviour, type) else "process"


def behaviour_name(behaviour: Any) -> str:
    """``counter.Counter``: module and name of a class or a function."""
    return anatomy.name_of(behaviour) or short_text(behaviour)


def status(process: Process) -> str:
    """What a process is doing, in one of the words of ProcessStatus."""
    if process.status == DEAD or process.doom is not None:
        return "exiting"
    if process.suspended or process.status == SUSPENDED:
        return "suspended"
    if process.status <= READY:
        return "running"
    return "waiting"


def waiting_for(node: Node, process: Process) -> str:
    """What a suspended callback waits for, in words."""
    if process.status == RECEIVING:
        return "a message"
    if process.status != WAITING or process.wait is None:
        return ""
    what, subject = process.wait[0], process.wait[1]
    if what == OP_CALL:
        return f"a reply from {who(node, subject)}"
    if what == OP_STOP:
        return f"the end of {who(node, subject)}"
    if what == OP_START:
        return f"the start of {who(node, subject)}"
    return "work outside" if what == OP_OUTSIDE else f"sleep of {subject} ms"


def inspection(node: Node, process: Process, events: tuple[Event, ...] = ()) -> Inspection:
    """Everything about one process."""
    found = next((item for item in tree(node).processes if item.pid == repr(process.pid)), None)
    box = process.mailbox or ()
    shown = [_mail(node, entry) for _, entry in zip(range(_MAILBOX_SHOWN), box, strict=False)]
    return Inspection(
        process=found or view(node, process, root_key(process)),
        mailbox=tuple(shown),
        mailbox_omitted=max(0, len(box) - _MAILBOX_SHOWN),
        waiting_for=waiting_for(node, process),
        links=tuple(who(node, pid) for pid in process.links or ()),
        monitors=tuple(who(node, target) for target in (process.monitors or {}).values()),
        monitored_by=tuple(who(node, watcher) for watcher, _ in (process.monitored_by or {}).values()),
        events=events,
        initial_call=behaviour_name(process.behaviour),
        ancestors=tuple(str(ancestor) for ancestor in ancestors(process)),
    )


def is_suspended(node: Node, target: str) -> bool:
    """Whether the process that a target means is suspended; a target that means none is not."""
    try:
        return find(node, target).suspended
    except NoProcess:
        return False


def _mail(node: Node, entry: Any) -> str:
    kind, message, sender = describe(node, entry)
    return f"{kind} {message}" + (f" from {sender}" if sender else "")


def find(node: Node, target: str) -> Process:
    """The process that a target text means: a pid, a registered name, a path in the tree, or a unique end of one.

    Raises NoProcess, naming what there is, also for a target that is empty: it could mean only the top.
    """
    pid = Pid.parse(named(target, node.name)) or node.names.get(target)
    if pid is None:
        pid = _by_path(node, target)
    process = node.processes.get(pid) if pid is not None else None
    if process is None:
        if any(item.pid is None and item.key.endswith(f"/{target.strip('/')}") for item in tree(node).processes):
            raise NoProcess(f"{target} is down: it waits for its next restart, or was stopped by hand; see its tree")
        known = ", ".join(item.key for item in tree(node).processes[:12]) or "none"
        raise NoProcess(f"there is no process {target!r} in {node.name!r}. Processes: {known}")
    return process


def _by_path(node: Node, target: str) -> Pid | None:
    rows = [item for item in tree(node).processes if item.pid is not None]
    wanted = target.strip("/")
    under_node = wanted.removeprefix(f"{node.name}/")
    ways: tuple[Callable[[str], bool], ...] = (
        lambda key: key == wanted,
        lambda key: key.partition("/")[2] == under_node,
        lambda key: key.endswith(f"/{wanted}"),
        lambda key: key.lower() == wanted.lower(),
    )
    for fits in ways:
        found = [item for item in rows if fits(item.key)]
        if len(found) == 1 and found[0].pid is not None:
            return Pid.parse(found[0].pid)
    return None
