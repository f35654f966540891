"""Applications: load, start, stop and unload a supervision tree as one thing. Rules: Erlang's ``application``.

An application runs under a master process. What its processes spawn belongs
to it, and is killed when it stops, linked or not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import CoroutineType
from typing import Any, Final

from ..model.errors import ProcessError
from ..model.exits import KILL, SHUTDOWN, is_normal
from ..model.ids import Pid
from ..model.text import short_text
from ..runtime import Node, delivery, lifecycle, plain
from ..runtime.context import Context
from ..runtime.crashes import exit_reason
from ..runtime.exceptions import ProcessExit, StartError
from ..runtime.operations import OP_START, ask
from ..runtime.process import Process
from ..runtime.signals import Exit
from . import gen
from .child import Child, as_child
from .process import OtpContext

KINDS: Final = ("temporary", "transient", "permanent")
BASE: Final = ("kernel", "stdlib")
"""Always loaded and running, as in Erlang."""
_STOP: Final = "$application_stop"


class ApplicationError(ProcessError):
    """OTP's error for an application operation, as ``reason``."""

    kind = "application_error"

    def __init__(self, what: str, reason: Any) -> None:
        super().__init__(f"{what} failed: {short_text(reason, 400)}")
        self.reason = reason


class Application(OtpContext):
    """Subclass it and say in ``start`` what the top supervisor is.

    >>> from jupyter_sandbox.otp import Node, Supervisor
    >>> class Top(Supervisor):
    ...     pass
    >>> class Shop(Application):
    ...     def start(self, kind, argument):
    ...         return Child(Top)
    >>> async def main(self):
    ...     load(self, Spec("shop", Shop))
    ...     await start(self, "shop")
    ...     return which_applications(self)
    >>> Node().run_function(main)
    ['shop']
    """

    def start(self, kind: str, argument: Any) -> Any:
        """The top process: ``Child(Top)``, a class, or the pid of one started with ``await self.start_link``."""
        raise ProcessExit(("bad_return", f"{type(self).__name__} defines no start"))

    def start_phase(self, phase: str, kind: str, argument: Any) -> Any:
        """Called for each of the specification's start phases once the tree is up."""

    def prep_stop(self, state: Any) -> Any:
        """Called before the tree is shut down; returns the state for ``stop``."""
        return state

    def stop(self, state: Any) -> Any:  # type: ignore[override]
        """Called after everything of the application is gone."""


@dataclass(slots=True)
class Spec:
    """What is known of a loaded application."""

    name: str
    module: Any = None
    argument: Any = None
    description: str = ""
    version: str = "1.0.0"
    modules: list[str] = field(default_factory=list)
    registered: list[str] = field(default_factory=list)
    applications: list[str] = field(default_factory=list)
    env: dict[str, Any] = field(default_factory=dict)
    start_phases: list[tuple[str, Any]] = field(default_factory=list)


@dataclass(slots=True)
class Loaded:
    """A loaded application; ``master`` is set while it runs."""

    spec: Spec
    kind: str = "temporary"
    running: bool = False
    master: Pid | None = None
    top: Pid | None = None


def applications(node: Node) -> dict[str, Loaded]:
    """All loaded applications of a node, by name."""
    found: dict[str, Loaded] = node.globals.setdefault("applications", {})
    return found


def load(ctx: Context, spec: Spec) -> None:
    """Make an application known. Raises ApplicationError ``("already_loaded", name)``."""
    known = applications(ctx._process.node)
    if spec.name in known:
        raise ApplicationError(f"load of {spec.name}", ("already_loaded", spec.name))
    known[spec.name] = Loaded(spec)


def unload(ctx: Context, name: str) -> None:
    """Forget an application that does not run."""
    entry = _loaded(ctx, name, "unload")
    if entry.running:
        raise ApplicationError(f"unload of {name}", ("running", name))
    del applications(ctx._process.node)[name]


async def start(ctx: Context, name: str, kind: str = "temporary") -> None:
    """Start a loaded application whose dependencies run. Raises ApplicationError with OTP's reason."""
    if kind not in KINDS:
        raise ApplicationError(f"start of {name}", ("invalid_restart_type", kind))
    entry = _loaded(ctx, name, "start")
    if entry.running:
        raise ApplicationError(f"start of {name}", ("already_started", name))
    for needed in entry.spec.applications:
        if needed not in BASE and not _is_running(ctx, needed):
            raise ApplicationError(f"start of {name}", ("not_started", needed))
    entry.kind = kind
    if entry.spec.module is None:
        entry.running = True
        return
    node = ctx._process.node

    def prepare(master: Process) -> None:
        plain.prepare(master, _master)
        master.context = OtpContext(master)
        master.group = name
        master.hidden = True

    try:
        await ask((OP_START, plain.run_plain, (_master, (entry,)), "none", None, prepare))
    except StartError as error:
        raise ApplicationError(f"start of {name}", error.reason) from None
    node.emit("application_start", node.processes[ctx.pid], name)


async def stop(ctx: Context, name: str) -> None:
    """Stop an application in order: prep_stop, its tree, stray processes, stop."""
    entry = applications(ctx._process.node).get(name)
    if entry is None or not entry.running:
        raise ApplicationError(f"stop of {name}", ("not_started", name))
    if entry.master is None:
        entry.running = False
        return
    ref = ctx.monitor(entry.master)
    ctx.send(entry.master, _STOP)
    await ctx.receive(lambda message: getattr(message, "ref", None) == ref)


