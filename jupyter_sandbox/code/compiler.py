"""Compile source to marshalled code, with diagnostics that point at the place. Pure; only ever called in a guest."""

from __future__ import annotations

import ast
import marshal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import CodeType

from ..model.code import Bundle, ModuleCode
from ..model.errors import CompileError, Diagnostic
from .validate import validate

AWAIT_ALLOWED = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT


@dataclass(frozen=True, slots=True)
class Compiled:
    """A bundle whose modules all have code, and what the compiler warned of."""

    bundle: Bundle
    warnings: tuple[Diagnostic, ...] = ()


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
    told: list[Diagnostic] = []
    faults: list[Diagnostic] = []
    for module in bundle.modules:
        if module.code:
            done.append(module)
            continue
        try:
            code, warned = compile_module(module)
        except CompileError as error:
            faults += error.diagnostics
        else:
            done.append(code)
            told += warned
    if faults:
        raise _refused(faults)
    return Compiled(replace(bundle, modules=tuple(done)), tuple(told))


def compile_module(module: ModuleCode) -> tuple[ModuleCode, list[Diagnostic]]:
    """The module with its code, and warnings. Lines are counted as in the cell or file it came from.

    >>> module, warned = compile_module(ModuleCode("counter", b"", "n = 1", "counter.py"))
    >>> len(module.code) > 0, warned
    (True, [])
    """
    text = padded(module.source, module.first_line)
    with _diagnosing(module.file, text) as told:
        tree = ast.parse(text, module.file)
        code = compile(tree, module.file, "exec", dont_inherit=True)
    return replace(module, code=marshal.dumps(code)), [*told, *validate(tree, module.file, text)]


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
    """Turn whatever the compiler raises into CompileError; the list receives its warnings when the block ends."""
    told: list[Diagnostic] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield told
        except SyntaxError as error:
            raise _refused([_from_syntax_error(error, file, text)]) from None
        except (ValueError, OverflowError, MemoryError, RecursionError) as error:
            message = str(error) or f"{type(error).__name__}: the code is nested too deeply"
            raise _refused([Diagnostic(file, 1, 1, message)]) from None
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


def _refused(faults: list[Diagnostic]) -> CompileError:
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    message = f"{faults[0]}{more}; correct it and try again; what runs is untouched"
    return CompileError("compilation_failed", message, tuple(faults))
