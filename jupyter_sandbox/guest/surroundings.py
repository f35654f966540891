"""The time and the chance that user code meets: the node's clock and the sandbox's seed, the same in every replay.

Served is code that was loaded into the sandbox, while a process or a load runs
it: ``time``, ``datetime.now``, ``date.today``, ``random``, ``uuid``, ``secrets``,
``os.urandom``. Never served are the runtime, work outside (other threads) and
libraries: their waits would not end in a time that stands still during a step.
What they read is a fence, to be reached through ``await self.outside(...)`` where a replay matters.
"""

from __future__ import annotations

import datetime
import functools
import os
import random
import sys
import time
import uuid
from _thread import get_ident  # threading takes a while to load, and most sandboxes never need it
from collections.abc import Callable
from typing import Any, Final

from ..runtime import Node
from .static_types import set_static
from .uuids import MAKERS

CLOCK: Final = "clock"
"""In the node's globals, so that snapshots have it: the time (ns since 1970) of node time 0, and the latest reading."""
_LOOK_NS: Final = 1_000
"""What every reading advances the clock by: a loop that polls it ends, and no two readings are equal."""
_THROUGH: Final = frozenset({__name__, "random", "secrets", "uuid"})
"""Modules that only pass on what their caller asks for."""
_BY_VALUE: Final = frozenset({"__cell__", "__main__"})
"""Where the code of ``%%sandbox exec`` and of functions that were sent in a message says it lives."""


