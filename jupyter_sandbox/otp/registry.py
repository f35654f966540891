"""Registry: processes under keys of any kind, each with a value. Rules: Elixir's ``Registry``.

The entries are in a table that belongs to the registry's process, so to look
one up takes no message. Registered processes are linked to the registry: when
it dies they do, and when one of them dies its entries are gone at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from ..model.errors import UsageError
from ..model.ids import Pid
from ..model.text import short_text
from ..runtime import Node, delivery, relations
from ..runtime.context import Context
from ..runtime.process import Process
from ..runtime.signals import INFO, Exit
from .child import Child
from .gen_server import GenServer
from .process import OtpContext
from .returns import NoReply

KINDS: Final = ("unique", "duplicate")


class Registered(NamedTuple):
    """A listener's message: a process took a key.

    >>> from jupyter_sandbox.otp import Node, Registered, Registry, Unregistered
    >>> async def main(self):
    ...     self.register("me")
    ...     await Registry.start_link(self, "seats", listeners=["me"])
    ...     async def guest(self):
    ...         Registry.register(self, "seats", "window", "ada")
    ...         await self.sleep(10)
    ...     self.spawn(guest)
    ...     came, went = await self.receive(Registered), await self.receive(Unregistered)
    ...     return came.key, came.value, went.key
    >>> Node().run_function(main)
    ('window', 'ada', 'window')
    """

    registry: str
    key: Any
    pid: Pid
    value: Any


class Unregistered(NamedTuple):
    """A listener's message: a process gave a key up, or died.

    >>> from jupyter_sandbox.otp import Node, Registry, Unregistered
    >>> async def main(self):
    ...     self.register("me")
    ...     await Registry.start_link(self, "seats", listeners=["me"])
    ...     async def guest(self):
    ...         Registry.register(self, "seats", "window", "ada")
    ...     self.spawn(guest)
    ...     return (await self.receive(Unregistered)).key
    >>> Node().run_function(main)
    'window'
    """

    registry: str
    key: Any
    pid: Pid


class Entries(msgspec.Struct):
    """What a registry knows: ``by_key`` has the processes of a key in the order of their registration."""

    name: str
    kind: str
    listeners: tuple[Any, ...] = ()
    by_key: dict[Any, dict[Pid, list[Any]]] = {}
    by_pid: dict[Pid, dict[Any, None]] = {}


class Via(msgspec.Struct, frozen=True):
    """The name of the process under ``key`` in a unique registry; ``value`` is for the entry that a start makes.

    >>> from jupyter_sandbox.otp import Registry, Via
    >>> Registry.via("rooms", ("lobby", 7)) == Via("rooms", ("lobby", 7))
    True
    """

    registry: str
    key: Any
    value: Any = None

    def whereis(self, node: Node) -> Pid | None:
        """The process, None when there is none."""
        entries = Registry.entries_of(node, self.registry)
        if not _may_be_key(self.key):
            raise UsageError("key", self.key, hint="it may change")
        return next(iter(_living(node, entries, self.key)), None)

    def claim(self, process: Process) -> str | None:
        """Register a process that is being started; why not, if it cannot be."""
        return _enter(process, Registry.entries_of(process.node, self.registry), self.key, self.value)


class RegistryServer(GenServer):
    """The process behind a registry: it owns the entries and hears of deaths."""

    type = "supervisor"

    def init(self, entries: Entries) -> Entries:
        """Trap exits: the links to the registered processes tell of their deaths."""
        self.trap_exit()
        return entries

    def handle_info(self, message: Any, entries: Entries) -> NoReply:
        """Forget a process that died."""
        if isinstance(message, Exit):
            for key in list(entries.by_pid.get(message.process, ())):
                _leave(self._process.node, entries, message.process, key)
        return NoReply(entries)

    @staticmethod
    def state_text(state: Any) -> str:
        """What kind it is and how full, in a few words."""
        return f"{state.kind}, {len(state.by_key)} keys" if isinstance(state, Entries) else ""


class Registry:
    """The functions of registries; each takes ``self`` first. ``Registry.child("rooms")`` is one among children.

    >>> from jupyter_sandbox.otp import GenServer, Node, Registry, Reply
    >>> class Room(GenServer):
    ...     def handle_call(self, request, caller, topic):
    ...         return Reply((request, topic), topic)
    >>> async def main(self):
    ...     await Registry.start_link(self, "rooms")
    ...     await self.start(Room, "otp", name=Registry.via("rooms", 7))
    ...     return await self.call(Registry.via("rooms", 7), "welcome")
    >>> Node().run_function(main)
    ('welcome', 'otp')
    """

    # --- starting one -------------------------------------------------------------------------------------------------

    @staticmethod
    def child(name: str, kind: str = "unique", listeners: Sequence[Any] = ()) -> Child:
        """The child specification of a registry: ``unique`` keys, or ``duplicate`` ones for many processes each.

        ``listeners`` are names of processes that get Registered and Unregistered messages.
        """
        if kind not in KINDS:
            raise UsageError("kind of registry", kind, allowed=KINDS)
        return Child(RegistryServer, Entries(name, kind, tuple(listeners)), name=name, modules=["Registry"])

    @staticmethod
    async def start_link(ctx: OtpContext, name: str, kind: str = "unique", listeners: Sequence[Any] = ()) -> Pid:
        """Start a registry linked to this process. Raises StartError when the name is taken."""
        spec = Registry.child(name, kind, listeners)
        pid = await ctx.start_link(RegistryServer, spec.argument, name=name)
        assert pid is not None
        return pid

    # --- using one ----------------------------------------------------------------------------------------------------

    @staticmethod
    def via(registry: str, key: Any, value: Any = None) -> Via:
        """The name for the process under a key, to start with and to call."""
        return Via(registry, key, value)

    @staticmethod
    def entries_of(node: Node, registry: str) -> Entries:
        """The entries of a registry by its name. Raises UsageError when there is none."""
        process = node.lookup(registry)
        if process is None or not isinstance(process.state, Entries):
            raise UsageError("registry", registry, hint='start one: Registry.child("names") among the children')
        return process.state

    @staticmethod
    def register(ctx: Context, registry: str, key: Any, value: Any = None) -> None:
        """Register this process under a key. Raises UsageError when a unique key is taken."""
        node = ctx._process.node
        problem = _enter(ctx._process, Registry.entries_of(node, registry), key, value)
        if problem is not None:
            raise UsageError("key", key, hint=problem, kind="already_registered")

    @staticmethod
    def unregister(ctx: Context, registry: str, key: Any) -> None:
        """Give a key of this process up, if it has it."""
        process = ctx._process
        entries = Registry.entries_of(process.node, registry)
        if process.pid in entries.by_key.get(key, ()):
            _leave(process.node, entries, process.pid, key)
        if process.pid not in entries.by_pid:
            relations.unlink(process.node, process, process.node.names[registry])

    @staticmethod
    def lookup(ctx: Context, registry: str, key: Any) -> list[tuple[Pid, Any]]:
        """``(pid, value)`` of the processes under a key, the first registered first."""
        node = ctx._process.node
        found = _living(node, Registry.entries_of(node, registry), key)
        return [(pid, node.copy(value)) for pid, values in found.items() for value in values]

    @staticmethod
    def keys(ctx: Context, registry: str, pid: Pid) -> list[Any]:
        """The keys of a process; in a duplicate registry one for each registration."""
        node = ctx._process.node
        entries = Registry.entries_of(node, registry)
        mine = entries.by_pid.get(pid, {}) if pid in node.processes else {}
        return [key for key in mine for _ in entries.by_key[key][pid]]

    @staticmethod
    def values(ctx: Context, registry: str, key: Any, pid: Pid) -> list[Any]:
        """The values of a process under a key."""
        node = ctx._process.node
        values: list[Any] = node.copy(_living(node, Registry.entries_of(node, registry), key).get(pid, []))
        return values

    @staticmethod
    def update_value(ctx: Context, registry: str, key: Any, function: Callable[[Any], Any]) -> Any:
        """Make ``function(value)`` this process's value of a unique key and return it; None without the key.

        >>> from jupyter_sandbox.otp import Child, Node, Registry, Supervisor
        >>> class Top(Supervisor):
        ...     def init(self, argument):
        ...         return [Registry.child("scores")]
        >>> async def main(self):
        ...     await self.start(Top)
        ...     Registry.register(self, "scores", "ada", 10)
        ...     return Registry.update_value(self, "scores", "ada", lambda score: score + 5)
        >>> Node().run_function(main)
        15
        """
        process = ctx._process
        entries = Registry.entries_of(process.node, registry)
        if entries.kind != "unique":
            raise UsageError("registry", registry, hint="only values of a unique registry can be updated")
        values = entries.by_key.get(key, {}).get(process.pid)
        if values is None:
            return None
        new = function(process.node.copy(values[0]))
        values[0] = process.node.copy(new)
        return new

    @staticmethod
    def count(ctx: Context, registry: str) -> int:
        """How many registrations there are."""
        node = ctx._process.node
        entries = Registry.entries_of(node, registry)
        return sum(len(values) for key in entries.by_key for values in _living(node, entries, key).values())

    @staticmethod
    def dispatch(ctx: Context, registry: str, key: Any, function: Callable[[list[tuple[Pid, Any]]], Any]) -> None:
        """``function(entries)`` with all ``(pid, value)`` under a key, unless there are none: to tell them things.

        >>> from jupyter_sandbox.otp import Node, Registry
        >>> async def main(self):
        ...     await Registry.start_link(self, "rooms", "duplicate")
        ...     Registry.register(self, "rooms", "otp", "teacher")
        ...     Registry.register(self, "rooms", "otp", "student")
        ...     Registry.dispatch(self, "rooms", "otp", lambda found: [self.send(pid, role) for pid, role in found])
        ...     heard = [await self.receive(str), await self.receive(str)]
        ...     facts = Registry.count(self, "rooms"), Registry.keys(self, "rooms", self.pid)
        ...     roles = Registry.values(self, "rooms", "otp", self.pid)
        ...     Registry.unregister(self, "rooms", "otp")
        ...     return heard, facts, roles, Registry.lookup(self, "rooms", "otp")
        >>> Node().run_function(main)
        (['teacher', 'student'], (2, ['otp', 'otp']), ['teacher', 'student'], [])
        """
        found = Registry.lookup(ctx, registry, key)
        if found:
            function(found)


def _living(node: Node, entries: Entries, key: Any) -> dict[Pid, list[Any]]:
    found = entries.by_key.get(key, {})
    return {pid: values for pid, values in found.items() if pid in node.processes}


def _enter(process: Process, entries: Entries, key: Any, value: Any) -> str | None:
    """Note a registration and link with the registry; why not, if it cannot be."""
    node = process.node
    if not _may_be_key(key):
        return f"{short_text(key)} cannot be a key: it may change"
    present = _living(node, entries, key)
    if entries.kind == "unique" and present:
        return f"{short_text(key)} is registered by {next(iter(present))} already"
    key, value = node.copy(key), node.copy(value)
    entries.by_key.setdefault(key, {}).setdefault(process.pid, []).append(value)
    entries.by_pid.setdefault(process.pid, {})[key] = None
    registry = node.processes[node.names[entries.name]]
    if registry is not process:
        relations.join(process, registry)
    _tell(node, entries, Registered(entries.name, key, process.pid, value))
    return None


def _may_be_key(key: Any) -> bool:
    try:
        hash(key)
    except Exception:  # a list says TypeError, a hash function of the user's anything
        return False
    return True


def _leave(node: Node, entries: Entries, pid: Pid, key: Any) -> None:
    """Forget all registrations of a process under a key."""
    del entries.by_key[key][pid]
    if not entries.by_key[key]:
        del entries.by_key[key]
    del entries.by_pid[pid][key]
    if not entries.by_pid[pid]:
        del entries.by_pid[pid]
    _tell(node, entries, Unregistered(entries.name, key, pid))


def _tell(node: Node, entries: Entries, news: Registered | Unregistered) -> None:
    for listener in entries.listeners:
        process = node.lookup(listener)
        if process is not None:
            delivery.deliver(node, process, (INFO, node.copy(news), node.names[entries.name]))
