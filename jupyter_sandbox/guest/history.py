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
from ..replay.course import Companion, Course
from ..runtime import Apply, OutsideDone, OutsideWork, SetLimits
from ..wire.encoding import encode
from .too_large import MOST, long_journal, no_memory_for_journal
from .tracebacks import one_line

if TYPE_CHECKING:
    from .guest import Guest

_COPIES = 4
"""Of a journal on its way, at most: packed, framed and cut into pieces. Asked for beforehand: where memory ends later,
the answer is lost and the sandbox with it."""


class Written(msgspec.Struct, frozen=True):
    """A journal on its way: seed, entries, and where the recording ended. ``start`` is a snapshot it begins with."""

    seed: int
    app: str | None
    entries: list[tuple[int, bytes]]
    step: int
    hash: int
    course: Course
    limits: tuple[int, int]
    """Of processes and of mailboxes, as they were when the journal began."""
    start: bytes = b""
    begins: int = 0
    """The step before its first one."""
    after: str = ""
    """What was interrupted before that, if it begins because of it."""
    since: int = 0
    """The step that the recording guest's own log begins with."""
    epoch_ns: int = 0
    """The time of node time 0, as user code was told it."""


def take(guest: Guest) -> bytes:
    """The journal so far. Raises SnapshotError that names an input which cannot be written down, TooLarge."""
    node, start = guest.node, guest.start
    hashed = _unsigned(node.hash)
    try:
        entries = [(step, _written(what)) for step, what in node.journal or ()]
        bytearray(_COPIES * (len(start) + sum(len(entry) for _, entry in entries)))
        course, limits = Course.of(node), node.first_limits
        written = Written(
            node.seed, guest.reporter.app, entries, node.step_number, hashed, course, limits, start,
            guest.journal_room.begins, guest.journal_room.begins_after, guest.since, guest.surroundings.epoch_ns,
        )  # fmt: skip
        blob = encode(written)
    except MemoryError:
        raise no_memory_for_journal(node.name) from None
    if len(blob) > MOST:
        raise long_journal(len(blob), node.name)
    return blob


def replay(guest: Guest, blob: bytes, until_step: int) -> StepView | None:
    """Run a journal in a fresh guest up to a step and tell that step.

    Outside work that had not come back by then is begun anew. Raises
    ReplayDivergence when the replay does something else than the recording.
    """
    written = msgspec.msgpack.decode(blob, type=Written)
    if until_step < written.begins:
        raise _too_early(written, until_step, guest.node.name)
    node = guest.node
    node.seed = node.hash = written.seed
    node.max_processes, node.max_mailbox = written.limits
    node.longest = min(node.longest, node.max_mailbox)
    node.begin_journal()
    guest.surroundings.begin(written.epoch_ns)
    if written.start:
        guest.begin_from(written.start)
        if written.since == node.step_number:
            guest.tell_loaded()
    guest.journal_room.begins_after = written.after
    end = min(until_step, written.step)
    companion = Companion(written.course, node)
    guest.reporter.silent = True
    pending: dict[int, OutsideWork] = {}
    told: StepView | None = None
    try:
        for step, entry in written.entries:
            if step > end:
                break
            told = _run_to(guest, step, pending, companion) or told
            _admit(guest, pickle.loads(entry), pending)
        told = _run_to(guest, end, pending, companion) or told
    finally:
        guest.reporter.silent = False
        for stream in (sys.stdout, sys.stderr):  # so that what was printed arrives before the answer
            with suppress(Exception):  # user code may have replaced or closed it
                stream.flush()
        guest.reporter.forget_unread()  # the kernel had these events from the recording
    if end == written.step and _unsigned(node.hash) != written.hash:
        raise ReplayDivergence(end, written.hash, _unsigned(node.hash))
    _limit_as_now(guest)
    guest.reporter.app = written.app
    guest.clock.jump(node.now_ms, guest.read_ns())
    for work in pending.values():
        guest.start_outside(work)
    return told


def _too_early(written: Written, step: int, sandbox: str) -> UsageError:
    """What was before the journal began has been forgotten: why, and what to do instead."""
    since, most = f"the recording goes back to step {written.begins}", written.step - written.begins
    why = f": it begins after {written.after}, which cannot be done again" if written.after else ""
    back = f"%sandbox back {sandbox} {most} goes there, " if most else "that is where it stands; "
    hint = f"{since}{why}; {back}and what was saved before is in %sandbox snapshots {sandbox}"
    return UsageError("step", step, hint=hint)


def _limit_as_now(guest: Guest) -> None:
    """What is done from here on is no past: it has the limits that the sandbox has now."""
    node, limits = guest.node, guest.boot.limits
    now = limits.max_processes, limits.max_mailbox
    if now != (node.max_processes, node.max_mailbox):
        node.admit(SetLimits(*now))


def _run_to(
    guest: Guest, step: int, pending: dict[int, OutsideWork], companion: Companion
) -> StepView | None:  # fmt: skip
    """Run to a step; the last one on the way is told, because it may be the one that was asked for."""
    node, told = guest.node, None
    if node.step_number < step:
        if step - node.step_number > 1:
            node.run(node.now_ms, step - node.step_number - 1)
        told = node.step(node.now_ms)
    companion.look()
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
    except MemoryError:
        raise
    except BaseException as error:  # the result of outside work may be anything
        value = short_text(getattr(what, "value", what))
        raise SnapshotError(
            f"the journal holds {value}, which cannot be written down ({one_line(error)}); "
            "let outside work return plain data to be able to step back over it"
        ) from None


def _unsigned(value: int) -> int:
    """MessagePack has no integers of Python's size."""
    return value & 0xFFFF_FFFF_FFFF_FFFF
