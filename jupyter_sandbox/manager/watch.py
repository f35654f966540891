"""What one reading of a guest means: pure judgement of memory, run time and stuck callbacks.

The watchdog reads all guests every 100 ms and asks ``judge``; the verdicts are
life events. Nothing here reads, signals or kills.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..model.limits import (
    DISK_BYTES,
    DISK_FILES,
    FILE_SIZE,
    MANY_FILES,
    OPEN_FILES,
    THREADS,
    TOP_LEVEL_MS,
    WATCHES,
    Holdings,
    Limits,
)  # fmt: skip
from .life import DiskOver, GivenUp, HandlerOver, LifeEvent, LimitCounted, MemoryOver, RuntimeOver

MEMORY_SLACK = 10_000_000
"""Bytes above max_memory before the guest is killed: the hard limit inside should raise MemoryError there first."""
RETRY_NS = 1_000_000_000
"""Between two attempts to interrupt the same callback; a C call such as a sort lets go after some hundred ms."""
_NOTHING = Holdings()
HEADLESS = "its main thread has ended, and others went on: nothing of what they hold could be seen"
KEPT = "its threads kept Linux busy with its files or memory maps, so that looking at it took more than a second"
KEPT_ALL = (
    "its threads kept Linux busy with folders that all share, so that looking at sandboxes took more than a second"
)
DUMP_NS = 50_000_000
"""From when a callback is found stuck until it is interrupted, so that the line where it hangs is told with that."""
ATTEMPTS = 2
"""Attempts to interrupt before the guest is killed."""


def meanwhile(process: str) -> str:
    """What a guest did when it was ended from outside, as it says.

    >>> meanwhile("cart <0.7.0>"), meanwhile("")
    (' in a callback of cart <0.7.0>', '')
    """
    return f" in a callback of {process}" if process else ""


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
    importing: bool = False
    """Whether it is the top level of a module or our own work on a load, as the guest says, while it loads."""
    stopped: bool = False
    """Whether a signal keeps it from going on; looked at only while a callback runs for long."""
    headless: bool = False
    """Whether its first thread has ended alone, so that neither memory nor files of it can be seen."""
    kept: str = ""
    """How it kept those who were sent to look at it for too long, in words."""
    deaf: bool = False
    """Whether its first thread waits for another one: ``callback_ns`` is since when."""
    most: int = 0
    """Bytes that it had at its most, also between two looks."""
    waits: bool = False
    """Whether its first thread waits and cannot say what for, which may be another thread."""
    changing: bool = False
    """Whether it is no callback but the change of a process to new code, as the guest says."""

    @property
    def callback_ms(self) -> int:
        """How long the running callback has run, which nobody can for longer than the guest has lived; 0: none."""
        if not self.callback_ns:
            return 0
        return max(0, min(self.runtime_ms, (self.now_ns - self.callback_ns) // 1_000_000))


@dataclass(frozen=True, slots=True)
class Watched:
    """What the watchdog remembers of a guest between two readings."""

    memory_told: bool = False
    all_told: bool = False
    """That it has had as good as all of its memory."""
    files_told: bool = False
    file_told: bool = False
    stuck_ns: int = 0
    """Start of the callback that was found stuck; it is asked where it hangs before attempts are made on it."""
    attempts: int = 0
    next_ns: int = 0
    process: str = ""
    """Whose callback it was said to be at the first attempt."""


def judge(
    watched: Watched, reading: Reading, limits: Limits, generation: int, *, timed: bool = True, limited: bool = True
) -> tuple[Watched, tuple[LifeEvent, ...]]:
    """What to remember and what happened. ``timed`` is False when nothing runs, so that run time is of no interest;
    ``limited`` when the operating system limits its files, which is only then worth telling.

    >>> judge(Watched(), Reading(0, 400_000, 0), Limits(), 1)[1]
    (RuntimeOver(generation=1, limit_ms=300000),)
    """
    if reading.headless:
        return watched, (GivenUp(generation, HEADLESS),)
    if reading.kept:
        text = reading.kept + meanwhile(reading.process)
        return watched, (LimitCounted(generation, "hang", text, ends=True), GivenUp(generation, f"hang: {text}"))
    if reading.memory > limits.max_memory + MEMORY_SLACK:
        return watched, (MemoryOver(generation, reading.memory, limits.max_memory, True, reading.process),)
    if timed and reading.runtime_ms > limits.max_runtime:
        return watched, (RuntimeOver(generation, limits.max_runtime),)
    held = reading.held
    if held.disk > DISK_BYTES or held.files > DISK_FILES or held.unseen:
        return watched, (DiskOver(generation, held.disk, held.files, reading.process, held.unseen),)
    if held.threads > THREADS:
        text = f"the sandbox had {_threads(held)} and was killed; {THREADS} are allowed"
        return watched, _too_many(text, "threads", generation, reading.process)
    if held.open_files > MANY_FILES:
        text = f"the sandbox had more open files than the {MANY_FILES:,} that are allowed, and was killed"
        return watched, _too_many(text, "files", generation, reading.process)
    if held.waited:
        text = f"threads of the sandbox waited for {held.waited:,} files at one time, closed ones among them, and it "
        text += f"was killed; {held.most_waited:,} are allowed"
        return watched, _too_many(text, "files", generation, reading.process)
    if held.watches > WATCHES:
        text = f"the sandbox had more watches of epoll than the {WATCHES:,} that are allowed, and was killed"
        return watched, _too_many(text, "watches", generation, reading.process)
    watched, events = _memory(watched, reading, limits, generation)
    watched, of_files = _files(watched, held, generation) if limited else (watched, ())
    watched, more = _callback(watched, reading, limits, generation)
    return watched, (*events, *of_files, *more)


def as_good_as(memory: int) -> int:
    """What is told as all of it: that more was refused is to be seen by nobody, and it was mostly asked for in pieces.

    >>> as_good_as(50_000_000)
    47500000
    """
    return memory * 95 // 100


def _memory(
    watched: Watched, reading: Reading, limits: Limits, generation: int
) -> tuple[Watched, tuple[LifeEvent, ...]]:
    over = reading.memory > limits.max_memory
    if over and not watched.memory_told:
        told = MemoryOver(generation, reading.memory, limits.max_memory, False, reading.process)
        return replace(watched, memory_told=True, all_told=True), (told,)
    # Told again only after it went well below, so that a value around the limit is no storm of alerts.
    if watched.memory_told and reading.memory < limits.max_memory * 9 // 10:
        watched = replace(watched, memory_told=False)
    if (reading.most >= as_good_as(limits.max_memory)) == watched.all_told:
        return watched, ()
    watched = replace(watched, all_told=not watched.all_told)
    had_all = MemoryOver(generation, reading.most, limits.max_memory, False, reading.process, over=False)
    return watched, (had_all,) if watched.all_told else ()


def _files(watched: Watched, held: Holdings, generation: int) -> tuple[Watched, tuple[LifeEvent, ...]]:
    watched, of_all = _open_files(watched, held.open_files, generation)
    watched, of_one = _file_size(watched, held.largest, generation)
    return watched, (*of_all, *of_one)


def _open_files(watched: Watched, open_files: int, generation: int) -> tuple[Watched, tuple[LifeEvent, ...]]:
    """Opening more is an error inside; that it came so far is worth telling, once."""
    if open_files < OPEN_FILES or watched.files_told:
        return watched, ()
    text = f"the sandbox has all of its {OPEN_FILES} files open: opening another one is an error there; close those "
    text += "that are done with, as `with open(...)` does"
    return replace(watched, files_told=True), (LimitCounted(generation, "files_limit", text),)


def _file_size(watched: Watched, largest: int, generation: int) -> tuple[Watched, tuple[LifeEvent, ...]]:
    """Writing more to it is an error inside, too."""
    if (largest >= FILE_SIZE) == watched.file_told:
        return watched, ()
    told = replace(watched, file_told=not watched.file_told)
    text = f"a file of the sandbox has all of the {FILE_SIZE // 1_000_000} MB that one may have: more is an error there"
    text += "; write several files"
    return told, (LimitCounted(generation, "file_limit", text, seen=True),) if told.file_told else ()


_UNSEEN = {
    "depth": "filled its folder with folders in folders, so deep that not all can be looked at",
    "maps": "has so many memory maps that not all can be looked at, and deleted files may be among them",
    "closed": "keeps itself, or a program of it, from being looked into (not dumpable, see prctl(2), or a program that "
    "cannot be read), and deleted files and shared memory may be hidden there",
}


def disk_text(used: int, files: int, unseen: str = "") -> str:
    """What it has too much of.

    >>> disk_text(112_000_000, 12)
    'filled its folder with 112 MB in 12 files (100 MB are allowed)'
    >>> disk_text(0, 2_001)
    'filled its folder with more than the 2000 files that are allowed'
    """
    if used > DISK_BYTES:
        return f"filled its folder with {used / 1e6:.0f} MB in {files} files ({DISK_BYTES // 1_000_000} MB are allowed)"
    if unseen and files <= DISK_FILES:
        return _UNSEEN[unseen]
    return f"filled its folder with more than the {DISK_FILES} files that are allowed"


def _threads(held: Holdings) -> str:
    programs = f" (those of its {held.programs} programs among them)" if held.programs else ""
    return f"{held.threads} threads{programs}"


def _too_many(text: str, what: str, generation: int, process: str) -> tuple[LifeEvent, ...]:
    """Threads below Python cost next to no memory, and some ten thousand are all that a machine can number. Open files
    keep whoever looks at them; above the most they are not counted to the end. Watches are the user's as a whole."""
    text += f" ({meanwhile(process).strip()})" if process else ""
    return LimitCounted(generation, f"{what}_limit", text, ends=True), GivenUp(generation, f"{what}: {text}")


def _callback(
    watched: Watched, reading: Reading, limits: Limits, generation: int
) -> tuple[Watched, tuple[LifeEvent, ...]]:
    start = reading.callback_ns
    budget_ms = max(limits.handler_budget, TOP_LEVEL_MS) if reading.importing else limits.handler_budget
    if start == 0 or reading.now_ns - start <= budget_ms * 1_000_000:
        return (replace(watched, stuck_ns=0, attempts=0) if watched.stuck_ns else watched), ()
    if start != watched.stuck_ns:
        asked = replace(watched, stuck_ns=start, attempts=0, next_ns=reading.now_ns + DUMP_NS, process=reading.process)
        return asked, ()
    if reading.now_ns < watched.next_ns:
        return watched, ()
    attempt = watched.attempts + 1
    process = reading.process or watched.process
    over = HandlerOver(
        generation, attempt, last=attempt > ATTEMPTS, process=process,
        budget_ms=budget_ms, importing=reading.importing, stopped=reading.stopped, deaf=reading.deaf,
        changing=reading.changing, waits=reading.waits,
    )  # fmt: skip
    after = replace(
        watched, attempts=attempt, next_ns=reading.now_ns + RETRY_NS, process=process
    )  # fmt: skip
    return after, (over,)
