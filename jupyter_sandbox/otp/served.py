"""What a supervisor does when it is asked: the other side of ``commands``, with OTP's exact answers."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from ..model.errors import UsageError
from ..model.exits import Crash
from ..model.ids import Pid
from ..model.text import short_text
from ..runtime import Node, delivery
from ..runtime.process import Process, Running
from ..runtime.signals import Caller
from . import children, gen, restart
from .child import Child, SpecError, as_child
from .child_keys import key_of
from .returns import Error

FUNCTION_CLAUSE: Final = "function_clause"


def serve(process: Process, request: Any, caller: Caller) -> Running | None:
    """Answer one call to a supervisor."""
    state: restart.State = process.state
    match request:
        case "which_children":
            delivery.reply(process.node, caller, _which(state))
        case "count_children":
            delivery.reply(process.node, caller, _count(state, process.node))
        case (str() as command, argument) if command in _COMMANDS:
            return _serve_async(process, command, argument, caller)
        case _:
            return refuse(process, request)
    return None


def refuse(process: Process, request: Any) -> Running | None:
    """A call or a cast that is none of a supervisor's ends it, children first: Erlang's has no clause for it."""
    return gen.stop(
        process, Crash("FunctionClause", f"no supervisor takes {short_text(request, 400)}", FUNCTION_CLAUSE)
    )


async def _serve_async(process: Process, command: str, argument: Any, caller: Caller) -> None:
    if command != "start_child":
        try:
            argument = key_of(argument)
        except UsageError:  # nobody's mistake may end a supervisor
            delivery.reply(process.node, caller, Error("not_found"))
            return
    ok, value = await _COMMANDS[command](process, process.state, argument)
    delivery.reply(process.node, caller, value if ok else Error(value))


def _which(state: restart.State) -> list[tuple[Any, Any, str, Any]]:
    simple = state.dynamic
    rows = []
    for entry in state.entries.values():
        shown = "restarting" if entry.restarting else ("undefined" if entry.pid is None else entry.pid)
        rows.append(("undefined" if simple else entry.child.id, shown, entry.child.type, entry.child.modules))
    return rows[::-1]


def _count(state: restart.State, node: Node) -> dict[str, int]:
    entries = state.entries.values()
    supervisors = sum(entry.child.type == "supervisor" for entry in entries)
    if not state.dynamic:
        active = sum(entry.pid in node.processes for entry in entries)
        specs = len(state.entries)
    else:
        active = sum(not entry.restarting for entry in entries) - state.abandoned
        specs = 1 if state.template is not None else len(state.entries)
    return {"specs": specs, "active": active, "supervisors": supervisors, "workers": len(state.entries) - supervisors}


async def _start(process: Process, state: restart.State, argument: Any) -> tuple[bool, Any]:
    if not isinstance(argument, tuple):  # asked by a plain call
        argument = (argument,)
    if state.template is not None:
        return await _start_dynamic(process, state, msgspec.structs.replace(state.template, extra=argument))
    try:
        child = as_child(argument[0] if len(argument) == 1 else argument, state.flags.auto_shutdown)
    except SpecError as error:
        return False, error.reason
    if state.dynamic:
        if state.flags.max_children is not None and len(state.entries) >= state.flags.max_children:
            return False, "max_children"
        return await _start_dynamic(process, state, _with_extra(child, state.flags.extra_arguments))
    present = state.entries.get(key_of(child.id))
    if present is not None:
        return False, ("already_started", present.pid) if present.pid is not None else "already_present"
    outcome = await children.start_child(process, child.id, child)
    if isinstance(outcome, restart.NotStarted):
        return False, (outcome.reason, child)
    if outcome.pid is not None or child.restart != "temporary":
        restart.add(state, child, outcome.pid)
    return True, _result(outcome)


def _result(outcome: restart.Started) -> Any:
    return (outcome.pid, *outcome.info) if outcome.info else outcome.pid


def _with_extra(child: Child, extra: tuple[Any, ...]) -> Child:
    """The child with a DynamicSupervisor's extra arguments before its own (Elixir prepends them)."""
    if not extra:
        return child
    own = () if child.argument is None else (child.argument,)
    return msgspec.structs.replace(child, argument=(*extra, *own) if len(extra) + len(own) > 1 else extra[0])


async def _start_dynamic(process: Process, state: restart.State, child: Child) -> tuple[bool, Any]:
    state.serial += 1
    child = msgspec.structs.replace(child, id=state.serial)
    outcome = await children.start_child(process, child.id, child)
    if isinstance(outcome, restart.NotStarted):
        return False, outcome.reason
    if outcome.pid is not None:
        restart.add(state, child, outcome.pid)
    return True, _result(outcome)


async def _terminate(process: Process, state: restart.State, id: Any) -> tuple[bool, Any]:
    if state.dynamic:
        if not isinstance(id, Pid):
            return False, "simple_one_for_one"
        key = restart.find_dynamic(state, id)
        if key is None:
            if id in process.node.processes:
                return False, "not_found"
            if state.template is not None:
                restart.drop_ignored(state)
            return True, "ok"
        id = key
    entry = state.entries.get(id)
    if entry is None:
        return False, "not_found"
    await children.stop_child(process, entry)
    if entry.restarting and state.template is not None:
        state.abandoned += 1
    if entry.pid is not None:
        state.by_pid.pop(entry.pid, None)
    entry.pid, entry.restarting = None, False
    if entry.child.restart == "temporary" or state.dynamic:
        del state.entries[id]
    return True, "ok"


async def _restart(process: Process, state: restart.State, id: Any) -> tuple[bool, Any]:
    problem = _not_stopped(state, id)
    if problem is not None:
        return False, problem
    entry = state.entries[id]
    outcome = await children.start_child(process, id, entry.child)
    if isinstance(outcome, restart.NotStarted):
        return False, outcome.reason
    entry.pid = outcome.pid
    if outcome.pid is not None:
        state.by_pid[outcome.pid] = id
    return True, _result(outcome)


async def _delete(process: Process, state: restart.State, id: Any) -> tuple[bool, Any]:
    problem = _not_stopped(state, id)
    if problem is not None:
        return False, problem
    del state.entries[id]
    return True, "ok"


def _not_stopped(state: restart.State, id: Any) -> str | None:
    if state.dynamic:
        return "simple_one_for_one"
    entry = state.entries.get(id)
    if entry is None:
        return "not_found"
    if entry.restarting:
        return "restarting"
    return "running" if entry.pid is not None else None


async def _spec(process: Process, state: restart.State, id: Any) -> tuple[bool, Any]:
    if state.template is not None:
        known = id == key_of(state.template.id) or (
            isinstance(id, Pid) and (id not in process.node.processes or restart.find_dynamic(state, id) is not None)
        )  # as in OTP, any process that is gone might have been one
        return (True, state.template) if known else (False, "not_found")
    entry = state.entries.get(id)
    return (False, "not_found") if entry is None else (True, entry.child)


_COMMANDS = {
    "start_child": _start,
    "terminate_child": _terminate,
    "restart_child": _restart,
    "delete_child": _delete,
    "get_childspec": _spec,
}
