"""Commands on behaviours: starting, calling, supervisors, sys."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from jupyter_sandbox.model.ids import Pid
from jupyter_sandbox.otp import (
    CallExit,
    Child,
    ChildError,
    OtpContext,
    ProcessExit,
    StartError,
    Supervisor,
    Throw,
    check_childspecs,
    count_children,
    delete_child,
    get_childspec,
    restart_child,
    start_child,
    terminate_child,
    which_children,
)  # fmt: skip
from jupyter_sandbox.otp import sys as otp_sys
from jupyter_sandbox.runtime import delivery, plain, relations
from jupyter_sandbox.runtime.operations import OP_START, ask
from jupyter_sandbox.runtime.process import Process

from .interpreter import Command, Run, Unsupported
from .machines import bare
from .plain import run_proclib
from .processes import behaviour, child_form
from .terms import ErlangError, Extra, Returned, mfa, opaque, render, text_of


def _timeout(command: Command, default: Any) -> int | None:
    value = command.get("timeout", default)
    return None if value == "infinity" else value


async def start(run: Run, command: Command) -> Any:
    spec, how = command["spec"], command.get("how", "start_link")
    timeout = _timeout(command, "infinity")
    try:
        if spec["kind"] == "proclib":
            return await _start_proclib(run, command, how, timeout)
        module = behaviour(spec)
        if module is None:
            raise Unsupported(f"start of a {spec['kind']}")
        found = await _start(run.ctx, how)(module, text_of(spec), name=spec.get("name"), timeout_ms=timeout)
    except StartError as error:
        return ("error", bare(error.reason) if spec["kind"] == "statem" else error.reason)
    if found is None:
        return "ignore"
    if how == "start_monitor":
        run.world.keep_ref(command.get("ref"), found[1])
    elif not isinstance(found, Pid):  # acknowledged by hand
        return found
    return ("ok", found)


async def _start_proclib(run: Run, command: Command, how: str, timeout: int | None) -> Any:
    text = text_of(command["spec"])
    if how != "start_monitor":
        relation = {"start_link": "link", "start": "none"}[how]
        return await run.ctx.start_plain(run_proclib, text, relation=relation, timeout_ms=timeout)
    process = run.ctx._process
    refs = []

    def watched(child: Process, _: object) -> None:
        refs.append(relations.monitor(process.node, process, child.pid))  # it is set before the process runs
        plain.prepare(child, run_proclib)

    try:
        found = await ask((OP_START, plain.run_plain, (run_proclib, (text,)), timeout, ("monitor", watched)))
    except StartError as error:
        found = ("error", error.reason)
    if not refs:  # with no time to wait nobody is started; in Erlang somebody is, and is killed before its first step
        pid, ref = run.ctx.spawn_monitor(run_proclib, text)
        run.ctx.exit_signal(pid, "kill")
        refs.append(ref)
    return found, run.world.keep_ref(command.get("ref"), refs[0])


def _start(ctx: OtpContext, how: str) -> Any:
    return {"start_link": ctx.start_link, "start": ctx.start, "start_monitor": ctx.start_monitor}[how]


async def init_ack(run: Run, command: Command) -> Any:
    run.ctx.init_ack(run.term(command["value"]))
    return "ok"


async def call(run: Run, command: Command) -> Any:
    return await run.ctx.call(run.target(command["to"]), run.term(command["msg"]), _timeout(command, 5_000))


async def cast(run: Run, command: Command) -> Any:
    run.ctx.cast(run.target(command["to"]), run.term(command["msg"]))
    return "ok"


async def server_stop(run: Run, command: Command) -> Any:
    reason = run.term(command.get("reason", "normal"))
    try:
        await run.ctx.stop(run.target(command["to"]), reason, _timeout(command, "infinity"))
    except CallExit as error:
        reason = error.exit_reason
        raise ProcessExit((reason, mfa("sys", "terminate")) if reason == "calling_self" else reason) from None
    return "ok"


async def send_request(run: Run, command: Command) -> Any:
    target = run.target(command["to"])
    request = run.ctx.send_request(target, run.term(command["msg"]))
    run.ctx.dictionary["request", command["as"]] = request, target
    return "ok"


async def receive_response(run: Run, command: Command) -> Any:
    request, target = run.ctx.dictionary["request", command["as"]]
    try:
        return ("reply", await run.ctx.receive_response(request, _timeout(command, "infinity")))
    except CallExit as error:
        return "timeout" if error.kind == "timeout" else ("error", (error.exit_reason, target))


async def statem_call(run: Run, command: Command) -> Any:
    timeout = _timeout(command, "infinity")
    answer = run.ctx.call(run.target(command["to"]), run.term(command["msg"]), timeout)
    return await _elsewhere("gen_statem", "call", answer)


async def _elsewhere(module: str, function: str, answer: Awaitable[Any]) -> Any:
    """Await a call that Erlang makes through another module than gen_server."""
    try:
        return await answer
    except CallExit as error:
        raise ProcessExit((error.exit_reason, mfa(module, function))) from None


async def _child(answer: Awaitable[Any], shown: Any = None) -> Any:
    """The result of a supervisor function: ``{ok, _}``, ``ok`` or ``{error, _}``."""
    try:
        found = await answer
    except ChildError as error:
        return ("error", error.reason if shown is None else shown(error.reason))
    return "ok" if found is None and shown is None else found


async def start_child_(run: Run, command: Command) -> Any:
    target = run.target(command["to"])
    if "child" in command:
        answer = start_child(run.ctx, target, child_form(command["child"]))
    else:
        answer = start_child(run.ctx, target, *(Extra(text_of(item)) for item in command["args"]))
    return _started(await _child(answer, lambda reason: _failed_child(reason, run, command)))


def _started(found: Any) -> Any:
    """The result of a start by a supervisor; what somebody else answered who was taken for one is left as it is."""
    if found is None or isinstance(found, Pid):
        return ("ok", found)
    return ("ok", *found) if isinstance(found, tuple) and found and isinstance(found[0], Pid) else found


def _failed_child(reason: Any, run: Run, command: Command) -> Any:
    if "args" in command and isinstance(reason, tuple) and reason[0] == "invalid_child_spec":
        return (reason[0], [Extra(text_of(item)) for item in command["args"]])
    if isinstance(reason, tuple) and len(reason) == 2 and isinstance(reason[1], Child):
        return (reason[0], opaque({"child": ["undefined", render(reason[1].id, run.world)]}))
    return reason


async def terminate_child_(run: Run, command: Command) -> Any:
    return await _ordered(run, command, terminate_child)


async def restart_child_(run: Run, command: Command) -> Any:
    answer = restart_child(run.ctx, run.target(command["to"]), run.term(command["id"]))
    return _started(await _child(answer, lambda reason: reason))


async def delete_child_(run: Run, command: Command) -> Any:
    return await _ordered(run, command, delete_child)


async def _ordered(run: Run, command: Command, function: Any) -> Any:
    """A function whose answer is ``ok`` or an error; of a process that is no supervisor, whatever it answers."""
    target, id = run.target(command["to"]), run.term(command["id"])
    found = delivery.lookup(run.ctx._process.node, target)
    if found is None or (isinstance(found.behaviour, type) and issubclass(found.behaviour, Supervisor)):
        return await _child(function(run.ctx, target, id))
    return await run.ctx.call(target, (function.__name__, id), None)


async def get_childspec_(run: Run, command: Command) -> Any:
    found = await _child(get_childspec(run.ctx, run.target(command["to"]), run.term(command["id"])))
    if not isinstance(found, Child):
        return found
    shutdown = "infinity" if found.shutdown_ms is None else found.shutdown_ms
    fields = {
        "id": found.id, "restart": found.restart, "shutdown": shutdown, "type": found.type,
        "significant": found.significant, "modules": found.modules,
    }  # fmt: skip
    return ("ok", opaque({"childspec": {key: render(value, run.world) for key, value in fields.items()}}))


async def which_children_(run: Run, command: Command) -> Any:
    rows = await which_children(run.ctx, run.target(command["to"]))
    if not isinstance(rows, list):
        return rows
    return opaque({"set": sorted((render(tuple(row), run.world) for row in rows), key=text_of)})


async def count_children_(run: Run, command: Command) -> Any:
    return opaque({"counts": await count_children(run.ctx, run.target(command["to"]))})


async def check_childspecs_(run: Run, command: Command) -> Any:
    given = command["children"]
    forms = [child_form(child) for child in given] if isinstance(given, list) else Returned(run.term(given))
    reason = check_childspecs(forms, command.get("auto_shutdown"))
    return "ok" if reason is None else ("error", reason)


async def sys_get_state(run: Run, command: Command) -> Any:
    return await _sys(run, command, "get_state")


async def sys_replace_state(run: Run, command: Command) -> Any:
    def replace(state: Any) -> Any:
        if "raise" in command:
            _fail(run, command["raise"])
        return run.term(command["value"])

    try:
        return await _sys(run, command, "replace_state", replace)
    except otp_sys.SysError as error:
        what, where, (kind, reason) = error.reason
        raise ErlangError((what, where, (kind, bare(reason)))) from None


def _fail(run: Run, how: Any) -> None:
    """Raise what a description says: a class and a reason, or the reason of an error."""
    if not (isinstance(how, dict) and "class" in how):
        raise ErlangError(run.term(how))
    raise {"error": ErlangError, "exit": ProcessExit, "throw": Throw}[how["class"]](run.term(how["reason"]))


async def sys_get_status(run: Run, command: Command) -> Any:
    status = await _sys(run, command, "get_status")
    return opaque({"status": status["status"]})


async def sys_suspend(run: Run, command: Command) -> Any:
    return await _sys(run, command, "suspend") or "ok"


async def sys_resume(run: Run, command: Command) -> Any:
    return await _sys(run, command, "resume") or "ok"


async def sys_change_code(run: Run, command: Command) -> Any:
    target = run.target(command["to"])
    pid = target if isinstance(target, Pid) else run.ctx.whereis(target)
    found = None if pid is None else run.ctx._process.node.processes.get(pid)
    module = None if found is None else found.behaviour
    try:
        await _sys(run, command, "change_code", module, run.term(command["old_vsn"]), run.term(command["extra"]))
    except otp_sys.SysError as error:
        return ("error", error.reason)
    return "ok"


async def sys_terminate(run: Run, command: Command) -> Any:
    target, timeout = run.target(command["to"]), _timeout(command, "infinity")
    answer = otp_sys.request_terminate(run.ctx, target, run.term(command["reason"]), timeout)
    await _elsewhere("sys", "terminate", answer)
    return "ok"


async def _sys(run: Run, command: Command, function: str, *args: Any) -> Any:
    target, timeout = run.target(command["to"]), _timeout(command, 5_000)
    return await _elsewhere("sys", function, getattr(otp_sys, function)(run.ctx, target, *args, timeout_ms=timeout))


COMMANDS: dict[str, Any] = {
    function.__name__.rstrip("_"): function
    for function in (
        start, init_ack, call, cast, server_stop, send_request, receive_response, statem_call, start_child_,
        terminate_child_, restart_child_, delete_child_, get_childspec_, which_children_, count_children_,
        check_childspecs_, sys_get_state, sys_replace_state, sys_get_status, sys_suspend, sys_resume, sys_change_code,
        sys_terminate,
    )
}  # fmt: skip
COMMANDS |= {"statem_cast": cast, "statem_stop": server_stop}
