"""Which lines of two texts are the same, found in a time that grows with their number alone. Pure.

``difflib`` looks at every line together with every line that equals it, so that
a text of few different lines, such as a table or a drawing, takes it a time
that grows with the square and more. Here the lines that occur once on both
sides come first, as in Bram Cohen's "patience diff"; ``difflib`` gets what is
left between two of them, as long as that is small.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

MOST_PAIRS = 250_000
"""Of lines that are compared each with each, altogether: beyond, what lies in between counts as changed."""
_Pair = tuple[int, int]


def matching(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int, int]]:
    """Blocks of equal lines in ascending order, each with its place in ``old``, in ``new``, and its length.

    >>> matching(["a", "b", "c"], ["x", "b", "c"])
    [(1, 1, 2)]
    """
    blocks: list[tuple[int, int, int]] = []
    for left, right in _same(old, new):
        if blocks and (left, right) == (blocks[-1][0] + blocks[-1][2], blocks[-1][1] + blocks[-1][2]):
            blocks[-1] = (*blocks[-1][:2], blocks[-1][2] + 1)
        else:
            blocks.append((left, right, 1))
    return blocks


def _same(old: Sequence[str], new: Sequence[str]) -> Iterator[_Pair]:
    """Pairs of places of equal lines, both ascending."""
    pairs, left, right = MOST_PAIRS, 0, 0
    for anchor in (*_anchors(old, new), (len(old), len(new))):
        if anchor < (left, right) or anchor[1] < right:
            continue  # it is in the common end of the gap before
        ahead, behind = _ends(old, new, (left, right), anchor)
        yield from ((left + n, right + n) for n in range(ahead))
        low, high = (left + ahead, right + ahead), (anchor[0] - behind, anchor[1] - behind)
        size = (high[0] - low[0]) * (high[1] - low[1])
        if 0 < size <= pairs:
            pairs -= size
            yield from _compared(old, new, low, high)
        yield from ((anchor[0] - n, anchor[1] - n) for n in range(behind, 0, -1))
        left, right = anchor


def _anchors(old: Sequence[str], new: Sequence[str]) -> list[_Pair]:
    """Places of lines that occur once on each side: of those the most that are in the same order on both."""
    once = {line for line, count in Counter(old).items() if count == 1}
    once &= {line for line, count in Counter(new).items() if count == 1}
    places = {line: place for place, line in enumerate(new) if line in once}
    return _ascending([(place, places[line]) for place, line in enumerate(old) if line in once])


def _ascending(pairs: Sequence[_Pair]) -> list[_Pair]:
    """The longest part of ``pairs`` whose second numbers ascend, as the first ones do (by patience sorting)."""
    piles: list[int] = []
    tops: list[int] = []
    before: list[int] = []
    for number, (_, right) in enumerate(pairs):
        pile = bisect_left(piles, right)
        before.append(tops[pile - 1] if pile else -1)
        piles[pile : pile + 1], tops[pile : pile + 1] = [right], [number]
    chosen, number = [], tops[-1] if tops else -1
    while number >= 0:
        chosen.append(pairs[number])
        number = before[number]
    return chosen[::-1]


def _ends(old: Sequence[str], new: Sequence[str], low: _Pair, high: _Pair) -> _Pair:
    """How many lines are the same at the beginning of a gap, and then at its end."""
    room = min(high[0] - low[0], high[1] - low[1])
    ahead = behind = 0
    while ahead < room and old[low[0] + ahead] == new[low[1] + ahead]:
        ahead += 1
    while behind < room - ahead and old[high[0] - behind - 1] == new[high[1] - behind - 1]:
        behind += 1
    return ahead, behind


def _compared(old: Sequence[str], new: Sequence[str], low: _Pair, high: _Pair) -> Iterator[_Pair]:
    matcher = SequenceMatcher(None, old[low[0] : high[0]], new[low[1] : high[1]], autojunk=False)
    for left, right, length in matcher.get_matching_blocks():
        yield from ((low[0] + left + n, low[1] + right + n) for n in range(length))
