"""What pickles of a snapshot name instead of copying: the node, its processes and their contexts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from ..runtime import Node
from ..runtime.context import Context
from ..runtime.process import Process

WRITTEN_IN: Final = frozenset({__name__, __name__.rpartition(".")[0] + ".snapshot"})
"""The modules that pickles say ``named`` is in: the second one in those of earlier versions, as ``_named``."""


def by_name() -> dict[type, Callable[[Any], Any]]:
    """For the dispatch table of a pickler: how objects of which classes are named."""
    return {Process: _process, Node: _node, **dict.fromkeys(_with_subclasses(Context), _context)}


def named(kind: str, number: int, of: type[Context] = Context) -> Any:
    """Stands in pickles for what is only named there; reading one puts its own function in this place."""
    raise AssertionError("only a snapshot can be asked for it")


def _with_subclasses(kind: type) -> set[type]:
    return {kind}.union(*map(_with_subclasses, kind.__subclasses__()))


def _process(process: Process) -> Any:
    return named, ("process", process.number)


def _context(context: Context) -> Any:
    process = context._process
    # Of a process that has ended, nothing else in the snapshot tells the class.
    return named, ("context", process.number) if process.alive else ("context", process.number, type(context))


def _node(_: Node) -> Any:
    return named, ("node", 0)
