"""Applications: load, start, stop and unload a supervision tree as one thing. Rules: Erlang's ``application``.

An application runs under a master process. What its processes spawn belongs
to it, and is killed when it stops, linked or not.
"""

from __future__ import annotations

from typing import Any, Final

from ..model.ids import Pid
from ..runtime import delivery, plain
from ..runtime.context import Context
from ..runtime.exceptions import ProcessExit, StartError
from ..runtime.operations import OP_START, OP_YIELD, ask
from ..runtime.process import Process
from . import app_master
from .app_master import STARTED, attend, stop_master, take_down, turn
from .app_record import (
    BASE,
    ApplicationError,
    Loaded,
    Spec,
    applications,
    environments,
    forget_unloaded,
    loaded,
    now_running,
    running,
)  # fmt: skip
from .process import OtpContext

__all__ = [
    "BASE", "KINDS", "Application", "ApplicationError", "Loaded", "Spec", "applications", "attend",
    "ensure_all_started", "ensure_started", "get_all_env", "get_application", "get_env", "get_key", "load",
    "loaded_applications", "put_env", "start", "stop", "stop_node", "unload", "unset_env", "which_applications",
]  # fmt: skip

KINDS: Final = ("temporary", "transient", "permanent")
PATIENCE_MS: Final = 5_000
"""How long a question waits while an application is being stopped: the time limit of any call."""


class Application(OtpContext):
    """Subclass it and say in ``start`` what the top supervisor is.

    >>> from jupyter_sandbox.otp import Child, Node, Supervisor
    >>> class Top(Supervisor):
    ...     pass
    >>> class Shop(Application):
    ...     def start(self, kind, argument):
    ...         return Child(Top)
    >>> async def main(self):
    ...     await load(self, Spec("shop", Shop))
    ...     await start(self, "shop")
    ...     return await which_applications(self)
    >>> Node().run_function(main)
    ['shop']
    """

    def start(self, kind: str, argument: Any) -> Any:  # type: ignore[override]
        """The top process: ``Child(Top)``, a class, or the pid of one started with ``await self.start_link``.

        ``(pid, state)`` gives ``stop`` a state; ``Error(reason)`` refuses to start.
        """
        raise ProcessExit(("bad_return", f"{type(self).__name__} defines no start"))

    def start_phase(self, phase: str, kind: str, argument: Any) -> Any:
        """Called for each of the start phases once the tree is up; ``Error(reason)`` makes the start fail."""

    def prep_stop(self, state: Any) -> Any:
        """Called before the tree is shut down; returns the state for ``stop``."""
        return state

    def stop(self, state: Any) -> Any:  # type: ignore[override]
        """Called after everything of the application is gone."""


async def load(ctx: Context, spec: Spec) -> None:
    """Make an application known. Raises ApplicationError ``("already_loaded", name)``.

    Like everything here that is awaited it waits while an application is being stopped.

    >>> from jupyter_sandbox.otp import Node
    >>> async def main(self):
    ...     await load(self, Spec("shop", env={"port": 80}))
    ...     await put_env(self, "shop", "host", "localhost")
    ...     known = get_env(self, "shop", "port"), get_env(self, "shop", "user", "nobody"), get_all_env(self, "shop")
    ...     await unset_env(self, "shop", "port")
    ...     told = loaded_applications(self), get_key(self, "shop", "applications"), get_env(self, "shop", "port")
    ...     await unload(self, "shop")
    ...     return known, told, loaded_applications(self)
    >>> known, told, left = Node().run_function(main)
    >>> known
    (80, 'nobody', {'port': 80, 'host': 'localhost'})
    >>> told, left
    ((['shop'], ['kernel', 'stdlib'], None), [])
    """
    await turn(ctx)
    node = ctx._process.node
    if loaded(node, spec.name) is not None:
        raise ApplicationError(f"load of {spec.name}", ("already_loaded", spec.name))
    entry = applications(node).setdefault(spec.name, Loaded(spec))
    entry.spec, entry.known = spec, True
    environments(node).setdefault(spec.name, {}).update(spec.env)


async def unload(ctx: Context, name: str) -> None:
    """Forget an application that does not run, and its environment. A start in progress goes on."""
    await turn(ctx)
    node = ctx._process.node
    entry = loaded(node, name)
    if entry is None:
        raise ApplicationError(f"unload of {name}", ("not_loaded", name))
    if entry.running:
        raise ApplicationError(f"unload of {name}", ("running", name))
    entry.known = False
    if entry.starting is None:
        forget_unloaded(node, entry)
    environments(node).pop(name, None)


