"""Plain processes of a scenario: ``proc`` and ``proclib``, and the clients that execute ops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jupyter_sandbox.model.ids import Pid
from jupyter_sandbox.otp import OtpContext

from .interpreter import Command, Run
from .terms import Order, Program, parse, tag
from .world import described, world_of


@dataclass(frozen=True, slots=True)
class Begun:
    """Told to whoever spawned a process, once it has logged ``init``."""

    pid: Pid


async def run_process(ctx: OtpContext, argument: Any, starter: Pid | None) -> None:
    """A plain process: its init commands, then messages one after the other for ever."""
    spec = described(argument)
    world = world_of(ctx)
    world.begin(ctx, spec["label"])
    if spec.get("trap_exit"):
        ctx.trap_exit()
    if starter is not None:
        ctx.send(starter, Begun(ctx.pid))
    run = Run(ctx, world.names[ctx.pid], run_data(ctx, spec))
    if _finished(await run.run(spec.get("init", []))):
        return
    while not _finished(await _take(run, await ctx.receive(), spec)):
        pass


def run_data(ctx: OtpContext, spec: dict[str, Any]) -> Any:
    """The initial state data of a description."""
    from .terms import decode

    return decode(spec.get("data", "undefined"), world_of(ctx), ctx.pid)


async def _take(run: Run, message: Any, spec: dict[str, Any]) -> Command | None:
    if isinstance(message, Program):
        return await run.run(message.commands())
    if isinstance(message, Order):
        return await _obey(run, message)
    run.world.event(run.who, "info", msg=message)
    entries = spec.get("on_info", {})
    return await run.run(entries.get(tag(message), entries.get("_", [])))


async def _obey(run: Run, order: Order) -> Command | None:
    """Execute a command of the driver; an exception that is not caught ends this process."""
    world, command = run.world, parse(order.text)
    world.executing[run.ctx.pid] = order.op
    if command["cmd"] == "finish":
        return command  # type: ignore[no-any-return]
    outcome, error = await _outcome(run, command)
    if error is not None:
        raise error
    del world.executing[run.ctx.pid]
    world.finish(order.op, outcome)
    return None


async def _outcome(run: Run, command: Command) -> tuple[Any, BaseException | None]:
    """The rendered outcome, and the exception if it is to end the process."""
    from .interpreter import Unsupported
    from .terms import render
    from .world import Skip

    if command.get("catch"):
        return await run.outcome(command), None
    try:
        return {"value": render(await run.execute(command), run.world)}, None
    except Skip as skip:
        return {"skip": skip.label}, None
    except Unsupported as unsupported:
        return {"unsupported": str(unsupported)}, None


def _finished(command: Command | None) -> bool:
    return command is not None and command["cmd"] == "finish"


async def run_proclib(ctx: OtpContext, argument: Any) -> None:
    """A process that tells its starter when it is up, by the command ``init_ack``."""
    await run_process(ctx, argument, None)


async def run_op(ctx: OtpContext, op: int, text: str) -> None:
    """The client of one op."""
    world = world_of(ctx)
    world.names[ctx.pid] = f"op:{op}"
    world.finish(op, await Run(ctx, f"op:{op}").outcome(parse(text)))


async def run_order(ctx: OtpContext, op: int, text: str) -> None:
    """Hand one op to the process that is to execute it."""
    from .world import Skip

    world = world_of(ctx)
    try:
        target = world.pid(parse(text)["in"])
    except Skip as skip:
        world.finish(op, {"skip": skip.label})
        return
    if ctx.is_alive(target):
        ctx.send(target, Order(op, text))
    else:
        world.finish(op, {"died": True})


async def run_root(ctx: OtpContext, text: str) -> None:
    """Spawn the process that every scenario begins with."""
    ctx.spawn(run_process, text, None)
