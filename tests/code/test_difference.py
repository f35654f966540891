"""The difference of two versions: exact, bounded, and found in a time that hostile texts do not stretch."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from difflib import SequenceMatcher

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_sandbox.code.difference import MOST_COMPARED, difference
from jupyter_sandbox.code.matching import MOST_PAIRS, matching

LINES = st.lists(st.sampled_from("abcdefghij"), max_size=40)


@given(LINES, LINES)
def test_blocks_that_match_are_equal_and_ascend(old: list[str], new: list[str]) -> None:
    left = right = 0
    for at, to, length in matching(old, new):
        assert at >= left and to >= right and length > 0
        assert old[at : at + length] == new[to : to + length]
        left, right = at + length, to + length


@given(LINES, LINES)
def test_a_difference_leads_from_one_version_to_the_other(old: list[str], new: list[str]) -> None:
    told = difference({"m": "\n".join([*old, "end"])}, {"m": "\n".join([*new, "end"])})
    assert patched([*old, "end"], told.splitlines()[2:]) == [*new, "end"]


def patched(old: Sequence[str], told: Sequence[str]) -> list[str]:
    """What a unified difference makes of a text."""
    made: list[str] = []
    place = 0
    for line in told:
        if header := re.match(r"@@ -(\d+)(,0)?", line):
            start = int(header[1]) - (header[2] is None)
            made += old[place:start]
            place = start
        elif line[0] == "+":
            made.append(line[1:])
        else:
            assert old[place] == line[1:]
            made += [line[1:]] if line[0] == " " else []
            place += 1
    return made + list(old[place:])


def test_changes_far_apart_in_a_long_file_are_each_shown() -> None:
    old = [f"value_{n} = {n}" if n % 3 else "" for n in range(60_000)]
    new = [*old]
    new[10], new[59_990] = "first = 1", "last = 2"
    told = difference({"m": "\n".join(old)}, {"m": "\n".join(new)}).splitlines()
    assert "+first = 1" in told and "+last = 2" in told and len(told) < 25


def test_a_common_line_is_found_though_all_around_it_repeats() -> None:
    old, new = ["a", "b"] * 3000, ["b", "a"] * 3000
    (block,) = [one for one in matching([*old, "here", *old], [*new, "here", *new]) if one[0] <= 6000 < one[0] + one[2]]
    assert block[1] + 6000 - block[0] == 6000


def test_lines_are_compared_each_with_each_only_so_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between lines that occur once there may be anything: what difflib gets of it stays within ``MOST_PAIRS``."""
    chance, given = random.Random(1), list[int]()

    class Counting(SequenceMatcher[str]):
        def __init__(self, *args: object, **options: object) -> None:
            super().__init__(*args, **options)  # type: ignore[arg-type]
            given.append(len(self.a) * len(self.b))

    monkeypatch.setattr("jupyter_sandbox.code.matching.SequenceMatcher", Counting)

    def text() -> list[str]:
        return [line for n in range(300) for line in (f"once {n}", *(chance.choice("ab") for _ in range(50)))]

    matching(text(), text())
    assert 0 < sum(given) <= MOST_PAIRS
    given.clear()
    matching([chance.choice("ab") for _ in range(60_000)], [chance.choice("ab") for _ in range(60_000)])
    assert sum(given) <= MOST_PAIRS


def test_what_is_too_long_to_be_compared_is_named_and_the_rest_is_shown() -> None:
    long = "\n" * MOST_COMPARED
    told = difference({"big": long, "small": "n = 1"}, {"big": long + "n = 1", "small": "n = 2"})
    assert "--- big changed: 200_001 lines before and 200_001 now, too many to compare here" in told
    assert "-n = 1\n+n = 2" in told


def test_a_line_without_end_is_cut() -> None:
    told = difference({"m": "x" * 1_000_000}, {"m": "y" * 1_000_000})
    assert len(told) < 2_000 and "999501 more characters" in told


def test_the_kind_of_the_ends_of_lines_is_no_change() -> None:
    assert difference({"m": "a\r\nb\r\n"}, {"m": "a\nb"}) == ""