async def start(ctx: OtpContext, name: str, kind: str = "temporary") -> None:
    """Start a loaded application whose dependencies run. Raises ApplicationError with OTP's reason.

    A ``permanent`` application takes the node down when it ends by itself or does not
    start, a ``transient`` one unless that is with ``normal``. While an application is being
    stopped this waits: its own processes must not ask for it in ``terminate`` or ``stop``.
    """
    await turn(ctx)
    node = ctx._process.node
    entry = applications(node).get(name)
    if entry is None:
        raise ApplicationError(f"start of {name}", ("no such file or directory", f"{name}.app"))
    if entry.starting is not None:
        await _join_start(ctx, entry)
        return
    _may_start(ctx, entry, kind)
    entry.kind, entry.started = kind, True
    if entry.spec.module is None:
        now_running(node, entry)
        return
    entry.starting = []
    await ask((OP_YIELD, None, None, None, None))  # who asks for the same at this moment joins this start

    def prepare(master: Process, _: object) -> None:
        plain.prepare(master, app_master.run)
        master.context = OtpContext(master)
        master.group = name
        master.hidden = True
        master.node.uncounted += 1

    try:
        await ask((OP_START, plain.run_plain, (app_master.run, (entry,)), None, ("none", prepare)))
    except StartError as error:
        raise ApplicationError(f"start of {name}", error.reason) from None
    node.emit("application_start", node.processes[ctx.pid], name)


def _may_start(ctx: Context, entry: Loaded, kind: str) -> None:
    known, name = applications(ctx._process.node), entry.spec.name
    if kind not in KINDS:
        raise ApplicationError(f"start of {name}", ("invalid_restart_type", kind))
    if entry.running:
        raise ApplicationError(f"start of {name}", ("already_started", name))
    for needed in entry.spec.applications:
        other = known.get(needed)
        if needed not in BASE and not (other is not None and other.started and other.starting is None):
            raise ApplicationError(f"start of {name}", ("not_started", needed))


async def _join_start(ctx: Context, entry: Loaded) -> None:
    """Wait for a start that someone else has asked for; its outcome counts here, too."""
    assert entry.starting is not None
    ref = ctx._process.node.new_ref()
    entry.starting.append((ctx.pid, ref))
    _, _, reason = await ctx.receive(lambda message: type(message) is tuple and message[:2] == (STARTED, ref))
    if reason is not None:
        raise ApplicationError(f"start of {entry.spec.name}", reason)


async def stop(ctx: OtpContext, name: str) -> None:
    """Stop an application in order: prep_stop, its tree, stop, then its stray processes.

    Nothing is started or stopped meanwhile; others who ask for that wait. Raises
    ApplicationError ``("not_started", name)``.
    """
    await turn(ctx)
    entry = applications(ctx._process.node).get(name)
    if entry is None or not entry.started or entry.starting is not None:
        raise ApplicationError(f"stop of {name}", ("not_started", name))
    entry.started = False
    if entry.master is None:
        entry.running = False
        return
    await stop_master(ctx, entry)


async def ensure_started(ctx: OtpContext, name: str, kind: str = "temporary") -> None:
    """Start an application unless it runs."""
    try:
        await start(ctx, name, kind)
    except ApplicationError as error:
        if error.reason != ("already_started", name):
            raise


async def ensure_all_started(ctx: OtpContext, name: str, kind: str = "temporary") -> list[str]:
    """Start an application and what it needs; when one fails, those just started are stopped again.

    Returns what was started, in order. Raises ApplicationError ``(application, reason)``.

    >>> from jupyter_sandbox.otp import Child, GenServer, Node, Supervisor
    >>> class Top(Supervisor):
    ...     def init(self, argument):
    ...         return [Child(GenServer, argument, name=argument)]
    >>> class App(Application):
    ...     def start(self, kind, argument):
    ...         return Child(Top, argument)
    ...     def start_phase(self, phase, kind, argument):
    ...         self.send("listener", f"phase {phase}")
    ...     def prep_stop(self, state):
    ...         self.send("listener", "about to stop")
    ...         return state
    ...     def stop(self, state):
    ...         self.send("listener", "stopped")
    >>> async def main(self):
    ...     self.register("listener")
    ...     await load(self, Spec("db", App, "db_server", start_phases=[("warm", None)]))
    ...     await load(self, Spec("shop", App, "shop_server", applications=["db"]))
    ...     try:
    ...         await start(self, "shop")
    ...     except ApplicationError as error:
    ...         refused = error.reason
    ...     started = await ensure_all_started(self, "shop")
    ...     await ensure_started(self, "db")
    ...     whose = get_application(self, self.whereis("db_server"))
    ...     await stop(self, "shop")
    ...     return refused, started, whose, [await self.receive(str) for _ in range(3)]
    >>> Node().run_function(main)
    (('not_started', 'db'), ['db', 'shop'], 'db', ['phase warm', 'about to stop', 'stopped'])
    """
    started: list[str] = []
    try:
        await _ensure_all(ctx, (name,), kind, started)
    except ApplicationError:
        for other in reversed(started):
            await stop(ctx, other)
        raise
    return started


