"""``SandboxManager``: all sandboxes of one kernel, on a thread and loop of its own. Composes; decides nothing."""

from __future__ import annotations

import asyncio
import atexit
import functools
import logging
import os
import re
import threading
import weakref
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from ..isolation.aside import in_thread
from ..isolation.places import resolve
from ..isolation.profiles import PROFILES
from ..model.errors import LaunchFailed, SandboxError, SandboxGone, SnapshotError, UsageError
from ..model.flavour import NAMED, Flavour
from ..model.given import kinds, many, one_of, pairs, path, storable, text, texts, whole
from ..model.given import name_or_id as text_of_id
from ..model.limits import Limits
from ..model.openings import Openings
from ..model.sandbox import Removed, SandboxInfo, SandboxStatus, Update
from ..model.typed import quoted
from ..wire import messages as wire
from . import changing
from .errands import errands_of
from .in_use import InUse
from .life import DestroyAsked, StopBegan
from .looking import sampled
from .loop import CLOSED, ManagerLoop
from .pickles import pack
from .sandbox import Sandbox
from .spares import Spares
from .spec import Main, Spec
from .store import SnapshotInfo, SnapshotStore
from .unit import Unit
from .watchdog import Watchdog
from .zygotes import Zygotes

GOODBYE_MS = 1_000
"""What a destroyed sandbox gets for its terminate callbacks."""
BURIAL_S = 1.0
"""How long the end of a sandbox is waited for, and at the end of the kernel that of all together: how long Linux takes
to give back what one held is in that one's hand. It goes on behind whoever waited."""
LEAST_SEED, MOST_SEED = -(1 << 63), (1 << 64) - 1
"""All that a message to a guest can hold: 64 bits, with a sign or without."""
_NAMES = "use letters, digits, _ - and . (at most 64), beginning with a letter"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]{0,63}")
_LOG = logging.getLogger("jupyter_sandbox")


