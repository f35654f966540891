"""What a supervisor does to its children's processes: start one, stop one, stop all. ``restart`` says what and when."""

from __future__ import annotations

from collections import deque
from types import CoroutineType
from typing import Any

from ..model.exits import KILL, SHUTDOWN
from ..model.ids import Pid, Ref
from ..runtime import relations
from ..runtime.crashes import exit_reason
from ..runtime.exceptions import ProcessExit, StartError, Throw
from ..runtime.operations import OP_RECEIVE, ask
from ..runtime.process import Process
from ..runtime.signals import Down, Exit
from . import gen, inheritance, restart
from .child import Child
from .returns import Ignore


async def start_child(
    process: Process, id: Any, child: Child, last: inheritance.Last = ()
) -> restart.Started | restart.NotStarted:
    """Start one child, linked, and wait until its init is done. ``last``: the state that its predecessor left."""
    try:
        if child.start is not None:
            started = child.start(process.context, child.argument, *child.extra)
            if type(started) is CoroutineType:
                started = await started
        elif child.keep_state and inheritance.wanted(child):
            started = await inheritance.start(process, child, combined(child.argument, child.extra), last)
        else:
            started = await gen.started(
                process, child.module, combined(child.argument, child.extra) if child.extra else child.argument,
                child.name, "link", child.timeout_ms,
            )  # fmt: skip
    except BaseException as error:  # a start function of the user's may raise anything
        return failed(id, error)
    return _started(id, started)


def failed(id: Any, error: BaseException) -> restart.Started | restart.NotStarted:
    """What a start that raised comes to; what is no failure of the child, such as GeneratorExit, is raised again."""
    if isinstance(error, StartError):
        return restart.NotStarted(id, error.reason)
    if isinstance(error, Throw):  # Erlang's supervisor starts children under `catch`
        return _started(id, error.value)
    if isinstance(error, (Exception, ProcessExit)):
        return restart.NotStarted(id, ("EXIT", exit_reason(error)))
    raise error


def _started(id: Any, started: Any) -> restart.Started | restart.NotStarted:
    """What a start function returned: a pid, ``(pid, info)``, None or IGNORE; anything else is a failed start."""
    if type(started) is Pid:
        return restart.Started(id, started)
    if started is None or isinstance(started, Ignore):
        return restart.Started(id, None)
    if type(started) is tuple and len(started) == 2 and isinstance(started[0], Pid):
        return restart.Started(id, started[0], (started[1],))
    return restart.NotStarted(id, started)


def combined(fixed: Any, extra: tuple[Any, ...]) -> Any:
    """What init gets: the specification's argument, and after it what ``start_child`` gave a dynamic child."""
    parts = extra if fixed is None else (fixed, *extra)
    return parts[0] if len(parts) == 1 else (parts or None)


async def stop_child(process: Process, entry: restart.Entry) -> Any:
    """Shut a child down: ``shutdown``, then ``kill`` when its time is up. Returns the reason it died with."""
    if entry.pid is None:
        return None
    context = process.context
    # The link stays, as in OTP: a supervisor that is killed now takes the child with it.
    pid, patience, down = entry.pid, entry.child.shutdown_ms, None
    ref = context.monitor(pid)
    if patience != "brutal_kill":
        context.exit_signal(pid, SHUTDOWN)
        down = await ask((OP_RECEIVE, ref, None, patience, None))
    if down is None:
        context.exit_signal(pid, KILL)
        down = await ask((OP_RECEIVE, ref, None, None, None))
    _forget_exit(process, pid)
    return down.reason


def _forget_exit(process: Process, pid: Pid) -> None:
    """Drop the exit message that came by the link (``unlink_flush``): who stops many would look through all of them."""
    relations.flush_exit(process, pid)
    inheritance.left(process, pid)


async def stop_all(process: Process, state: restart.State) -> None:
    """Shut all children down at once; each is killed when its own time is up."""
    context, node = process.context, process.node
    waiting: dict[Ref, restart.Entry] = {}
    for entry in state.entries.values():
        if entry.pid is not None:
            waiting[context.monitor(entry.pid)] = entry
    stopping = {entry.pid for entry in waiting.values()}
    begun = node.now_ms
    ends: deque[tuple[int, Ref]] = deque()
    for ref, entry in waiting.items():
        context.exit_signal(entry.pid, KILL if entry.child.shutdown_ms == "brutal_kill" else SHUTDOWN)
        if isinstance(entry.child.shutdown_ms, int):
            ends.append((begun + entry.child.shutdown_ms, ref))
    ends = deque(sorted(ends))
    while waiting:
        while ends and (ends[0][1] not in waiting or ends[0][0] <= node.now_ms):
            _, ref = ends.popleft()
            if ref in waiting:
                context.exit_signal(waiting[ref].pid, KILL)
        left = ends[0][0] - node.now_ms if ends else None
        sign = await context.receive(
            lambda m: (type(m) is Down and m.ref in waiting) or (type(m) is Exit and m.process in stopping),
            timeout_ms=left, default=None,
        )  # fmt: skip
        if type(sign) is Down:
            del waiting[sign.ref]
    state.entries.clear()
    state.by_pid.clear()
