"""Turn errors of sandboxes into what IPython shows: one line for a mistake, lines into the cell for a crash."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from IPython.core.error import UsageError as IPythonUsageError

from ..model.errors import CompileError, Diagnostic, InternalError, NoProcess, SandboxError, UsageError
from ..widgets.safe import clean, line
from .cells import Cells

_RED, _GREEN, _BOLD, _OFF = "\x1b[31m", "\x1b[32m", "\x1b[1m", "\x1b[0m"
MOST_LINES = 60


def shown(error: SandboxError, cells: Cells, *, colour: bool) -> BaseException:
    """The exception to raise in the notebook for an error of a sandbox.

    A mistake in a command becomes IPython's UsageError, shown as one line. Any
    other error stays what it is: with a story (a traceback, diagnostics of a
    compiler) it gets the lines that IPython shows in place of a traceback
    through the manager, without one it is one line, too. A bug of ours keeps
    its traceback.
    """
    lines = _story(error, cells)
    error.args = (cells.label(line(error, 1200)),)  # a saved notebook keeps it, and names no file of this machine
    if isinstance(error, UsageError | NoProcess):
        return IPythonUsageError(str(error))
    if lines or not isinstance(error, InternalError):
        head = f"{type(error).__name__}: {error}"
        attach(error, [*(_paint(text, colour) for text in lines), _head(head, colour)])
    return error


def interrupted(error: KeyboardInterrupt, busy: str, *, colour: bool) -> KeyboardInterrupt:
    """An interrupt of a command on one line: where the kernel happened to wait is of no use to anybody.

    ``busy`` is the sandbox that goes on computing all the same: what is below Python cannot be broken.
    """
    text = "the command was called off; `%sandbox list` shows how things stand"
    if busy:
        text = f"nobody waits any more, but {clean(busy)} still computes; it is ended after handler_budget, or at once "
        text += f"with %sandbox restart {clean(busy)}"
    attach(error, [_head(f"KeyboardInterrupt: {text}", colour)])
    return error


def attach(error: BaseException, lines: list[str]) -> None:
    """Have IPython show these lines for the error."""
    render: Callable[[], list[str]] = lambda: lines  # noqa: E731 - an attribute, looked up by name by IPython
    error._render_traceback_ = render  # type: ignore[attr-defined]


def _story(error: SandboxError, cells: Cells) -> list[str]:
    if isinstance(error, CompileError) and error.diagnostics:
        return [text for diagnostic in error.diagnostics[:10] for text in _complaint(diagnostic, cells)]
    lines = split_lines(getattr(error, "traceback", ()), cells)
    # Without a frame, the error itself says it all.
    return lines if any(text.startswith("  ") for text in lines) else []


def split_lines(traceback: Iterable[str], cells: Cells) -> list[str]:
    """Traceback entries as single lines, bounded, cleaned, with the names of cells."""
    lines = [clean(text, 400) for entry in traceback for text in cells.label(entry).rstrip("\n").split("\n")]
    if len(lines) <= MOST_LINES:
        return lines
    half = MOST_LINES // 2
    return [*lines[:half], f"  … {len(lines) - 2 * half} lines left out …", *lines[-half:]]


def _complaint(diagnostic: Diagnostic, cells: Cells) -> list[str]:
    file = cells.label(diagnostic.file)
    where = f"Cell {file}" if file != diagnostic.file else f'File "{file}"'
    lines = [clean(f"  {where}, line {diagnostic.line}", 400)]
    source = clean(diagnostic.source_line.rstrip("\n"), 400)
    if source:
        lines.append(f"    {source.lstrip()}")
        indent = len(source) - len(source.lstrip())
        lines.append("    " + " " * min(max(0, diagnostic.column - 1 - indent), len(source)) + "^")
    return [*lines, f"{clean(diagnostic.severity, 20)}: {clean(diagnostic.text, 400)}"]


def _head(text: str, colour: bool) -> str:
    name, colon, rest = text.partition(":")
    return f"{_RED}{name}{_OFF}{colon}{rest}" if colour else text


def _paint(text: str, colour: bool) -> str:
    if colour and text.lstrip().startswith(("Cell ", 'File "')):
        return f"{_GREEN}{text}{_OFF}"
    return text
