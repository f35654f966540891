"""Snapshots of a sandbox: taken from its guest into the store, and built again beside whatever runs then.

The state is bytes of the guest that are kept and never opened here.
"""

from __future__ import annotations

import sys
import time

import msgspec

from ..isolation.aside import in_thread
from ..model.code import Bundle
from ..model.errors import SnapshotError, UsageError
from ..model.harmless import on_one_line
from ..model.sandbox import SandboxStatus
from ..model.typed import quoted
from ..model.views import TreeView
from ..wire import messages as wire
from ..wire.encoding import encode
from . import changing
from .changing import STATE_S
from .loading import admit, modules_of, whole
from .spec import Main
from .store import SnapshotInfo, SnapshotStore
from .unit import Unit

LARGEST = 1 << 53
"""Of a number that a guest tells and that is kept: what every store can hold."""


class SnapshotMeta(msgspec.Struct, frozen=True):
    """What is stored beside a blob for restarts after it: the code of that moment and what was started."""

    python: str
    modules: Bundle
    main: str | None
    args: bytes


async def take(unit: Unit, store: SnapshotStore, name: str) -> SnapshotInfo:
    """Save the state of the system under a name."""
    async with unit.lane.turn("a snapshot of it is being taken"):
        admit(unit, "snapshot")
        taken = await unit.ask(lambda number: wire.TakeSnapshot(id=number), wire.SnapshotBlob, STATE_S)
        if not (0 <= taken.step <= LARGEST and 0 <= taken.processes <= LARGEST):
            told = f"step {taken.step} with {taken.processes} processes"
            raise SnapshotError(f"sandbox {unit.name!r} says that it stands at {told}; nothing was saved")
        main = unit.main or Main("")
        meta = encode(SnapshotMeta(python_tag(), whole(unit), unit.main.name if unit.main else None, main.args))
        info = SnapshotInfo(name, time.time(), taken.step, taken.processes, len(taken.blob))
        await in_thread(lambda: store.save(unit.name, info, meta, taken.blob))
        return info


async def restore(unit: Unit, store: SnapshotStore, name: str) -> TreeView:
    """Build the saved system beside the running one, then switch."""
    async with unit.lane.turn("a snapshot of it is being restored"):
        admit(unit, "restore")
        stored = await in_thread(lambda: store.load(unit.name, name))
        if stored is None:
            known = list(
                dict.fromkeys(on_one_line(info.name, 100) for info in await in_thread(lambda: store.list(unit.name)))
            )
            hint = f"%sandbox snapshot {unit.name} {quoted(name)}"
            if not known:
                raise UsageError(f"sandbox {unit.name!r} has no snapshot {name!r} and no other. Take one: {hint}")
            raise UsageError("snapshot", name, allowed=known, hint=f"Take one: {hint}")
        meta = _read_meta(stored.meta, name)
        paused = unit.life.status is SandboxStatus.PAUSED
        main = Main(meta.main, meta.args) if meta.main else None
        async with changing.Fresh(unit) as guest:
            await unit.ask(
                lambda number: wire.RestoreSnapshot(id=number, blob=stored.blob), wire.Done, STATE_S, guest=guest
            )
            if not paused:
                await unit.ask(lambda number: wire.Resume(id=number), wire.Done, guest=guest)
            await changing.remember_history(unit)
            unit.adopt(guest, paused=paused, main=main)
        unit.modules = modules_of(meta.modules)
        await changing.rewatch(unit)
        return await changing.tree(unit)


def _read_meta(data: bytes, name: str) -> SnapshotMeta:
    try:
        meta = msgspec.msgpack.decode(data, type=SnapshotMeta)
    except msgspec.MsgspecError as error:
        raise SnapshotError(f"snapshot {name!r} cannot be read ({error}); take it again") from error
    if meta.python != python_tag():
        raise SnapshotError(f"snapshot {name!r} was taken with Python {meta.python}; take it again with this one")
    return meta


def python_tag() -> str:
    """Compiled code is only good for the Python that compiled it."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"
