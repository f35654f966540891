"""Names and aliases: what a process can be reached by besides its pid. Both end with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model.ids import Ref
from . import delivery
from .process import Process

if TYPE_CHECKING:
    from .node import Node

NO_NAMES = frozenset({"", "undefined"})
"""What nobody can be called."""
KEPT = "explicit_unalias"
ALIAS_ENDS = (KEPT, "demonitor", delivery.REPLY_DEMONITOR)


def register(node: Node, name: str, process: Process) -> str | None:
    """Give a process a name. None, or why it cannot be (``erlang:register`` says badarg)."""
    if name in node.names:
        return f"the name {name!r} is taken by {node.names[name]}"
    if process.name is not None:
        return f"{process.pid} is registered as {process.name!r} already"
    if name in NO_NAMES:
        return f"{name!r} cannot be a name"
    node.names[name] = process.pid
    process.name = name
    process.lineage = None
    return None


def unregister(node: Node, name: str) -> bool:
    """Take a name away; False when nobody has it."""
    pid = node.names.pop(name, None)
    if pid is None:
        return False
    process = node.processes[pid]
    process.name = process.lineage = None
    return True


def make_alias(node: Node, process: Process, ref: Ref, until: str = KEPT) -> None:
    """From now on messages to ``ref`` reach the process, ``until`` it is taken away, the monitor ends, or one came."""
    if process.aliases is None:
        process.aliases = {}
    process.aliases[ref] = until
    node.aliases[ref] = process.pid


def drop_alias(node: Node, process: Process, ref: Ref) -> bool:
    """Messages to ``ref`` are dropped from now on."""
    if process.aliases is None or process.aliases.pop(ref, None) is None:
        return False
    node.aliases.pop(ref, None)
    return True