class Surroundings:
    """One guest's. ``install`` puts it in place of Python's own functions, ``uninstall`` puts those back.

    ``serve`` hands it to another node of the same guest: installing costs more than all the rest of a guest's making.
    """

    def __init__(self, node: Node, loaded: Callable[[str], bool], epoch_ns: int) -> None:
        self._thread = get_ident()
        self._loading: dict[str, random.Random] | None = None
        """Random streams by module, while modules are loaded: the same at every load."""
        self._undo: list[Callable[[], object]] = []
        self.serve(node, loaded, epoch_ns)

    def serve(self, node: Node, loaded: Callable[[str], bool], epoch_ns: int) -> None:
        """From now on be those of this node and of its code, whose modules ``loaded`` knows."""
        self.node, self._loaded = node, loaded
        if self._undo:
            self._see_loading()
        self.begin(epoch_ns)

    def begin(self, epoch_ns: int) -> None:
        """Say when node time 0 was: of a recording, for a replay of it."""
        self.node.globals[CLOCK] = [epoch_ns, 0]

    @property
    def epoch_ns(self) -> int:
        """When node time 0 was."""
        return int(self.node.globals[CLOCK][0])

    def install(self) -> None:
        """Serve the code of this node from now on."""
        for module, changes in ((time, self._times()), (random, self._draws()), (uuid, self._uuids())):
            for name, function in changes.items():
                self._replace(module, name, _named(function, module, name))
        for module, name in ((os, "urandom"), (os, "getrandom"), (random, "_urandom")):
            if hasattr(module, name):
                self._replace(module, name, _named(self._bytes(getattr(module, name)), module, name))
        self._replace(random.Random, "__init__", self._seeding(random.Random.__init__))
        moments = (
            (datetime.datetime, "now", self._now),
            (datetime.datetime, "utcnow", self._utcnow),
            (datetime.date, "today", self._today),
        )
        for kind, name, make in moments:
            plain = vars(kind)[name]
            if set_static(kind, name, classmethod(make(plain))):
                self._undo.append(functools.partial(set_static, kind, name, plain))
        self._see_loading()

    def _see_loading(self) -> None:
        loader = self.node.loader
        self.node.loader = None if loader is None else self._while_loading(loader)

    def uninstall(self) -> None:
        """Leave everything as it was."""
        while self._undo:
            self._undo.pop()()

    def _replace(self, place: Any, name: str, value: Any) -> None:
        before = getattr(place, name)
        setattr(place, name, value)
        self._undo.append(lambda: setattr(place, name, before))

    def _while_loading(self, loader: Callable[..., None]) -> Callable[..., None]:
        def load(bundle: Any, options: dict[str, Any]) -> None:
            self._loading = {}
            try:
                loader(bundle, options)
            finally:
                self._loading = None

        return load

    # --- who is served ----------------------------------------------------------------------------------------------

    def _served(self) -> str:
        """The module of the user's that asks; empty when somebody else does, or nobody runs it in the node."""
        if get_ident() != self._thread or (self.node.current is None and self._loading is None):
            return ""
        frame = sys._getframe(1)
        while frame is not None:
            name = frame.f_globals.get("__name__", "")
            if name not in _THROUGH:
                return name if name in _BY_VALUE or self._loaded(name) else ""
            frame = frame.f_back  # type: ignore[assignment]
        return ""

    def _stream(self) -> random.Random | None:
        """The random stream of whoever asks: its process's own, or its module's while that is loaded."""
        name = self._served()
        if not name:
            return None
        if self.node.current is not None:
            found: random.Random = self.node.current.context.random
            return found
        assert self._loading is not None
        if name not in self._loading:
            self._loading[name] = self.node.random_stream(f"module {name}")
        return self._loading[name]

    # --- time -------------------------------------------------------------------------------------------------------

    def _reading(self) -> int:
        """Nanoseconds since node time 0. It never goes back, and stands still but for the looks at it."""
        clock = self.node.globals[CLOCK]
        now = max(self.node.now_ms * 1_000_000, clock[1])
        clock[1] = now + _LOOK_NS
        return int(now)

    def _wall(self) -> int:
        reading = self._reading()
        return int(self.node.globals[CLOCK][0]) + reading

    def _times(self) -> dict[str, Callable[..., Any]]:
        changes: dict[str, Callable[..., Any]] = {}
        for name, read in (("time", self._wall), ("monotonic", self._reading), ("perf_counter", self._reading)):
            changes[name] = self._either(getattr(time, name), functools.partial(_seconds, read))
            changes[f"{name}_ns"] = self._either(getattr(time, f"{name}_ns"), read)
        for name in ("localtime", "gmtime", "ctime"):
            changes[name] = self._defaulting(getattr(time, name), 0, lambda: self._wall() / 1e9)
        broken_down = time.localtime
        for name, place in (("asctime", 0), ("strftime", 1)):
            changes[name] = self._defaulting(getattr(time, name), place, lambda: broken_down(self._wall() / 1e9))
        return changes

    def _either(self, plain: Callable[[], Any], served: Callable[[], Any]) -> Callable[[], Any]:
        return lambda: served() if self._served() else plain()

    def _defaulting(self, plain: Callable[..., Any], place: int, served: Callable[[], Any]) -> Callable[..., Any]:
        """A function of ``time`` whose argument number ``place`` is now unless it is given."""

        def call(*args: Any) -> Any:
            missing = len(args) == place or (len(args) == place + 1 and args[place] is None)
            return plain(*args[:place], served()) if missing and self._served() else plain(*args)

        return call

    def _now(self, plain: Any) -> Callable[..., Any]:
        def now(cls: Any, tz: Any = None) -> Any:
            return self._moment(cls, tz) if self._served() else plain.__get__(None, cls)(tz)

        return now

    def _utcnow(self, plain: Any) -> Callable[..., Any]:
        def utcnow(cls: Any) -> Any:
            if not self._served():
                return plain.__get__(None, cls)()
            return self._moment(cls, datetime.UTC).replace(tzinfo=None)

        return utcnow

    def _today(self, plain: Any) -> Callable[..., Any]:
        """It asks ``time.time``, but from Python 3.15 on the C library."""

        def today(cls: Any) -> Any:
            return cls.fromtimestamp(self._wall() / 1e9) if self._served() else plain.__get__(None, cls)()

        return today

    def _moment(self, cls: Any, tz: Any) -> Any:
        seconds, rest = divmod(self._wall(), 1_000_000_000)
        return cls.fromtimestamp(seconds, tz).replace(microsecond=rest // 1_000)

    # --- chance -----------------------------------------------------------------------------------------------------

    def _draws(self) -> dict[str, Callable[..., Any]]:
        """The functions of ``random`` that share its hidden generator."""
        hidden = random.random.__self__  # type: ignore[attr-defined]
        shared = [name for name, value in vars(random).items() if getattr(value, "__self__", None) is hidden]
        return {name: self._draw(name, hidden) for name in shared}

    def _draw(self, name: str, hidden: random.Random) -> Callable[..., Any]:
        def draw(*args: Any, **options: Any) -> Any:
            return getattr(self._stream() or hidden, name)(*args, **options)

        return draw

    def _bytes(self, plain: Callable[..., bytes]) -> Callable[..., bytes]:
        def draw(size: int, *flags: int) -> bytes:
            stream = self._stream()
            return plain(size, *flags) if stream is None else stream.randbytes(size)

        return draw

    def _seeding(self, plain: Callable[..., None]) -> Callable[..., None]:
        """A generator that is made without a seed gets one from the stream."""

        def seeded(generator: random.Random, x: Any = None) -> None:
            stream = self._stream() if x is None else None
            plain(generator, x if stream is None else stream.getrandbits(64))

        return seeded

    def _uuids(self) -> dict[str, Callable[..., Any]]:
        """The functions of ``uuid`` that remember what they made, or ask the C library."""
        return {name: self._uuid(getattr(uuid, name), make) for name, make in MAKERS.items() if hasattr(uuid, name)}

    def _uuid(self, plain: Callable[..., uuid.UUID], make: Callable[..., uuid.UUID]) -> Callable[..., uuid.UUID]:
        def made(*args: Any, **options: Any) -> uuid.UUID:
            stream = self._stream()
            return plain(*args, **options) if stream is None else make(self._wall, stream.getrandbits, *args, **options)

        return made


def _named(function: Any, module: Any, name: str) -> Any:
    """A function that stands where another stood is saved in a snapshot as that one is: by its name."""
    function.__module__, function.__name__, function.__qualname__ = module.__name__, name, name
    return function


def _seconds(read: Callable[[], int]) -> float:
    return read() / 1e9
