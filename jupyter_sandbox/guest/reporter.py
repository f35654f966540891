"""Hears everything that happens in the node: keeps the log, and tells the user at once what must not be missed."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from ..model.errors import NoProcess
from ..model.views import Event, WhyView
from ..otp import inspect
from ..runtime import Node
from ..runtime.process import Process
from ..runtime.storytelling import who
from ..trace.log import EventLog
from ..wire import messages as m
from .failures import crash_in, reason_lines, reason_text
from .met import limit_met
from .tracebacks import source_line

_PER_PERIOD: Final = 50
"""Notices between two samples; a crash loop makes thousands, and the log has them all."""
_LEVELS: Final = {"debug": "info", "info": "info", "notice": "info", "warning": "warning"}
_FRAME = re.compile(r'  File "(.*)", line (\d+), in ')


class Reporter:
    """The node's sink. ``push`` sends a frame that nobody asked for, or drops it when the kernel is behind."""

    def __init__(self, push: Callable[[Any], bool], wanted: frozenset[str] | None = None) -> None:
        self.log = EventLog(wanted=wanted)
        self.node: Node | None = None
        self.silent = False
        """During a replay everything happens again, but it is no news."""
        self.app: str | None = None
        self._push = push
        self._told = 0
        self._suppressed = 0
        self._alerts: set[str] = set()
        self._gave_up = ""
        """What the main supervisor had to say when it gave up: its exit reason is only ``shutdown``."""

    def sink(self, kind: str, process: Process, data: Any) -> None:
        """Note an event of the node."""
        self.log(kind, process, data)
        if self.silent:
            return
        match kind:
            case "crash":
                self._crash(process, data[1])
            case "log":
                self._tell(_LEVELS.get(data[0], "error"), data[1], _name(process), logged=data[0])
            case "limit":
                self._alert(process, data)
            case "supervisor_gave_up":
                self._tell("error", f"supervisor {who(process.node, process.pid)} {data.decision}", _name(process))
                above = None if process.parent is None else process.node.processes.get(process.parent)
                if above is not None and above.hidden:
                    self._gave_up = f"{_name(process)} {data.decision}"
            case "application_stop":
                name, reason, normal = data
                if name == self.app:
                    told = (
                        self._gave_up
                        if type(reason) is str and reason == "shutdown" and self._gave_up
                        else reason_text(reason)
                    )
                    self._push(m.MainExited(app=name, reason=told, normal=normal))

    def code_loaded(self, text: str) -> None:
        """A module came, or came anew."""
        if self.node is not None:
            self.log.note("code_load", self.node.step_number, self.node.now_ms, ("", ""), text)

    def warn(self, text: str) -> None:
        """Tell the user something that no process has to do with."""
        self._tell("warning", text, "")

    @property
    def dropped(self) -> int:
        """Events that the log has lost."""
        return self.log.dropped

    def new_period(self) -> None:
        """Allow notices again, and say how many were not shown."""
        if self._suppressed:
            text = f"{self._suppressed} more messages were not shown; `%sandbox events` has them"
            self._push(m.Notice(level="warning", text=text))
        self._told = self._suppressed = 0
        self._alerts.clear()

    def events(self, limit: int, kinds: tuple[str, ...], target: str | None) -> list[Event]:
        """The newest events, newest first, of these kinds and about this process."""
        return self.log.newest(limit, kinds, () if target is None else self._names(target))

    def events_of(self, process: Process, limit: int) -> tuple[Event, ...]:
        """The newest events about one process."""
        return tuple(self.log.newest(limit, (), (repr(process.pid),)))

    def why(self, target: str, limit: int) -> list[WhyView]:
        """The newest decisions about a process, with the lines of code their tracebacks mean.

        Raises NoProcess when there is no such process and never was a decision about one.
        """
        found = self.log.history.why(self._names(target) if target else (), limit)
        if not found and target and self.node is not None:
            inspect.find(self.node, target)
        return [replace(entry, traceback=_with_sources(entry.traceback)) for entry in found]

    def take_decisions(self) -> list[WhyView]:
        """The decisions of supervisors since last asked, oldest first."""
        fresh = self.log.history.take_unread()
        return [replace(entry, traceback=_with_sources(entry.traceback)) for entry in fresh]

    def forget_unread(self) -> None:
        """The kernel knows all this already."""
        self.log.take_unread()
        self.log.history.take_unread()

    def _names(self, target: str) -> tuple[str, ...]:
        names = {target, target.rpartition("/")[2]}
        try:
            process = inspect.find(self.node, target) if self.node is not None else None
        except NoProcess:
            process = None  # it may be dead by now
        if process is not None:
            names |= {repr(process.pid), process.name or target}
        return tuple(sorted(names))

    def _crash(self, process: Process, reason: Any) -> None:
        name = _name(process)
        self._tell(
            "error", f"{who(process.node, process.pid)} crashed: {reason_text(reason)}", name, reason_lines(reason)
        )
        crash = crash_in(reason)
        if crash is not None:
            self.refused(f"{name} crashed", crash.error, crash.text, process.node.name)

    def refused(self, what: str, error: str, text: str, sandbox: str) -> None:
        """Something ended with an error, which may mean that a limit was met."""
        met = limit_met(error, text, sandbox)
        if met is not None and not self.silent:
            self._raise(met[0], f"{what}: {met[1]}")

    def _alert(self, process: Process, data: tuple[str, int | str]) -> None:
        limit, allowed = data
        if isinstance(allowed, str):  # it is in words already
            text = allowed
        elif limit == "process_limit":
            text = (
                f"the sandbox has all of its {allowed} processes: stop some, or "
                f"`%sandbox limits {process.node.name} --max-processes {2 * allowed}`"
            )
        else:
            text = (
                f"{_name(process)} was stopped: over {allowed} messages waited for it; see `%sandbox events`, or "
                f"`%sandbox limits {process.node.name} --max-mailbox {2 * allowed}`"
            )
        self._raise(limit, text)

    def _raise(self, limit: str, text: str) -> None:
        """Once until the next sample: who meets a limit mostly meets it again."""
        if limit not in self._alerts:
            self._alerts.add(limit)
            self._push(m.Alert(limit=limit, message=text))

    def _tell(self, level: str, text: str, process: str, traceback: list[str] | None = None, logged: str = "") -> None:
        if self._told >= _PER_PERIOD:
            self._suppressed += 1
            return
        self._told += 1
        told = m.Notice(level=level, text=text[:2_000], process=process, traceback=traceback or [], logged=logged)
        self._push(told)


def _name(process: Process) -> str:
    return who(process.node, process.pid)


def _with_sources(lines: tuple[str, ...]) -> tuple[str, ...]:
    told: list[str] = []
    for line in lines:
        told.append(line)
        frame = _FRAME.match(line)
        source = source_line(frame[1], int(frame[2])) if frame else ""
        if source:
            told.append(f"    {source}")
    return tuple(told)
