"""What one reading of a guest means: pure judgement of memory, run time and stuck callbacks.

The watchdog reads all guests every 100 ms and asks ``judge``; the verdicts are
life events. Nothing here reads, signals or kills.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..model.limits import DISK_BYTES, DISK_FILES, OPEN_FILES, THREADS, Holdings, Limits
from .life import DiskOver, GivenUp, HandlerOver, LifeEvent, LimitCounted, MemoryOver, RuntimeOver

MEMORY_SLACK = 10_000_000
"""Bytes above max_memory before the guest is killed: the hard limit inside should raise MemoryError there first."""
RETRY_NS = 1_000_000_000
"""Between two attempts to interrupt the same callback; a C call such as a sort lets go after some hundred ms."""
_NOTHING = Holdings()
ATTEMPTS = 2
"""Attempts to interrupt before the guest is killed."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at a guest. ``callback_ns`` is when its running callback began (0: none), on the clock of ``now_ns``;
    ``process`` whose callback it is, in words."""

    now_ns: int
    runtime_ms: int
    memory: int
    callback_ns: int = 0
    process: str = ""
    held: Holdings = _NOTHING


@dataclass(frozen=True, slots=True)
class Watched:
    """What the watchdog remembers of a guest between two readings."""

    memory_told: bool = False
    files_told: bool = False
    stuck_ns: int = 0
    """Start of the callback that attempts were made on."""
    attempts: int = 0
    next_ns: int = 0


def judge(
    watched: Watched, reading: Reading, limits: Limits, generation: int, *, timed: bool = True
) -> tuple[Watched, tuple[LifeEvent, ...]]:
    """What to remember and what happened. ``timed`` is False when nothing runs, so that run time is of no interest.

    >>> judge(Watched(), Reading(0, 400_000, 0), Limits(), 1)[1]
    (RuntimeOver(generation=1, limit_ms=300000),)
    """
    if reading.memory > limits.max_memory + MEMORY_SLACK:
        return watched, (MemoryOver(generation, reading.memory, limits.max_memory, kill=True),)
    if timed and reading.runtime_ms > limits.max_runtime:
        return watched, (RuntimeOver(generation, limits.max_runtime),)
    held = reading.held
    if held.disk > DISK_BYTES or held.files > DISK_FILES:
        return watched, (DiskOver(generation, held.disk, held.files),)
    if held.threads > THREADS:
        return watched, _too_many_threads(held.threads, generation)
    watched, events = _memory(watched, reading, limits, generation)
    watched, of_files = _open_files(watched, held.open_files, generation)
    watched, more = _callback(watched, reading, limits, generation)
    return watched, (*events, *of_files, *more)


def _memory(
    watched: Watched, reading: Reading, limits: Limits, generation: int
) -> tuple[Watched, tuple[LifeEvent, ...]]:
    over = reading.memory > limits.max_memory
    if over and not watched.memory_told:
        told = MemoryOver(generation, reading.memory, limits.max_memory, kill=False)
        return replace(watched, memory_told=True), (told,)
    # Told again only after it went well below, so that a value around the limit is no storm of alerts.
    if watched.memory_told and reading.memory < limits.max_memory * 9 // 10:
        return replace(watched, memory_told=False), ()
    return watched, ()


def _open_files(watched: Watched, open_files: int, generation: int) -> tuple[Watched, tuple[LifeEvent, ...]]:
    """Opening more is an error inside; that it came so far is worth telling, once."""
    if open_files < OPEN_FILES or watched.files_told:
        return watched, ()
    text = f"the sandbox has all of its {OPEN_FILES} files open: opening another one is an error there"
    return replace(watched, files_told=True), (LimitCounted(generation, "files_limit", text),)


def _too_many_threads(threads: int, generation: int) -> tuple[LifeEvent, ...]:
    """Below Python they cost next to no memory, and some ten thousand are all that a machine can number."""
    text = f"the sandbox had {threads} threads and was killed; {THREADS} are allowed"
    return LimitCounted(generation, "threads_limit", text), GivenUp(generation, f"threads: {text}")


def _callback(
    watched: Watched, reading: Reading, limits: Limits, generation: int
) -> tuple[Watched, tuple[LifeEvent, ...]]:
    start = reading.callback_ns
    if start == 0 or reading.now_ns - start <= limits.handler_budget * 1_000_000:
        return (replace(watched, stuck_ns=0, attempts=0) if watched.stuck_ns else watched), ()
    fresh = start != watched.stuck_ns
    if not fresh and reading.now_ns < watched.next_ns:
        return watched, ()
    attempt = 1 if fresh else watched.attempts + 1
    over = HandlerOver(
        generation, attempt, last=attempt > ATTEMPTS, process=reading.process,
        budget_ms=limits.handler_budget,
    )  # fmt: skip
    return replace(watched, stuck_ns=start, attempts=attempt, next_ns=reading.now_ns + RETRY_NS), (over,)
