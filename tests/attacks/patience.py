"""How long an answer may take: a second, on a machine that may have other work to do.

What others make everybody wait for is measured beside, by who does nothing but echo, and taken off; the processor
time of the manager's own thread is no matter of load at all. So that an attack that starves everybody, whoever echoes
too, is not excused by that, nothing is taken off while nearly nobody else uses the processors.
"""

from __future__ import annotations

import array
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PATIENCE_S, WORK_S, ALONE = 1.0, 0.3, 0.1
"""An answer takes less than the first, and the manager works less than the second meanwhile. Others count when they
have this part of what is used of the processors."""
TICKS_S = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Moment:
    """A time, and what had been used of the processors until then: all in seconds."""

    at_s: float
    machine_s: float
    ours_s: float
    worked_s: float
    """By the manager's thread."""

    def others_until(self, end: Moment) -> float:
        """The part of what was used meanwhile that others had."""
        used_s = end.machine_s - self.machine_s
        return 1 - min(1.0, (end.ours_s - self.ours_s) / used_s) if used_s > 0 else 0.0


class Reference:
    """The OS process that echoes; see ``echo.py``."""

    def __init__(self) -> None:
        file, path = tempfile.mkstemp(prefix="echo-")
        os.close(file)
        self._path = Path(path)
        command = [sys.executable, "-I", "-S", str(Path(__file__).with_name("echo.py")), path]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)

    def longest_s(self, begin_s: float, end_s: float) -> float:
        """The longest that an echo took of those that were waited for at some time in between."""
        assert self._process.poll() is None, "whoever echoes has ended"
        return max((to - since for since, to in self._echoes() if since < end_s and to > begin_s), default=0.0)

    def _echoes(self) -> Iterator[tuple[float, float]]:
        """When each was asked for and when it came; the last may still be waited for."""
        noted = array.array("q", self._path.read_bytes())
        if len(noted) % 2:
            noted.append(time.monotonic_ns())
        return zip((since / 1e9 for since in noted[::2]), (to / 1e9 for to in noted[1::2]), strict=True)

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._path.unlink()


class Patience:
    """For one manager: says of a stretch of time whether somebody waited for it longer than load explains."""

    def __init__(self, reference: Reference, thread: threading.Thread) -> None:
        self._reference = reference
        self._clock = time.pthread_getcpuclockid(thread.ident or 0)

    def now(self) -> Moment:
        """To measure from or to."""
        return Moment(time.monotonic(), used_by_all(), used_by_us(), time.clock_gettime(self._clock))

    def too_long(self, begin: Moment, end: Moment, most_s: float = PATIENCE_S) -> str:
        """What is wrong with waiting from begin to end, in words; '' when it is less than ``most_s``, load aside."""
        waited_s = end.at_s - begin.at_s
        if waited_s < most_s:
            return ""
        others, echo_s = begin.others_until(end), self._reference.longest_s(begin.at_s, end.at_s)
        if waited_s - (echo_s if others >= ALONE else 0.0) < most_s:
            return ""
        return (
            f"for {waited_s:.2f} s, not {most_s:g} s; an echo took {echo_s:.2f} s, {others:.0%} of the processors "
            f"went to others, and the manager worked {end.worked_s - begin.worked_s:.2f} s"
        )

    def unanswered(self, begin: Moment, end: Moment) -> str:
        """What is wrong with a question that was asked at the one and answered at the other, in words."""
        if end.worked_s - begin.worked_s >= WORK_S:
            return f"the manager worked {end.worked_s - begin.worked_s:.2f} s during one question"
        why = self.too_long(begin, end)
        return f"the kernel was busy {why}" if why else ""


def used_by_all() -> float:
    """Seconds that all processors have worked, or were lent to other machines by the one beneath."""
    words = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    user, nice, system, _, _, interrupts, soft, stolen = map(int, words[:8])
    return (user + nice + system + interrupts + soft + stolen) * TICKS_S


def used_by_us() -> float:
    """What this kernel and all that descend from it have of it, those included that have ended and been reaped."""
    used_s, threads = _used_by("self"), os.listdir("/proc/self/task")
    found = [pid for thread in threads for pid in _children("self", thread)]
    while found:
        pid = found.pop()
        used_s += _used_by(pid)
        found += _children(pid, pid)
    return used_s


def _children(pid: str, thread: str) -> list[str]:
    try:
        return Path(f"/proc/{pid}/task/{thread}/children").read_text().split()
    except OSError:
        return []


def _used_by(pid: str) -> float:
    """Of one OS process and of those that it has reaped."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, words[11:15])) * TICKS_S
