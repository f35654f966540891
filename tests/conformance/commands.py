"""What each command does on the node: signals, messages, names, timers. More are in the other ``commands_`` files."""

from __future__ import annotations

from typing import Any

from jupyter_sandbox.otp import ProcessExit, Throw

from .commands_app import COMMANDS as APPLICATION
from .commands_ets import COMMANDS as TABLES
from .commands_otp import COMMANDS as OTP
from .interpreter import Command, Run, Unsupported
from .plain import Begun, run_process
from .terms import ErlangError, ErlangShutdown, opaque, tag, text_of


async def log(run: Run, command: Command) -> Any:
    run.world.event(run.who, "note", value=run.term(command["value"]))
    return "ok"


async def sleep(run: Run, command: Command) -> Any:
    await run.ctx.sleep(command["ms"])
    return "ok"


async def set_data(run: Run, command: Command) -> Any:
    run.data = run.term(command["value"])
    return "ok"


async def save_from(run: Run, command: Command) -> Any:
    run.ctx.dictionary["from", command["as"]] = run.caller
    return "ok"


async def answer(run: Run, command: Command) -> Any:
    caller = run.ctx.dictionary.get(("from", command["as"]))
    if caller is None:
        raise ErlangError("function_clause")
    run.ctx.reply(caller, run.term(command["value"]))
    return "ok"


async def raise_(run: Run, command: Command) -> Any:
    reason = run.term(command["reason"])
    match command["class"]:
        case "exit":
            raise ProcessExit(reason)
        case "error" if reason == "shutdown":
            raise ErlangShutdown
        case "error":
            raise ErlangError(reason)
        case "throw":
            raise Throw(reason)
        case other:
            raise Unsupported(f"class {other}")


async def spawn(run: Run, command: Command) -> Any:
    ctx, text = run.ctx, text_of(command["spec"])
    if command["spec"]["kind"] != "proc":
        raise Unsupported(f"spawn of a {command['spec']['kind']}")
    ref = None
    match command["how"]:
        case "spawn":
            pid = ctx.spawn(run_process, text, ctx.pid)
        case "link":
            pid = ctx.spawn_link(run_process, text, ctx.pid)
        case "monitor":
            pid, ref = ctx.spawn_monitor(run_process, text, ctx.pid)
        case other:
            raise Unsupported(f"spawn by {other}")
    await ctx.receive(lambda message: isinstance(message, Begun) and message.pid == pid)
    return pid if ref is None else (pid, run.world.keep_ref(command.get("ref"), ref))


async def link(run: Run, command: Command) -> Any:
    run.ctx.link(run.target(command["to"]))
    return True


async def unlink(run: Run, command: Command) -> Any:
    run.ctx.unlink(run.target(command["to"]))
    return True


async def monitor(run: Run, command: Command) -> Any:
    options: dict[str, Any] = {}
    if "alias" in command:
        options["alias"] = command["alias"]
    if "tag" in command:
        options["tag"] = run.term(command["tag"])
    return run.world.keep_ref(command.get("ref"), run.ctx.monitor(run.target(command["to"]), **options))


async def demonitor(run: Run, command: Command) -> Any:
    options = command.get("opts", ())
    found = run.ctx.demonitor(run.world.ref(command["ref"]), flush="flush" in options)
    return found if "info" in options else True


async def alias(run: Run, command: Command) -> Any:
    return run.world.keep_ref(command.get("ref"), run.ctx.alias())


async def unalias(run: Run, command: Command) -> Any:
    return run.ctx.unalias(run.world.ref(command["ref"]))


async def exit_signal(run: Run, command: Command) -> Any:
    target, reason = run.target(command["to"]), run.term(command["reason"])
    if isinstance(target, str):
        target = run.ctx.whereis(target)
        if target is None:
            raise ErlangError("badarg")
    run.ctx.exit_signal(target, reason)
    return True


async def trap_exit(run: Run, command: Command) -> Any:
    return run.ctx.trap_exit(command["value"])


async def send(run: Run, command: Command) -> Any:
    run.ctx.send(run.target(command["to"]), run.term(command["msg"]))
    return "ok"


async def receive(run: Run, command: Command) -> Any:
    wanted = command["tag"]
    return await run.ctx.receive(
        lambda message: tag(message) == wanted, timeout_ms=milliseconds(command.get("timeout", "infinity")),
        default="timeout",
    )  # fmt: skip


async def register(run: Run, command: Command) -> Any:
    run.ctx.register(command["name"], run.target(command["to"]))
    return True


async def unregister(run: Run, command: Command) -> Any:
    run.ctx.unregister(command["name"])
    return True


async def whereis(run: Run, command: Command) -> Any:
    return run.ctx.whereis(command["name"])


async def registered(run: Run, command: Command) -> Any:
    return sorted(run.ctx._process.node.names)


async def is_alive(run: Run, command: Command) -> Any:
    return run.ctx.is_alive(run.target(command["to"]))


async def info(run: Run, command: Command) -> Any:
    target = run.target(command["to"])
    if isinstance(target, str):
        target = run.ctx.whereis(target)
    found = None if target is None else run.ctx.process_info(target)
    if found is None:
        return None
    item = command["item"]
    value = found["registered_name"] if item == "registered_name" else found[item]
    if item == "registered_name":
        return "none" if value is None else value
    if item in ("links", "monitors"):
        return as_set(run, [(entry, "node") if isinstance(entry, str) else entry for entry in value])
    if item == "ancestors":  # clients among them; a process that Erlang's proc_lib did not start knows of none
        return list(run.ctx._process.node.processes[target].ancestors) or None
    return value


def as_set(run: Run, values: list[Any]) -> Any:
    """Values whose order does not matter."""
    from .terms import render

    return opaque({"set": sorted((render(value, run.world) for value in values), key=text_of)})


async def send_after(run: Run, command: Command) -> Any:
    ref = run.ctx.send_after(command["ms"], run.target(command["to"]), run.term(command["msg"]))
    return run.world.keep_ref(command.get("timer"), ref)


async def start_timer(run: Run, command: Command) -> Any:
    ref = run.ctx.start_timer(command["ms"], run.target(command["to"]), run.term(command["msg"]))
    return run.world.keep_ref(command.get("timer"), ref)


async def cancel_timer(run: Run, command: Command) -> Any:
    left = run.ctx.cancel_timer(run.world.ref(command["timer"]))
    return False if left is None else opaque({"left": True})


async def read_timer(run: Run, command: Command) -> Any:
    left = run.ctx.read_timer(run.world.ref(command["timer"]))
    return False if left is None else opaque({"left": True})


async def send_interval(run: Run, command: Command) -> Any:
    ref = run.ctx.send_interval(command["ms"], run.target(command["to"]), run.term(command["msg"]))
    run.world.keep_ref(command.get("timer"), ref)
    return "ok"


async def cancel_interval(run: Run, command: Command) -> Any:
    run.ctx.cancel_timer(run.world.ref(command["timer"]))
    return "ok"


def milliseconds(value: Any) -> int | None:
    """A timeout of Erlang's: ``infinity`` is None here."""
    return None if value == "infinity" else value


COMMANDS: dict[str, Any] = {
    function.__name__.rstrip("_"): function
    for function in (
        log, sleep, set_data, save_from, answer, raise_, spawn, link, unlink, monitor, demonitor, alias, unalias,
        exit_signal, trap_exit, send, receive, register, unregister, whereis, registered, is_alive, info, send_after,
        start_timer, cancel_timer, read_timer, send_interval, cancel_interval,
    )
}  # fmt: skip
COMMANDS |= OTP | APPLICATION | TABLES
