"""Short texts are short, printable, stable and never the object's own doing."""

from __future__ import annotations

import dataclasses
import enum
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_sandbox.model.data import Opaque, Record
from jupyter_sandbox.model.ids import Pid
from jupyter_sandbox.model.text import short_text

plain = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary()),
    lambda inner: st.one_of(
        st.lists(inner), st.lists(inner).map(tuple), st.dictionaries(st.text() | st.integers(), inner)
    ),
)


@given(plain, st.integers(min_value=5, max_value=100))
def test_a_plain_value_is_its_repr_or_its_beginning(value: object, limit: int) -> None:
    text, full = short_text(value, limit), repr(value)
    if len(full) <= limit and "…" not in text:
        assert text == full
    elif type(value) is not int:  # small whole numbers are short enough for any column
        assert len(text) <= limit
    assert text.isprintable()


@dataclasses.dataclass
class Money:
    amount: int
    currency: str = "€"

    def __repr__(self) -> str:
        raise SystemExit("user code was run")


class Stored:
    hidden = 3

    def __init__(self) -> None:
        self.a = 1
        self.b = [Money(2)]

    def __repr__(self) -> str:
        while True:
            pass


class Color(enum.IntFlag):
    RED = 1


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Money(3), "Money(amount=3, currency='€')"),
        (Stored(), "Stored(a=1, b=[Money(amount=2, currency='€')])"),
        (object(), "<object>"),
        (Color.RED, "Color.RED"),
        (KeyError("k"), "KeyError('k')"),
        ({3, 1, 2}, "{1, 2, 3}"),
        (frozenset(), "frozenset()"),
        (Pid.of(7), "<0.7.0>"),
        ("a\x1b[0m\n\u202e", "'a\\x1b[0m\\n\\u202e'"),
        ("\ud800", "'\\ud800'"),
        (10**1000, "<int of 3322 bits>"),
        (len, "<built-in len>"),
        (sys, "<module sys>"),
        (Record("m.C", {"n": 1}), "C(n=1)"),
        (Opaque("m.C", "text"), "text"),
        (("one",), "('one',)"),
    ],
)
def test_values_are_shown_as_a_reader_expects(value: object, text: str) -> None:
    assert short_text(value) == text


@pytest.mark.parametrize("limit", [1, 2, 10, 80])
def test_a_cut_is_marked_and_keeps_the_limit(limit: int) -> None:
    text = short_text(list(range(1000)), limit)
    assert len(text) == limit and text.endswith("…")


def test_a_text_that_just_fits_is_whole() -> None:
    assert short_text("a" * 78) == repr("a" * 78)
    assert short_text("a" * 79) == repr("a" * 79)[:79] + "…"


def test_sets_of_texts_look_the_same_under_every_hash_seed() -> None:
    code = "from jupyter_sandbox.model.text import short_text; print(short_text({'a', 'b', 'c', ('d', 1)}))"
    shown = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }  # fmt: skip
    assert shown == {"{'a', 'b', 'c', ('d', 1)}\n"}


@pytest.mark.parametrize(
    "make", [lambda: list(range(10**7)), lambda: "x" * 10**8, lambda: 1 << 10**8, lambda: nested()]
)
def test_the_size_of_a_value_costs_nothing(make: Any) -> None:
    assert len(short_text(make())) <= 80, "looking at all of it would take longer than anybody waits"


def nested() -> list[Any]:
    """Ten to the thirtieth items in thirty lists."""
    value: list[Any] = [1] * 10
    for _ in range(30):
        value = [value] * 10
    return value
