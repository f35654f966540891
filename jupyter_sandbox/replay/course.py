"""The course of a recording: who took which step, as far as a node still knows. A replay is held against it on the way.

A node notes who took its newest steps anyway, and the hash of each whole lot of older ones: nothing is noted for this.
"""

from __future__ import annotations

import msgspec

from ..model.errors import ReplayDivergence
from ..runtime import Node
from ..runtime.trail import fold


class Course(msgspec.Struct, frozen=True):
    """Of one recording; it can be written down, and no number in it is larger than MessagePack's."""

    lots: list[tuple[int, int]]
    """How many steps there were at the end of a whole lot, and the hash then."""
    since: int
    """The step before the first one of ``newest``."""
    newest: list[int]
    """The numbers of the processes that took the newest steps, at least a whole lot of them if there were so many."""

    @classmethod
    def of(cls, node: Node) -> Course:
        """What a node has done so far."""
        fold(node)
        lots = [(steps, _unsigned(digest)) for steps, digest in node.lots]
        return cls(lots, node.folded - len(node.lot), [*node.lot, *node.trail])


class Companion:
    """Goes along with a node that replays a recording; ``look`` as often as you like, each step is compared once."""

    def __init__(self, course: Course, node: Node) -> None:
        self._course, self._node = course, node
        self._lots = dict(course.lots)
        self._seen, self._seen_lots = node.step_number, len(node.lots)

    def look(self) -> None:
        """Raises ReplayDivergence when what was done since the last look is not what was recorded."""
        node, course = self._node, self._course
        fold(node)
        for steps, digest in node.lots[self._seen_lots :]:
            expected = self._lots.get(steps)
            if expected is not None and expected != _unsigned(digest):
                raise ReplayDivergence(steps, expected, _unsigned(digest))
        self._seen_lots = len(node.lots)
        first, last = max(self._seen, course.since, node.folded - len(node.lot)), node.step_number
        self._seen = last
        if first < last:
            wanted, done = course.newest[first - course.since : last - course.since], _since(node, first)
            if wanted != done:
                same = next(place for place, pair in enumerate(zip(wanted, done, strict=True)) if pair[0] != pair[1])
                raise ReplayDivergence(first + same + 1, _hashed(wanted[: same + 1]), _hashed(done[: same + 1]))


def _since(node: Node, step: int) -> list[int]:
    """Who took the steps after this one, which is none before the newest whole lot."""
    if step >= node.folded:
        return node.trail[step - node.folded :]
    return [*node.lot[step - node.folded :], *node.trail]


def _hashed(steps: list[int]) -> int:
    return _unsigned(hash(tuple(steps)))


def _unsigned(value: int) -> int:
    return value & 0xFFFF_FFFF_FFFF_FFFF