async def _ensure_all(ctx: OtpContext, path: tuple[str, ...], kind: str, started: list[str]) -> None:
    """Start the last of a path and what it needs first, noting what was started. Raises ``(application, reason)``."""
    name = path[-1]
    await turn(ctx)
    entry = applications(ctx._process.node).get(name)
    if entry is not None and entry.running:
        return
    for needed in () if entry is None else entry.spec.applications:
        if needed not in BASE and needed not in path:  # who needs each other in a circle is told by start
            await _ensure_all(ctx, (*path, needed), kind, started)
    try:
        await start(ctx, name, kind)
    except ApplicationError as error:
        if error.reason == ("already_started", name):
            return
        raise ApplicationError(f"start of {path[0]}", (name, error.reason)) from None
    started.append(name)


async def which_applications(ctx: Context, timeout_ms: int | None = PATIENCE_MS) -> list[str]:
    """The running applications, the last started first. Raises CallTimeout after ``timeout_ms`` (None: no limit)."""
    await turn(ctx, timeout_ms)
    return [entry.spec.name for entry in running(ctx._process.node)]


def loaded_applications(ctx: Context) -> list[str]:
    """The loaded applications, running or not."""
    return [name for name, entry in applications(ctx._process.node).items() if entry.known]


def get_env(ctx: Context, name: str, key: str, default: Any = None) -> Any:
    """A value of an application's environment."""
    node = ctx._process.node
    return node.copy(environments(node).get(name, {}).get(key, default))


def get_all_env(ctx: Context, name: str) -> dict[str, Any]:
    """An application's whole environment."""
    node = ctx._process.node
    found: dict[str, Any] = node.copy(environments(node).get(name, {}))
    return found


async def put_env(ctx: Context, name: str, key: str, value: Any, timeout_ms: int | None = PATIENCE_MS) -> None:
    """Set a value of an application's environment, loaded or not; loading overrides what its specification sets.

    Raises CallTimeout after ``timeout_ms`` (None: no limit).
    """
    await turn(ctx, timeout_ms)
    node = ctx._process.node
    environments(node).setdefault(name, {})[key] = node.copy(value)


async def unset_env(ctx: Context, name: str, key: str, timeout_ms: int | None = PATIENCE_MS) -> None:
    """Take a key out of an application's environment. Raises CallTimeout after ``timeout_ms`` (None: no limit)."""
    await turn(ctx, timeout_ms)
    environments(ctx._process.node).get(name, {}).pop(key, None)


def get_key(ctx: Context, name: str, key: str) -> Any:
    """A field of a loaded application's specification, such as ``registered`` or ``applications``; None if unknown."""
    entry = loaded(ctx._process.node, name)
    if entry is None:
        return None
    value = getattr(entry.spec, {"vsn": "version", "id": "name"}.get(key, key), None)
    if key == "included_applications":
        value = []
    if key == "applications":
        value = [*BASE, *entry.spec.applications]
    return ctx._process.node.copy(value)


def get_application(ctx: Context, target: Pid | None = None) -> str | None:
    """The application that the calling process, or another one, belongs to."""
    node = ctx._process.node
    process = ctx._process if target is None else delivery.lookup(node, target)
    entry = None if process is None or process.group is None else applications(node).get(process.group)
    return entry.spec.name if entry is not None and (entry.running or entry.starting is not None) else None


async def stop_node(ctx: OtpContext) -> None:
    """Stop the whole node: its applications in reverse start order, then whatever is left (``init:stop``).

    >>> from jupyter_sandbox.otp import Node
    >>> async def main(self):
    ...     self.spawn(lambda self: self.receive())
    ...     await stop_node(self)
    >>> node = Node()
    >>> node.run_function(main)
    >>> node.processes
    {}
    """
    await take_down(ctx)
