"""The journal of a live node as bytes, and a fresh guest filled by running it again up to a step.

Entries are pickled one by one and opened only when their turn comes: an entry
may need classes that an earlier entry loads.
"""

from __future__ import annotations

import pickle
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec

from ..model.errors import CompileError, ReplayDivergence, SnapshotError, UsageError
from ..model.text import short_text
from ..model.views import StepView
from ..runtime import Apply, Node, OutsideDone, OutsideWork

if TYPE_CHECKING:
    from .guest import Guest


class Written(msgspec.Struct, frozen=True):
    """A journal on its way: seed, entries, and where the recording ended. ``start`` is a snapshot it begins with."""

    seed: int
    app: str | None
    entries: list[tuple[int, bytes]]
    step: int
    hash: int
    start: bytes = b""
    since: int = 0
    """The step that the recording guest's own log begins with."""
    epoch_ns: int = 0
    """The time of node time 0, as user code was told it."""


def take(node: Node, app: str | None, start: bytes = b"", since: int = 0, epoch_ns: int = 0) -> bytes:
    """The journal so far. Raises SnapshotError that names an input which cannot be written down."""
    entries = [(step, _written(what)) for step, what in node.journal or ()]
    hashed = _unsigned(node.hash)
    return msgspec.msgpack.encode(Written(node.seed, app, entries, node.step_number, hashed, start, since, epoch_ns))


def replay(guest: Guest, blob: bytes, until_step: int) -> StepView | None:
    """Run a journal in a fresh guest up to a step and tell that step.

    Outside work that had not come back by then is begun anew. Raises
    ReplayDivergence when the replay does something else than the recording.
    """
    written = msgspec.msgpack.decode(blob, type=Written)
    node = guest.node
    node.seed = node.hash = written.seed
    guest.surroundings.begin(written.epoch_ns)
    if written.start:
        guest.begin_from(written.start)
        if written.since == node.step_number:
            guest.tell_loaded()
    if until_step < node.step_number:
        hint = f"the recording goes back to step {node.step_number}; what was before has been forgotten"
        raise UsageError("step", until_step, hint=hint)
    end = min(until_step, written.step)
    guest.reporter.silent = True
    pending: dict[int, OutsideWork] = {}
    told: StepView | None = None
    try:
        for step, entry in written.entries:
            if step > end:
                break
            told = _run_to(guest, step, pending) or told
            _admit(guest, pickle.loads(entry), pending)
        told = _run_to(guest, end, pending) or told
    finally:
        guest.reporter.silent = False
        for stream in (sys.stdout, sys.stderr):  # so that what was printed arrives before the answer
            with suppress(Exception):  # user code may have replaced or closed it
                stream.flush()
        guest.reporter.forget_unread()  # the kernel had these events from the recording
    if end == written.step and _unsigned(node.hash) != written.hash:
        raise ReplayDivergence(end, written.hash, _unsigned(node.hash))
    guest.reporter.app = written.app
    guest.clock.jump(node.now_ms, guest.read_ns())
    for work in pending.values():
        guest.start_outside(work)
    return told


def _run_to(guest: Guest, step: int, pending: dict[int, OutsideWork]) -> StepView | None:
    """Run to a step; the last one on the way is told, because it may be the one that was asked for."""
    node, told = guest.node, None
    if node.step_number < step:
        if step - node.step_number > 1:
            node.run(node.now_ms, step - node.step_number - 1)
        told = node.step(node.now_ms)
    if node.step_number != step:
        raise ReplayDivergence(node.step_number, step, node.step_number)
    node.take_replies()
    pending.update({work.id: work for work in node.take_outside()})
    return told


def _admit(guest: Guest, what: Any, pending: dict[int, OutsideWork]) -> None:
    match what:
        case Apply(id=number):
            guest.pending.number_from(number)
        case OutsideDone(id=number):
            pending.pop(number, None)
    try:
        guest.node.admit(what)
    except CompileError:
        pass  # a load that was refused then is refused again, and changes nothing


def _written(what: Any) -> bytes:
    try:
        return pickle.dumps(what, pickle.HIGHEST_PROTOCOL)
    except Exception as error:  # the result of outside work may be anything
        value = short_text(getattr(what, "value", what))
        raise SnapshotError(
            f"the journal holds {value}, which cannot be written down ({error}); "
            "let outside work return plain data to be able to step back over it"
        ) from None


def _unsigned(value: int) -> int:
    """MessagePack has no integers of Python's size."""
    return value & 0xFFFF_FFFF_FFFF_FFFF
