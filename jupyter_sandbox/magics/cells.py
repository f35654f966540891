"""Cells that were sent into sandboxes: the file names IPython gives them, and ``In[3]`` in place of those names.

A cell keeps its own line numbers inside a sandbox, so a traceback points at the
line that the user sees.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any

from ..model.sandbox import SandboxInfo

_CLASS = re.compile(r"^class\s+([^\W\d]\w*)\s*(\([^:]*)?", re.MULTILINE)
_FILE = 'File "'
_WARNED = re.compile(r":\d+: \w*Warning\b")
_MAINS = tuple(re.compile(rf"\b{base}\b") for base in ("Application", "Supervisor", r"Gen\w+"))
"""Bases of what a system is started with, the likelier first."""


@dataclass(frozen=True, slots=True)
class Cell:
    """The body of a cell magic, the file name of its cell, and the line of the cell where the body begins."""

    body: str
    file: str
    first_line: int

    @property
    def padded(self) -> str:
        """The body with empty lines before it, so that its line numbers are those of the cell."""
        return "\n" * (self.first_line - 1) + self.body

    def classes(self) -> tuple[str, ...]:
        """Names of the classes at the top level, found by their looks only; the likeliest main comes last."""
        found = _CLASS.findall(self.body)
        found.sort(key=lambda one: len(re.findall(rf"\b{one[0]}\b", self.body)) == 1)  # whom no other uses
        for likely in reversed(_MAINS):
            found.sort(key=lambda one: likely.search(one[1]) is not None)
        return tuple(name for name, _ in found)


class Cells:
    """Names cells as IPython does and remembers which name is which cell."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._labels: dict[str, str] = {}
        self._beginning: str | None = None
        """That of all names, by which they are found."""
        self._lengths: tuple[int, ...] = ()
        """Of the names, the longest first."""

    def enter(self, line: str, body: str) -> Cell:
        """The cell whose magic line and body these are."""
        raw = self._raw(body) or f"%%sandbox {line}\n{body}"
        at = raw.rindex(body)
        number = self._shell.displayhook.prompt_count
        file = str(self._shell.compile.cache(raw, number, raw_code=raw))
        self._remember(file, f"In[{number}]")
        return Cell(body, file, raw.count("\n", 0, at) + 1)

    def _raw(self, body: str) -> str | None:
        """The text of the running cell as it stands in the notebook, if it holds the body."""
        candidates = []
        parent = self._shell.get_parent() if hasattr(self._shell, "get_parent") else {}
        if isinstance(parent, dict):
            candidates.append(parent.get("content", {}).get("code"))
        candidates.append(self._shell.history_manager.input_hist_raw[-1])
        return next((text for text in candidates if isinstance(text, str) and body in text), None)

    def label_printed(self, text: str) -> str:
        """``label`` for what a sandbox has printed: in tracebacks and warnings only, the rest is as it was printed."""
        return self._labelled(text, printed=True)

    def label(self, text: str) -> str:
        """The text with ``In[3]`` in place of file names of cells.

        ``File "…/123.py", line 9`` becomes ``Cell In[3], line 9``, as in IPython's own tracebacks.
        """
        return self._labelled(text, printed=False)

    def _labelled(self, text: str, *, printed: bool) -> str:
        pieces: list[str] = []
        done = 0
        for start, end in self._places(text):
            name = self._labels[text[start:end]]
            if text.endswith(_FILE, done, start) and text.startswith('"', end):
                start, end, name = start - len(_FILE), end + 1, f"Cell {name}"
            elif printed and not _WARNED.match(text, end):
                continue
            pieces += text[done:start], name
            done = end
        return "".join((*pieces, text[done:])) if pieces else text

    def _places(self, text: str) -> Iterator[tuple[int, int]]:
        """Where names stand. The time grows with the text alone, which is a sandbox's, however many cells there are."""
        beginning = self._beginning
        at = -1 if beginning is None else text.find(beginning)
        while beginning is not None and at >= 0:
            end = next((at + size for size in self._lengths if text[at : at + size] in self._labels), 0)
            if end:
                yield at, end
            at = text.find(beginning, end or at + 1)

    def _remember(self, file: str, name: str) -> None:
        self._labels[file] = name
        self._lengths = tuple(sorted({len(file), *self._lengths}, reverse=True))
        before = file if self._beginning is None else self._beginning
        alike = takewhile(lambda pair: pair[0] == pair[1], zip(file, before, strict=False))
        self._beginning = "".join(one for one, _ in alike)

    def labelled(self, info: SandboxInfo) -> SandboxInfo:
        """The facts of a sandbox with the names of cells in what is told in words."""
        return replace(info, reason=self.label(info.reason), alerts=self.labels(info.alerts))

    def labels(self, lines: Iterable[str]) -> tuple[str, ...]:
        """``label`` for many lines."""
        return tuple(self.label(text) for text in lines)
