"""Who took the newest steps, and the rolling hash that takes them in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .node import Node

FOLD: Final = 4_096
"""Steps that the rolling hash takes in at once. It is part of what the hash is: changing it changes every hash."""


def fold(node: Node) -> None:
    """Take whole lots of steps into the digest; where a slice was cut makes no difference."""
    trail = node.trail
    while len(trail) >= FOLD:
        node.lot = trail[:FOLD]
        node.digest = hash((node.digest, *node.lot))
        node.folded += FOLD
        if node.journal is not None:
            node.lots.append((node.folded, node.digest))
        del trail[:FOLD]