async def ensure_all_started(ctx: Context, name: str, kind: str = "temporary") -> list[str]:
    """Start an application and what it needs; when one fails, those just started are stopped again."""
    started: list[str] = []
    try:
        await _ensure(ctx, name, kind, started)
    except ApplicationError as error:
        for other in reversed(started):
            await stop(ctx, other)
        raise ApplicationError(f"start of {name}", error.reason) from None
    return started


async def _ensure(ctx: Context, name: str, kind: str, started: list[str]) -> None:
    if _is_running(ctx, name):
        return
    for needed in _loaded(ctx, name, "start").spec.applications:
        if needed not in BASE:
            await _ensure(ctx, needed, kind, started)
    await start(ctx, name, kind)
    started.append(name)


def which_applications(ctx: Context) -> list[str]:
    """The running applications, in the order they were loaded."""
    return [name for name, entry in applications(ctx._process.node).items() if entry.running]


def get_env(ctx: Context, name: str, key: str, default: Any = None) -> Any:
    """A value of an application's environment."""
    entry = applications(ctx._process.node).get(name)
    return default if entry is None else ctx._process.node.copy(entry.spec.env.get(key, default))


def put_env(ctx: Context, name: str, key: str, value: Any) -> None:
    """Set a value of a loaded application's environment."""
    _loaded(ctx, name, "put_env").spec.env[key] = ctx._process.node.copy(value)


def get_application(ctx: Context) -> str | None:
    """The application that the calling process belongs to."""
    return ctx._process.group


def _loaded(ctx: Context, name: str, what: str) -> Loaded:
    entry = applications(ctx._process.node).get(name)
    if entry is None:
        reason = ("file_missing", f"{name}.app") if what == "start" else ("not_loaded", name)
        raise ApplicationError(f"{what} of {name}", reason)
    return entry


def _is_running(ctx: Context, name: str) -> bool:
    entry = applications(ctx._process.node).get(name)
    return entry is not None and entry.running


# --- the master -------------------------------------------------------------------------------------------------------


async def _master(ctx: OtpContext, entry: Loaded) -> None:
    """Start the tree, then wait for its end or for the order to stop."""
    spec, process = entry.spec, ctx._process
    ctx.trap_exit()
    app: Application = spec.module(process)
    arguments = ("normal", spec.argument)
    try:
        top, state = await _start_top(app, spec)
    except BaseException as error:  # whatever start did wrong is why the application did not start
        _kill_strays(process.node, spec.name, process)
        ctx.exit((_start_failure(error), (spec.module.__name__, "start", arguments)))
    entry.running, entry.master, entry.top = True, ctx.pid, top
    for phase, argument in spec.start_phases:
        app.start_phase(phase, "normal", argument)
    ctx.init_ack(ctx.pid)
    await attend(ctx, entry, app, top, state)


async def attend(ctx: OtpContext, entry: Loaded, app: Application, top: Pid, state: Any) -> None:
    """Wait for a running application's end or for the order to stop it. A restored snapshot goes on from here."""
    spec, process = entry.spec, ctx._process
    message = await ctx.receive(lambda m: m == _STOP or (type(m) is Exit and m.process == top))
    reason: Any = None if message == _STOP else message.reason
    state = app.prep_stop(state)
    if reason is None:
        await _shut_down(ctx, top)
    _kill_strays(process.node, spec.name, process)
    app.stop(state)
    entry.running, entry.master, entry.top = False, None, None
    if reason is not None:
        _ended(process, entry, reason)


async def _start_top(app: Application, spec: Spec) -> tuple[Pid, Any]:
    top = app.start("normal", spec.argument)
    if type(top) is CoroutineType:
        top = await top
    state = None
    if isinstance(top, tuple) and len(top) == 2 and isinstance(top[0], Pid):
        top, state = top
    if isinstance(top, Child) or isinstance(top, type):
        child = as_child(top)
        top = await gen.start(app, child.module, child.argument, name=child.name, relation="link")
    if not isinstance(top, Pid):
        raise ProcessExit(("bad_return", top))
    return top, state


def _start_failure(error: BaseException) -> Any:
    return error.reason if isinstance(error, (StartError, ProcessExit)) else exit_reason(error)


async def _shut_down(ctx: OtpContext, top: Pid) -> None:
    ref = ctx.monitor(top)
    ctx.unlink(top)
    ctx.exit_signal(top, SHUTDOWN)
    await ctx.receive(lambda message: getattr(message, "ref", None) == ref)


def _kill_strays(node: Node, name: str, master: Process) -> None:
    for process in list(node.processes.values()):
        if process.group == name and process is not master:
            delivery.doom(node, process, KILL + "ed")


def _ended(process: Process, entry: Loaded, reason: Any) -> None:
    """An application ended by itself: a permanent one takes the node down, a transient one unless it was normal."""
    node = process.node
    node.emit("application_stop", process, (entry.spec.name, reason, is_normal(reason)))
    if entry.kind == "permanent" or (entry.kind == "transient" and reason != "normal"):
        take_down(node, process)


def take_down(node: Node, last: Process) -> None:
    """Stop the whole node: every other process is killed."""
    node.globals["down"] = True
    for process in list(node.processes.values()):
        if process is not last:
            lifecycle.exit_process(node, process, "killed")
