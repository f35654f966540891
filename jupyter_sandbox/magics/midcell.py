"""Shows what a command in the middle of a cell gives: IPython itself shows only a cell's last value.

Whether a value is looked at, assigned or last is read from the cell's own
syntax, so that ``t = %sandbox tree`` shows nothing and nothing is shown twice.
"""

from __future__ import annotations

import ast
import sys
from functools import lru_cache
from types import FrameType
from typing import Any

from IPython.display import display


def show_unless_last(shell: Any, value: object) -> None:
    """Display ``value`` when the command that made it is a statement of its own and not the cell's last."""
    if value is None:
        return
    frame = _cell_frame(shell)
    if frame is not None and frame.f_lineno in _passed_over(_source(shell)):
        display(value)  # type: ignore[no-untyped-call]


def _cell_frame(shell: Any) -> FrameType | None:
    """The frame of the cell that runs the command, if the command stands in the cell itself."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_globals is shell.user_ns or frame.f_globals is shell.user_module.__dict__:
            return frame if frame.f_code.co_name in ("<module>", "<cell line: 1>") else None
        frame = frame.f_back
    return None


def _source(shell: Any) -> str:
    """The cell that runs, as Python; empty when it is not known."""
    history = shell.user_ns.get("In") or [""]
    try:
        return str(shell.transform_cell(history[-1]))
    except SyntaxError:
        return ""


@lru_cache(maxsize=8)
def _passed_over(source: str) -> frozenset[int]:
    """The lines of commands whose values nobody would see."""
    try:
        body = ast.parse(source).body
    except SyntaxError:
        return frozenset()
    last = body[-1] if body else None
    return frozenset(
        node.lineno
        for statement in body
        for node in ast.walk(statement)
        if isinstance(node, ast.Expr) and node is not last and _is_command(node.value)
    )


def _is_command(value: ast.expr) -> bool:
    return (
        isinstance(value, ast.Call)
        and isinstance(value.func, ast.Attribute)
        and value.func.attr == "run_line_magic"
        and bool(value.args)
        and isinstance(value.args[0], ast.Constant)
        and value.args[0].value == "sandbox"
    )
