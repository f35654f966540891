"""Tables of a node (ETS): values are copied in and out, and a table dies with its owner unless it has an heir."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from .node import Node
    from .process import Process


class TableId(msgspec.Struct, frozen=True):
    """Names one table of a node for ever."""

    number: int

    def __repr__(self) -> str:
        return f"#Table<{self.number}>"


class Tables:
    """All tables of one node."""

    __slots__ = ()

    def owner_died(self, node: Node, process: Process) -> None:
        """Delete the tables of a dead process."""
