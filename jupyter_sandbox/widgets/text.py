"""The supervision tree as lines of text: for terminals, screen readers and saved notebooks."""

from __future__ import annotations

from ..model.views import ProcessView, TreeView
from .safe import line
from .status import budget, details, look, queue_and_restarts

MOST = 500
"""Lines of processes in one text; the rest is counted."""


NOTHING = "no process runs"


def text_tree(tree: TreeView, most: int = MOST) -> str:
    """The tree as text, one line per process.

    >>> print(text_tree(TreeView("shop", 3, 0, (ProcessView("a", "<0.1.0>", "a", "worker", "m.A", "waiting"),))))
    shop · step 3 · 1 process
    ◌ a  A · waiting
    """
    kinds = sum(1 for process in tree.processes if process.pid is not None)
    lines = [f"{line(tree.sandbox)} · step {tree.step} · {count(kinds, 'process', 'processes')}"]
    shown = tree.processes[:most]
    lines += [prefix + process_line(process) for prefix, process in _with_branches(shown)]
    if not tree.processes:
        lines.append(NOTHING)
    if len(tree.processes) > most:
        lines.append(f"… and {len(tree.processes) - most} more")
    return "\n".join(lines)


def process_line(process: ProcessView) -> str:
    """``● front  Counter · 0 · running · ↻ 1``."""
    parts = [line(details(process), 120), look(process.status).word, budget(process), queue_and_restarts(process)]
    text = " · ".join(part for part in parts if part)
    return f"{look(process.status).glyph} {line(process.name, 60)}  {text}"


def count(number: int, one: str, many: str) -> str:
    """``1 process``, ``2 processes``."""
    return f"{number} {one if number == 1 else many}"


def _with_branches(processes: tuple[ProcessView, ...]) -> list[tuple[str, ProcessView]]:
    known = {process.key for process in processes}
    last = {_parent(process, known): process.key for process in processes}
    rails: dict[str | None, str] = {None: ""}
    lines = []
    for process in processes:
        parent = _parent(process, known)
        rail = rails.get(parent, "")
        is_last = last[parent] == process.key
        if parent is None:
            prefix, rails[process.key] = "", ""
        else:
            prefix = rail + ("└─ " if is_last else "├─ ")
            rails[process.key] = rail + ("   " if is_last else "│  ")
        lines.append((prefix, process))
    return lines


def _parent(process: ProcessView, known: set[str]) -> str | None:
    return process.parent if process.parent in known else None
