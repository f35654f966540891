"""Look at a module's syntax tree for mistakes that would only show later, inside a running process. Pure."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..model.errors import Diagnostic

_SHAPES = {
    "init": ("self, argument", 2),
    "handle_call": ("self, request, caller, state", 4),
    "handle_cast": ("self, message, state", 3),
    "handle_info": ("self, message, state", 3),
    "handle_continue": ("self, argument, state", 3),
    "terminate": ("self, reason, state", 3),
    "code_change": ("self, old_version, state, extra", 4),
}
"""Callbacks of a GenServer. Only what every server has: the shapes of other behaviours differ."""

_SERVERS = frozenset({"GenServer"})


def validate(tree: ast.Module, file: str, text: str) -> list[Diagnostic]:
    """Warnings about callbacks that cannot work.

    >>> source = "class A(GenServer):\\n    def handle_cast(self, message): ..."
    >>> [d.text for d in validate(ast.parse(source), "a.py", source)]
    ['A.handle_cast is called with (self, message, state): it takes 2 arguments']
    """
    lines = text.split("\n")
    return [
        Diagnostic(file, node.lineno, _column(node, lines), message, lines[node.lineno - 1][:500], "warning")
        for node, message in _complaints(tree)
    ]


def _complaints(tree: ast.Module) -> Iterator[tuple[ast.stmt | ast.expr, str]]:
    for owner in ast.walk(tree):
        if not isinstance(owner, ast.ClassDef) or not any(_name(base) in _SERVERS for base in owner.bases):
            continue
        for method in owner.body:
            if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef):
                yield from _of_callback(owner, method)


def _of_callback(
    owner: ast.ClassDef, method: ast.FunctionDef | ast.AsyncFunctionDef
) -> Iterator[tuple[ast.stmt | ast.expr, str]]:
    shape = _SHAPES.get(method.name)
    if shape is not None and not method.decorator_list and not _takes(method.args, shape[1]):
        count = len(method.args.posonlyargs) + len(method.args.args)
        yield method, f"{owner.name}.{method.name} is called with ({shape[0]}): it takes {count} arguments"
    for node in ast.walk(method):
        if isinstance(node, ast.Call) and _name(node.func) == "time.sleep":
            yield node, "time.sleep stops every process of the sandbox: use `await self.sleep(ms)` in an async handler"


def _takes(arguments: ast.arguments, count: int) -> bool:
    most = len(arguments.posonlyargs) + len(arguments.args)
    return most - len(arguments.defaults) <= count and (count <= most or arguments.vararg is not None)


def _name(node: ast.expr) -> str:
    """``GenServer`` for a name or the last part of ``otp.GenServer``; ``time.sleep`` for a call on a module."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=ast.Name(id="time"), attr="sleep"):
            return "time.sleep"
        case ast.Attribute(attr=name):
            return name
        case _:
            return ""


def _column(node: ast.stmt | ast.expr, lines: list[str]) -> int:
    """1-based column in characters: the tree counts bytes."""
    line = lines[node.lineno - 1].encode("utf-8", "surrogatepass")
    return len(line[: node.col_offset].decode("utf-8", "ignore")) + 1
