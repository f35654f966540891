"""How long an answer may take: a second, on a machine that may have other work to do.

What others make everybody wait for is measured and taken off: by who does nothing but echo, beside; and, as who works
waits longer for a processor than who does next to nothing, by how long the threads of a question stood in line for one,
as Linux counts it. The processor time of the manager's own thread is no matter of load at all. So that an attack that
starves everybody, whoever echoes too, is not excused by that, only the part of others counts, and nothing is taken off
while nearly nobody else uses the processors.
"""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ..waiting import until

PATIENCE_S, WORK_S, ALONE = 1.0, 0.5, 0.1
"""An answer takes less than the first, and the manager works less than the second meanwhile. Others count when they
have this part of what is used of the processors."""


@dataclass(frozen=True)
class Moment:
    """A time, how long the manager's thread had worked until then, and how long it and who asks it had stood in line
    for a processor, in seconds."""

    at_s: float
    worked_s: float
    stood_s: float = 0.0


class Echo(NamedTuple):
    """As ``echo.py`` notes it: nanoseconds, and ticks."""

    asked: int
    came: int
    used_by_all: int
    used_by_us: int


class Load(NamedTuple):
    """What a stretch of time was like for who did nothing but echo."""

    echo_s: float
    """The longest that one took."""
    others: float
    """The part of what was used of the processors that others had."""


class Reference:
    """The OS process that echoes."""

    def __init__(self) -> None:
        file, path = tempfile.mkstemp(prefix="echo-")
        os.close(file)
        self._path = Path(path)
        command = [sys.executable, "-I", "-S", str(Path(__file__).with_name("echo.py")), path]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)

    def load(self, begin: Moment, end: Moment) -> Load:
        """From just before to just after a stretch of time; waits until that is known."""
        begin_ns, end_ns = int(begin.at_s * 1e9), int(end.at_s * 1e9)
        until(lambda: self._echoes()[-1].asked > end_ns, "whoever echoes has ended", within_s=60)
        echoes = self._echoes()
        first = max((one for one in echoes if one.came <= begin_ns), default=echoes[0])
        last = next(one for one in echoes if one.came > end_ns)
        longest = max((one.came - one.asked for one in echoes if one.came > begin_ns and one.asked < end_ns), default=0)
        used, ours = last.used_by_all - first.used_by_all, last.used_by_us - first.used_by_us
        return Load(longest / 1e9, 1 - min(1.0, ours / used) if used > 0 else 0.0)

    def waits_s(self, begin: Moment, end: Moment) -> list[float]:
        """How long each echo took that was asked for in between, the shortest first."""
        begin_ns, end_ns = begin.at_s * 1e9, end.at_s * 1e9
        return sorted((one.came - one.asked) / 1e9 for one in self._echoes() if begin_ns <= one.asked < end_ns)

    def _echoes(self) -> list[Echo]:
        """In the order of time; there is always one, of nothing."""
        return [Echo(0, 0, 0, 0), *map(Echo._make, struct.iter_unpack("@4q", self._path.read_bytes()))]

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._path.unlink()


def stood_in_line_s(thread: int | None) -> float:
    """How long a thread of this OS process was ready to run, and another ran; 0 where Linux does not count that."""
    try:
        return int(Path(f"/proc/self/task/{thread}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0


class Patience:
    """For one manager: says of a stretch of time whether somebody waited for it longer than load explains."""

    def __init__(self, reference: Reference, thread: threading.Thread) -> None:
        self.reference = reference
        self._clock = time.pthread_getcpuclockid(thread.ident or 0)
        self._manager = thread.native_id
        self.judging_s = 0.0
        """How long it has waited, until now, for echoes to judge by."""

    def now(self) -> Moment:
        """To measure from or to."""
        stood_s = stood_in_line_s(self._manager) + stood_in_line_s(threading.get_native_id())
        return Moment(time.monotonic(), time.clock_gettime(self._clock), stood_s)

    def too_long(self, begin: Moment, end: Moment, most_s: float = PATIENCE_S) -> str:
        """What is wrong with waiting from begin to end, in words; '' when it is less than ``most_s``, load aside."""
        waited_s = end.at_s - begin.at_s
        if waited_s < most_s:
            return ""
        began = time.monotonic()
        load = self.reference.load(begin, end)
        self.judging_s += time.monotonic() - began
        stood_s = end.stood_s - begin.stood_s
        if waited_s - (max(load.echo_s, load.others * stood_s) if load.others >= ALONE else 0.0) < most_s:
            return ""
        return (
            f"for {waited_s:.2f} s, not {most_s:g} s; an echo took {load.echo_s:.2f} s, {load.others:.0%} of the "
            f"processors went to others, for which {stood_s:.2f} s were stood in line, and the manager worked "
            f"{end.worked_s - begin.worked_s:.2f} s"
        )

    def unanswered(self, begin: Moment, end: Moment) -> str:
        """What is wrong with a question that was asked at the one and answered at the other, in words."""
        if end.worked_s - begin.worked_s >= WORK_S:
            return f"the manager worked {end.worked_s - begin.worked_s:.2f} s during one question"
        why = self.too_long(begin, end)
        return f"the kernel was busy {why}" if why else ""