class SandboxManager:
    """Creates sandboxes and keeps them; every method may be called from any thread.

    >>> manager = SandboxManager(store=":memory:")
    >>> manager.list()
    []
    >>> manager.close()

    ``store`` is the SQLite file for snapshots (default: the user's data folder).
    ``flavour`` names what sandboxes have imported already unless ``create`` says otherwise: plain, or sci (numpy and
    pandas).
    Nothing starts before the first sandbox; ``close`` and the kernel's exit leave nothing running.
    """

    def __init__(self, store: str | Path | None = None, flavour: str = "plain") -> None:
        flavour = one_of("flavour", flavour, NAMED)
        file = None if store is None else path("store", store, "give the path of a file")
        self._in_use = InUse(self)
        self._in_use.begin()
        self.store = SnapshotStore(file, _folder(), _notebook())
        self._flavour = flavour
        self._loop = ManagerLoop()
        self._units: dict[int, Unit] = {}
        self._sandboxes: dict[int, Sandbox] = {}
        self._next_id = 1
        self._destroyed: dict[str, int] = {}
        self._changeable: frozenset[str] = frozenset()
        """What any sandbox was ever allowed to change: links in there may be a sandbox's."""
        self._subscribers: tuple[Callable[[Update], None], ...] = ()
        self._lock = threading.Lock()
        self._naming = threading.Lock()
        self._zygotes: Zygotes | None = None
        self._spares: Spares | None = None
        self._watchdog: Watchdog | None = None
        self._burials: set[asyncio.Task[None]] = set()
        """Of sandboxes that were destroyed and take their time."""
        self._shutting = False
        self._at_exit = functools.partial(_close_at_exit, weakref.WeakMethod(self.close))
        atexit.register(self._at_exit)

    # --- the API ----------------------------------------------------------------------------------------------------

    def create(
        self, name: str | None = None, *, code: object = None, main: str | None = None, args: tuple[object, ...] = (),
        limits: Mapping[str, object] | Limits | None = None, env: Mapping[str, object] | None = None,
        seed: int | None = None, clock: str = "real", isolation: str = "copy", profile: str | None = None,
        allow: Mapping[str, object] | None = None, dependencies: Iterable[str] = (),
        capture: frozenset[str] | None = None, flavour: str | None = None, preimport: str | Iterable[str] = (),
    ) -> Sandbox:  # fmt: skip
        """A new sandbox, with ``code`` loaded and ``main`` started when they are given.

        ``main`` may be a class name alone, or "" for the only class that it can
        be; ``capture`` records only these kinds of events in the analytics.
        ``profile`` is strict, standard, basic or off; left out, the best that this machine has. ``allow`` opens
        by name, in ``standard``: ``{"net": True, "subprocess": True, "read": [...], "write": [...]}``; links in these
        paths are followed now and never again, and a later start is refused when something else has taken their place.
        ``flavour`` "sci" has numpy and pandas imported already, ``preimport`` any modules of the search path; what
        they take does not count against the sandbox's memory. They are imported once, outside of any sandbox.
        Raises UsageError for a taken name or wrong options, PreimportFailed, Unsupported when a profile asked for
        cannot be had, CompileError for the code, LaunchFailed; after any failure or interrupt nothing is left.
        """
        self._loop.must_be_here()
        opened = Openings.merged(allow)
        spec = Spec(
            seed=int.from_bytes(os.urandom(6)) if seed is None else whole("seed", seed, MOST_SEED, LEAST_SEED),
            clock=one_of("clock", clock, ("real", "virtual")),
            isolation=one_of("isolation", isolation, ("copy", "share")),
            flavour=Flavour.of(self._flavour if flavour is None else flavour, preimport),
            profile=_profile(profile, opened),
            env=_packed("env", {} if env is None else pairs("env", env, "give a map of names to values")),
            dependencies=texts("dependencies", dependencies),
            capture=None if capture is None else frozenset(kinds("capture", capture)),
        )
        given = _packed("args", many("args", args, "give a list of arguments"))
        wanted = None if main is None else Main(text("main", main), given)
        called = None if name is None else text("name", name, _NAMES)
        merged = Limits.merged(limits)
        spec = replace(spec, openings=self._opened(opened)) if opened else spec
        return self._loop.run(self._create(called, spec, merged, code, wanted))

    def get(self, name_or_id: str | int) -> Sandbox:
        """The sandbox with this name or id. Raises UsageError that names the known ones, SandboxGone in a fork."""
        found = self._find(name_or_id)
        if found is not None:
            return self._sandboxes[found.life.id]
        wanted = text_of_id("name_or_id", name_or_id)
        names = [unit.name for unit in list(self._units.values())]
        if not names:
            raise UsageError("sandbox", wanted, hint=f"there is none yet: %sandbox create {quoted(wanted)}")
        raise UsageError("sandbox", wanted, allowed=names)

    def list(self) -> list[SandboxInfo]:
        """All sandboxes in the order of their ids, also the crashed ones. Raises SandboxGone in a fork."""
        self._loop.must_be_here()
        return [unit.info() for unit in self._units.copy().values()]

    def refresh(self, name_or_id: str | int | None = None) -> None:
        """Have the counters in ``list`` and ``info`` be those of now, of all sandboxes or of one.

        Guests tell them once a second by themselves. One that does not answer within a tenth of a second keeps those
        that it told last.
        """
        self._loop.must_be_here()
        found = list(self._units.values()) if name_or_id is None else [self._find(name_or_id)]

        async def ask_all() -> None:
            await asyncio.gather(*(sampled(unit) for unit in found if unit is not None))

        if any(found):
            self._loop.run(ask_all())

    def destroy(self, name_or_id: str | int) -> bool:
        """End a sandbox and forget it, its analytics and its snapshots; False when there was none. Idempotent.

        One that takes more than a second to give back what it held goes on doing so behind it.

        Snapshots that cannot be deleted stay, as on a full drive, which is logged as a warning.
        """
        found = self._find(name_or_id)
        if found is None:
            return False
        self._loop.run(self._destroy(found))
        return True

    @property
    def origin(self) -> str:
        """The notebook that snapshots are taken in; empty elsewhere."""
        return self.store.origin

    def stored(self, name: str) -> Iterable[SnapshotInfo]:
        """The snapshots of a sandbox of this name, also when there is none now. Raises SandboxGone in a fork."""
        self._loop.must_be_here()  # before the store: its lock may be held for ever there, and its file is the kernel's
        return self.store.list(storable("name", name, "give the name of a sandbox"))

    def was_destroyed(self, name_or_id: str | int) -> bool:
        """Whether there was such a sandbox once."""
        self._loop.must_be_here()
        return text_of_id("name_or_id", name_or_id) in self._destroyed

    def subscribe(self, receive: Callable[[Update], None]) -> Callable[[], None]:
        """Have every update delivered, in order, on the manager's thread; call the result to end it.

        ``receive`` must be quick and must not wait for the manager.
        """
        self._loop.must_be_here()
        if not callable(receive):
            raise UsageError("receive", receive, hint="give a function that takes an update")
        with self._lock:
            self._subscribers = (*self._subscribers, receive)

        def unsubscribe() -> None:
            with self._lock:
                self._subscribers = tuple(one for one in self._subscribers if one is not receive)

        return unsubscribe

    def close(self) -> None:
        """Kill all sandboxes and end the thread; snapshots stay. Idempotent.

        Takes moments, and some two seconds where sandboxes take longer to give back what they held.
        """
        # A fork of the kernel (multiprocessing) has this object but neither the thread nor the right to kill anything.
        if not self._loop.is_here:
            return
        atexit.unregister(self._at_exit)
        if self._zygotes is not None:
            try:
                self._loop.run(self._shut_down())
            except SandboxError:
                pass  # closed by another thread meanwhile
        self._loop.close()
        self.store.close()
        self._in_use.end()

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called: then it makes no more sandboxes."""
        return self._loop.closed

    def __enter__(self) -> SandboxManager:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _opened(self, openings: Openings) -> Openings:
        """What the user named, looked up once for all guests of the sandbox. Raises UsageError."""
        with self._naming:  # before a sandbox can put a link anywhere, that place is known as one where it can
            found = resolve(openings, self._changeable)
            self._changeable |= frozenset(found.write)
        return found

    # --- on the manager's thread --------------------------------------------------------------------------------------

    async def _create(self, name: str | None, spec: Spec, limits: Limits, code: object, main: Main | None) -> Sandbox:
        unit = self._admit(name, spec, limits)
        try:
            async with unit.lane.turn("it is being created"):
                unit.announce()
                await changing.create(unit, code, main)
        except BaseException:
            self._undo(unit)
            raise
        return self._sandboxes[unit.life.id]

    def _admit(self, name: str | None, spec: Spec, limits: Limits) -> Unit:
        if self._shutting:
            raise SandboxGone(CLOSED)
        if self._zygotes is None or self._spares is None:
            self._zygotes = Zygotes(self._zygote_died)
            self._spares = Spares(self._zygotes)
            self._watchdog = Watchdog(lambda: list(self._units.values()))
        number = self._next_id
        name = self._free_name(f"sandbox_{number}" if name is None else name)
        self._next_id += 1
        unit = Unit(
            number, name, spec, limits,
            spares=self._spares, publish=self._publish, on_forget=self._forget
        )  # fmt: skip
        unit.observed = lambda: bool(self._subscribers)
        if not spec.openings:
            self._spares.keep(unit.kind)
        if self._watchdog is not None:
            unit.on_guest = self._watchdog.wake
        self._sandboxes[number] = Sandbox(unit, self._loop, self.store, self._destroy)
        self._units[number] = unit
        return unit

    def _free_name(self, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise UsageError("name", name, hint=_NAMES)
        if any(unit.name == name for unit in self._units.values()):
            raise UsageError(f"the name {name!r} is taken: %sandbox info {name}, or %sandbox destroy {name}")
        return name

    def _undo(self, unit: Unit) -> None:
        """A creation that failed or was interrupted leaves nothing, not even a used id; snapshots of the name stay."""
        if not unit.life.destroyed:
            unit.dispatch(DestroyAsked())
        if unit.life.id == self._next_id - 1:
            self._next_id -= 1

    async def _destroy(self, unit: Unit) -> None:
        if unit.life.destroyed:
            return
        guest = unit.guest
        await self._say_goodbye(unit)
        if not unit.life.destroyed:
            unit.dispatch(DestroyAsked())
        self._destroyed |= {unit.name: unit.life.id, str(unit.life.id): unit.life.id}
        try:
            await self._forget_snapshots(unit.name)
        except SnapshotError as error:  # the sandbox is gone all the same
            _LOG.warning("sandbox %r is destroyed, but its snapshots stay: %s", unit.name, error)
        if guest is not None and guest.burial is not None:
            self._burials.add(guest.burial)
            guest.burial.add_done_callback(self._burials.discard)
            await asyncio.wait([guest.burial], timeout=BURIAL_S)

    async def _forget_snapshots(self, name: str) -> None:
        try:
            await in_thread(lambda: self.store.forget(name))
        except LaunchFailed:  # there is no thread to be had, and what is left would be found by the next of this name
            self.store.forget(name)

    async def _say_goodbye(self, unit: Unit) -> None:
        """Terminate callbacks run, when nothing is stuck: what does not answer in time is killed."""
        if unit.guest is None or unit.life.status is not SandboxStatus.RUNNING or unit.life.main is None:
            return
        unit.dispatch(StopBegan(unit.guest.generation))
        try:
            await unit.guest.ask(
                lambda number: wire.Shutdown(id=number, grace_ms=GOODBYE_MS), wire.Done, GOODBYE_MS / 1000
            )  # fmt: skip
        except SandboxError:
            pass

    async def _shut_down(self) -> None:
        self._shutting = True
        units, self._units = list(self._units.values()), {}
        if self._watchdog is not None:
            self._watchdog.close()
        guests = [guest for unit in units for guest in (unit.guest, *unit.building) if guest is not None]
        for unit in units:
            unit.dispatch(DestroyAsked())
        ends = {guest.burial for guest in guests if guest.burial is not None} | self._burials
        if self._spares is not None:
            ends.update(self._spares.close())
        if ends:
            await asyncio.wait(ends, timeout=BURIAL_S)
        if self._zygotes is not None:
            await self._zygotes.close()
        errands_of(asyncio.get_running_loop()).close()

    def _forget(self, unit: Unit) -> None:
        self._units.pop(unit.life.id, None)
        self._sandboxes.pop(unit.life.id, None)
        self._trim()
        self._publish(Removed(unit.name, unit.life.id))

    def _trim(self) -> None:
        """What no sandbox uses any more is not kept ready for one."""
        units = list(self._units.values())
        if self._spares is not None and self._zygotes is not None:
            self._spares.trim(unit.kind for unit in units)
            self._zygotes.trim({unit.spec.flavour for unit in units})

    def _zygote_died(self, flavour: Flavour) -> None:
        """Its guests die with it and say so themselves; where its flavour is in use, another one is started."""
        _LOG.warning("the zygote of the %s sandboxes died; another one is started", flavour.name)
        if self._spares is not None:
            self._spares.mend(flavour)

    def _publish(self, update: Update) -> None:
        for receive in self._subscribers:
            try:
                receive(update)
            except BaseException:  # an observer's fault is its own, sys.exit() too: the others and the sandboxes go on
                _LOG.exception("a subscriber of sandbox updates raised")

    def _find(self, name_or_id: str | int) -> Unit | None:
        self._loop.must_be_here()
        wanted = text_of_id("name_or_id", name_or_id)
        known = list(self._units.values())
        return next((unit for unit in known if wanted in (unit.name, str(unit.life.id))), None)


def _folder() -> str:
    """Where this kernel works; '' when the folder is gone."""
    try:
        return os.getcwd()
    except OSError:
        return ""


def _notebook() -> str:
    """The notebook of this kernel, as its server names it; '' elsewhere."""
    return Path(os.environ.get("JPY_SESSION_NAME", "")).name


def _packed(field: str, value: Collection[object]) -> bytes:
    """Nothing at all where there is nothing in it."""
    return pack(value, field) if value else b""


def _profile(profile: str | None, openings: Openings) -> str:
    """Whoever opens something has left ``strict``; below ``standard`` there is nothing to open."""
    profile = None if profile is None else one_of("profile", profile, PROFILES)
    if openings and profile not in (None, "standard"):
        raise UsageError("allow", hint=f"profile {profile!r} opens nothing by name; use profile='standard'")
    return profile or ("standard" if openings else "")


def _close_at_exit(close: weakref.WeakMethod[Callable[[], None]]) -> None:
    act = close()
    if act is not None:
        act()
