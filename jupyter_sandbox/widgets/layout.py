"""Tidy tree layout after Reingold and Tilford: parents centred over their children, subtrees packed by contour.

Pure, and as good as linear in the number of nodes. Positions depend on the shape and order
of the tree only, so a redraw after a change of state moves nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

GAP = 1.0
"""Smallest distance between two neighbours of the same depth."""


@dataclass(frozen=True, slots=True)
class Position:
    """``across`` counts siblings (0 is the first), ``depth`` counts generations (0 is a root)."""

    across: float
    depth: int


@dataclass(slots=True)
class _Branch:
    """A laid-out subtree. Contours run from the deepest level to the root's, so a new root is an append."""

    left: list[float] = field(default_factory=list)
    right: list[float] = field(default_factory=list)


def tidy(nodes: Iterable[tuple[str, str | None]]) -> dict[str, Position]:
    """Positions of a forest given as (key, parent key) pairs, a parent before its children.

    A parent that is not in the forest makes its child a root.

    >>> tidy([("a", None), ("b", "a"), ("c", "a")])["a"]
    Position(across=0.5, depth=0)
    """
    children, roots = _families(nodes)
    offsets: dict[str, float] = {}
    branches: dict[str, _Branch] = {}
    for key in reversed(children):
        branches[key] = _grow(children[key], branches, offsets)
    _grow(roots, branches, offsets)
    return _absolute(children, roots, offsets)


def _families(nodes: Iterable[tuple[str, str | None]]) -> tuple[dict[str, list[str]], list[str]]:
    children: dict[str, list[str]] = {}
    roots: list[str] = []
    for key, parent in nodes:
        if key in children:
            continue
        children[key] = []
        if parent is not None and parent in children and parent != key:
            children[parent].append(key)
        else:
            roots.append(key)
    return children, roots


def _grow(children: list[str], branches: dict[str, _Branch], offsets: dict[str, float]) -> _Branch:
    """Place subtrees side by side, then a parent over their middle. ``offsets`` are relative to that parent."""
    placed = _Branch()
    at: list[float] = []
    for child in children:
        branch = branches.pop(child)
        shift = _distance(placed, branch)
        at.append(shift)
        placed = _merge(placed, branch, shift)
    middle = (at[0] + at[-1]) / 2 if at else 0.0
    for child, shift in zip(children, at, strict=True):
        offsets[child] = shift - middle
    return _crown(placed, middle)


def _distance(placed: _Branch, branch: _Branch) -> float:
    levels = min(len(placed.right), len(branch.left))
    shift = 0.0
    for level in range(1, levels + 1):
        shift = max(shift, placed.right[-level] + GAP - branch.left[-level])
    return shift


def _merge(placed: _Branch, branch: _Branch, shift: float) -> _Branch:
    """Contours of both together. Only the shared levels are touched, so a wide tree stays cheap."""
    shared = min(len(placed.left), len(branch.left))
    if len(branch.left) > len(placed.left):
        # Contours hold positions relative to their first child: the taller new branch has to move as a whole.
        left = [value + shift for value in branch.left]
        right = [value + shift for value in branch.right]
        left[len(left) - shared :] = placed.left
        return _Branch(left, right)
    for level in range(1, shared + 1):
        placed.right[-level] = branch.right[-level] + shift
    return placed


def _crown(placed: _Branch, middle: float) -> _Branch:
    """The contours seen from a new root that stands over ``middle``."""
    if middle:
        placed.left = [value - middle for value in placed.left]
        placed.right = [value - middle for value in placed.right]
    placed.left.append(0.0)
    placed.right.append(0.0)
    return placed


def _absolute(children: dict[str, list[str]], roots: list[str], offsets: dict[str, float]) -> dict[str, Position]:
    positions: dict[str, Position] = {}
    stack = [(root, 0.0, 0) for root in reversed(roots)]
    while stack:
        key, base, depth = stack.pop()
        across = base + offsets[key]
        positions[key] = Position(across, depth)
        stack.extend((child, across, depth + 1) for child in reversed(children[key]))
    lowest = min((position.across for position in positions.values()), default=0.0)
    return {key: Position(position.across - lowest, position.depth) for key, position in positions.items()}
