"""What changed between two versions of the same modules, as a unified diff of bounded size, in bounded time. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import Match, SequenceMatcher

from ..model.code import Bundle
from .matching import matching

_MAX_LINES = 400
_MAX_WIDTH = 500
"""Characters of a line that are shown."""
MOST_COMPARED = 200_000
"""Lines that are compared, before and now together, of all modules: each costs the kernel time."""


def difference(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """Unified diff of sources by module name; '' when nothing changed.

    >>> print(difference({"counter": "n = 1"}, {"counter": "n = 2"}))
    --- counter (before)
    +++ counter (now)
    @@ -1 +1 @@
    -n = 1
    +n = 2

    A module that is new is not shown: there is nothing to compare it with. One
    that is too long to be compared is named with its lines before and now.
    """
    shown: list[str] = []
    more, room = 0, MOST_COMPARED
    for module in sorted(module for module in after if before.get(module, after[module]) != after[module]):
        then, now = _plain(before[module]), _plain(after[module])
        lines = _count(then) + _count(now)
        told = list(_changes(module, _lines(then), _lines(now))) if lines <= room else [_too_long(module, then, now)]
        room -= lines if lines <= room else 0
        fit = max(0, _MAX_LINES - len(shown))
        shown += [_narrow(line) for line in told[:fit]]
        more += len(told[fit:])
    return "\n".join([*shown, f"... {more} more lines"] if more else shown)


def sources(bundle: Bundle) -> dict[str, str]:
    """The sources of a bundle by module; modules that came compiled are left out."""
    return {module.name: module.source for module in bundle.modules if module.source}


def _plain(text: str) -> str:
    """With one kind of end of a line, as Python reads it; ``splitlines`` knows a dozen more, which end none there."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _count(text: str) -> int:
    return text.count("\n") + 1


def _lines(text: str) -> list[str]:
    lines = text.split("\n")
    return lines if lines[-1] else lines[:-1]


def _too_long(module: str, before: str, after: str) -> str:
    return f"--- {module} changed: {_count(before):_} lines before and {_count(after):_} now, too many to compare here"


class _Matched(SequenceMatcher[str]):
    """Groups changes with the lines around them as ``difflib`` does, from blocks that were found in less time."""

    def __init__(self, old: Sequence[str], new: Sequence[str]) -> None:
        super().__init__()
        self._old, self._new = old, new

    def get_matching_blocks(self) -> list[Match]:
        found = matching(self._old, self._new)
        return [*(Match(*block) for block in found), Match(len(self._old), len(self._new), 0)]


def _changes(module: str, old: Sequence[str], new: Sequence[str]) -> Iterator[str]:
    if old == new:
        return
    matcher = _Matched(old, new)
    yield from (f"--- {module} (before)", f"+++ {module} (now)")
    for group in matcher.get_grouped_opcodes():
        yield f"@@ -{_range(group[0][1], group[-1][2])} +{_range(group[0][3], group[-1][4])} @@"
        for kind, *span in group:
            if kind == "equal":
                yield from (f" {line}" for line in old[span[0] : span[1]])
            else:
                yield from (f"-{line}" for line in old[span[0] : span[1]])
                yield from (f"+{line}" for line in new[span[2] : span[3]])


def _range(start: int, stop: int) -> str:
    """Lines counted from 1; an empty range is named by the line before it, as diff does."""
    length = stop - start
    return f"{start + 1}" if length == 1 else f"{start + 1 if length else start},{length}"


def _narrow(line: str) -> str:
    over = len(line) - _MAX_WIDTH
    return line if over <= 0 else f"{line[:_MAX_WIDTH]}... {over} more characters"
