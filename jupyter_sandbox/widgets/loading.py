"""What a load changed: modules, processes that moved, and the difference to the version before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ..model.errors import Diagnostic
from ..model.views import ModuleVersion
from .result import Result
from .safe import PRE, block, clean, escape, line
from .text import count

_MOST = 10
"""Warnings shown; a module that has more has one of them many times."""
_WARNING = "#b7791f"


class Report(Protocol):
    """The manager's report of a load."""

    @property
    def versions(self) -> tuple[ModuleVersion, ...]: ...
    @property
    def moved(self) -> int: ...
    @property
    def diff(self) -> str: ...
    @property
    def elapsed_ms(self) -> float: ...
    @property
    def modules(self) -> tuple[str, ...]: ...
    @property
    def warnings(self) -> tuple[Diagnostic, ...]: ...
    @property
    def kept(self) -> tuple[str, ...]: ...


class Loaded(Result):
    """The result of ``module`` and ``load``; ``report`` holds the manager's own."""

    __slots__ = ("label", "next_step", "report", "sandbox")

    def __init__(
        self, report: Report, sandbox: str, next_step: str = "", label: Callable[[str], str] = str
    ) -> None:  # fmt: skip
        self.report, self.sandbox, self.next_step, self.label = report, sandbox, next_step, label

    def summary(self) -> str:
        """``counter is version 2 in shop · 3 processes moved to it with their state · 12 ms``."""
        numbers = {version.module: version.version for version in self.report.versions if version.current}
        names = [f"{name} version {numbers[name]}" if name in numbers else name for name in self.report.modules]
        parts = [f"loaded {', '.join(names) or 'nothing'} into {self.sandbox}"]
        if self.report.moved:
            parts.append(f"{count(self.report.moved, 'process', 'processes')} went on in the new code with their state")
        return line(" · ".join([*parts, f"{self.report.elapsed_ms:.0f} ms"]), 400)

    def warnings(self) -> list[str]:
        """``warning: In[2] line 7: time.sleep stops the whole sandbox``, one line each."""
        found = self.report.warnings
        places = [(one, f"{self.label(one.file)} line {one.line}") for one in found[:_MOST]]
        told = [line(f"{one.severity}: {where}: {one.text}", 400) for one, where in places]
        told += [f"{len(found) - _MOST} more warnings"] if len(found) > _MOST else []
        return told + [line(f"warning: {text}", 500) for text in self.report.kept[:_MOST]]

    def text(self) -> str:
        parts = [self.summary(), *self.warnings(), clean(self.report.diff.rstrip(), 20_000)]
        parts.append(f"next: {self.next_step}" if self.next_step else "")
        return "\n".join(part for part in parts if part)

    def html(self) -> str:
        follow_up = f"<p>next: <code>{escape(self.next_step)}</code></p>" if self.next_step else ""
        diff = _coloured(self.report.diff) if self.report.diff else ""
        odd = "".join(f'<p style="color:{_WARNING}">{escape(text, 400)}</p>' for text in self.warnings())
        return f"<div><p>{escape(self.summary(), 400)}</p>{odd}{diff}{follow_up}</div>"


def _coloured(diff: str) -> str:
    lines = [_line(text) for text in clean(diff.rstrip(), 20_000).split("\n")]
    return f"{PRE}{chr(10).join(lines)}</pre>"


def _line(text: str) -> str:
    shown = block(text, 2_000)
    if text.startswith(("+++", "---", "@@")):
        return f'<span style="opacity:.7">{shown}</span>'
    if text.startswith("+"):
        return f'<span style="color:#2e9e5b">{shown}</span>'
    if text.startswith("-"):
        return f'<span style="color:#d64545">{shown}</span>'
    return shown
