"""Compile source to marshalled code, with diagnostics that point at the place. Pure; only ever called in a guest."""

from __future__ import annotations

import ast
import marshal
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import CodeType
from typing import Final

from ..model.code import Bundle, ModuleCode
from ..model.errors import CompileError, Diagnostic
from .faults import FAULTS, WARNINGS, refused
from .uncollected import uncollected
from .validate import validate

AWAIT_ALLOWED = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT


@dataclass(frozen=True, slots=True)
class Compiled:
    """A bundle whose modules all have code, and what the compiler warned of."""

    bundle: Bundle
    warnings: tuple[Diagnostic, ...] = ()


MOST_CODE: Final = 16_000_000
"""Bytes of one compiled module: five times what four megabytes of ordinary source come to."""
_AT_ONCE: Final = 4_000_000


@dataclass(slots=True)
class Taken:
    """What became of the first of some modules; ``codes`` has as many entries as there were taken."""

    codes: list[bytes] = field(default_factory=list)
    """Empty for one that had its code, and for one that cannot be compiled."""
    faults: list[Diagnostic] = field(default_factory=list)
    refused: int = 0
    warnings: list[Diagnostic] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class CellCode:
    """A cell for ``exec``: its statements, and its last expression when it ends with one."""

    body: CodeType
    last: CodeType | None


def compile_bundle(bundle: Bundle) -> Compiled:
    """Compile every module that has no code yet.

    Raises CompileError (compilation_failed) with one diagnostic for each module that cannot be compiled.
    """
    done: list[ModuleCode] = []
    all_of_it = Taken()
    while len(done) < len(bundle.modules):
        rest = bundle.modules[len(done) :]
        taken = compile_first(rest)
        done += map(ModuleCode.compiled, rest, taken.codes)
        all_of_it.faults += taken.faults
        all_of_it.refused += taken.refused
        all_of_it.warnings += taken.warnings
    if all_of_it.refused:
        raise refused(all_of_it.faults, all_of_it.refused)
    return Compiled(replace(bundle, modules=tuple(done)), tuple(all_of_it.warnings[:WARNINGS]))


def compile_first(modules: Sequence[ModuleCode], enough: Callable[[], bool] = lambda: False) -> Taken:
    """Compile modules until ``enough`` says so or there is a lot of code: at least one of them."""
    taken, size = Taken(), 0
    for module in modules:
        if taken.codes and (size > _AT_ONCE or enough()):
            break
        code = b""
        if not module.code:
            try:
                compiled, warned = compile_module(module)
                code = compiled.code
                taken.warnings += warned[: WARNINGS - len(taken.warnings)]
            except CompileError as error:
                taken.refused += 1
                taken.faults += error.diagnostics[: FAULTS - len(taken.faults)]
        taken.codes.append(code)
        size += len(code)
    return taken


def compile_module(module: ModuleCode) -> tuple[ModuleCode, list[Diagnostic]]:
    """The module with its code, and warnings. Lines are counted as in the cell or file it came from.

    >>> module, warned = compile_module(ModuleCode("counter", b"", "n = 1", "counter.py"))
    >>> len(module.code) > 0, warned
    (True, [])
    """
    text = padded(module.source, module.first_line)
    with _diagnosing(module.file, text) as told:
        tree = ast.parse(text, module.file)
        code = marshal.dumps(compile(tree, module.file, "exec", dont_inherit=True))
    if len(code) > MOST_CODE:
        size = f"it has {len(code) / 1e6:.0f} MB when it is compiled, and a module may have {MOST_CODE // 1_000_000}"
        raise refused([Diagnostic(module.file, 1, 1, f"{size}: divide it")], 1)
    return replace(module, code=code), [*told, *validate(tree, module.file, text)]


def compile_cell(source: str, file: str) -> CellCode:
    """The two parts of a cell that is executed: ``await`` is allowed at its top level.

    >>> compile_cell("a = 1; a + 1", "<cell>").last is None
    False
    """
    with _diagnosing(file, source):
        tree = ast.parse(source, file)
        body, last = tree.body, None
        if body and isinstance(body[-1], ast.Expr):
            last = compile(
                ast.Expression(body[-1].value), file, "eval", flags=AWAIT_ALLOWED, dont_inherit=True
            )  # fmt: skip
            body = body[:-1]
        statements = ast.Module(body, [])
        return CellCode(compile(statements, file, "exec", flags=AWAIT_ALLOWED, dont_inherit=True), last)


def padded(source: str, first_line: int) -> str:
    """The source with empty lines before it, so that its line numbers are those of the cell."""
    return "\n" * (first_line - 1) + source


@contextmanager
def _diagnosing(file: str, text: str) -> Iterator[list[Diagnostic]]:
    """Turn whatever the compiler raises into CompileError; the list receives its warnings when the block ends.

    What is collected meanwhile may parse something, too, as asyncio does to tell of a task that failed; CPython 3.11.7
    then takes its own count for wrong and raises SystemError (gh-106905).
    """
    told: list[Diagnostic] = []
    with warnings.catch_warnings(record=True) as caught, uncollected():
        warnings.simplefilter("always")
        try:
            yield told
        except SyntaxError as error:
            raise refused([_from_syntax_error(error, file, text)], 1) from None
        except MemoryError:
            message = "MemoryError: there is no memory left to compile it (see max_memory), or it is nested too deeply"
            raise refused([Diagnostic(file, 1, 1, message)], 1) from None
        except (ValueError, OverflowError, RecursionError) as error:
            message = str(error) or f"{type(error).__name__}: the code is nested too deeply"
            raise refused([Diagnostic(file, 1, 1, message)], 1) from None
    told += [
        Diagnostic(file, warning.lineno, 1, str(warning.message), _line(text, warning.lineno), "warning")
        for warning in caught
        if issubclass(warning.category, SyntaxWarning | DeprecationWarning)
    ]


def _from_syntax_error(error: SyntaxError, file: str, text: str) -> Diagnostic:
    line = max(error.lineno or 1, 1)
    column = max(error.offset or 1, 1)
    return Diagnostic(file, line, column, f"{type(error).__name__}: {error.msg}", _line(text, line))


def _line(text: str, number: int) -> str:
    lines = text.split("\n")
    return lines[number - 1].rstrip("\r")[:500] if 1 <= number <= len(lines) else ""
