"""A record that is sent back into a sandbox is an object of its class again, or refused in words."""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec
import pytest

from jupyter_sandbox.model.errors import UsageError
from jupyter_sandbox.model.returned import again


@dataclass(frozen=True, slots=True)
class Frozen:
    item: str
    n: int = 1


@dataclass
class Derived:
    """It keeps something beside its fields, and a field that nobody gives."""

    price: int
    tax: int = field(init=False)

    def __post_init__(self) -> None:
        self.price, self.tax, self.total = abs(self.price), 0, self.price + 3


@dataclass
class Careful:
    n: int

    def __post_init__(self) -> None:
        if self.n < 0:
            raise ValueError("n is below nothing")


class Point(NamedTuple):
    x: int
    y: int


class Struct(msgspec.Struct, frozen=True):
    a: int


class Outer:
    @dataclass
    class Inner:
        n: int


Pair = namedtuple("Pair", "left right")


class Plain:
    n = 1


def test_every_class_with_named_fields_is_made_again() -> None:
    made = {
        "Frozen": Frozen("tea", 2), "Point": Point(1, 2), "Pair": Pair(1, [2]), "Struct": Struct(3),
        "Outer.Inner": Outer.Inner(4),
    }  # fmt: skip
    fields: dict[str, dict[str, Any]] = {
        "Frozen": {"item": "tea", "n": 2}, "Point": {"y": 2, "x": 1}, "Pair": {"left": 1, "right": [2]},
        "Struct": {"a": 3}, "Outer.Inner": {"n": 4},
    }  # fmt: skip
    for name, value in made.items():
        found = again(f"{__name__}.{name}", fields[name])
        assert type(found) is type(value) and found == value


def test_fields_are_as_they_came_and_what_is_beside_them_is_as_its_class_makes_it() -> None:
    found = again(f"{__name__}.Derived", {"price": -5, "tax": 9})
    assert isinstance(found, Derived) and (found.price, found.tax, found.total) == (-5, 9, -2)


@pytest.mark.parametrize(("name", "fields", "words"), [
    ("Frozen", {"item": "tea"}, "Frozen has the fields item, n, and what was sent back has item: "),
    ("Frozen", {"item": "tea", "n": 1, "m": 2}, "what was sent back has item, n, m: "),
    ("Point", {"x": 1}, "Point has the fields x, y, and what was sent back has x: "),
    ("Struct", {}, "Struct has the fields a, and what was sent back has none: "),
    ("Careful", {"n": -1}, r"cannot be made of the fields .* \(ValueError: n is below nothing\): "),
    ("Plain", {"n": 1}, "Plain of what was sent back has no named fields: "),
    ("Nobody", {"n": 1}, "Nobody of what was sent back is not in this sandbox: "),
    ("test_every.<locals>.Local", {"n": 1}, "Local of what was sent back is not in this sandbox: "),
])  # fmt: skip
def test_what_does_not_fit_is_refused_in_words(name: str, fields: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=f"{words}send plain data, or change it inside: %%sandbox exec$"):
        again(f"{__name__}.{name}", fields)
