"""What a state holds of old code is replaced in a copy of it; all else is copied as ``copy.deepcopy`` does."""

from __future__ import annotations

import copy
import datetime
import decimal
import enum
import queue
import threading
import uuid
from collections import Counter, OrderedDict, defaultdict, deque
from dataclasses import dataclass
from types import MethodType, SimpleNamespace
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_sandbox.guest.mentions import mentions
from jupyter_sandbox.guest.renewal import Memo, Renewal, renewed


class Old:
    def __init__(self, x: Any = 0) -> None:
        self.x = x

    def told(self) -> str:
        return "old"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    __hash__ = None  # type: ignore[assignment]


class New(Old):
    def told(self) -> str:
        return "new"


MEMO = {id(Old): New, id(Old.told): New.told, id(len): max}


class Slotted:
    __slots__ = ("a", "b")

    def __init__(self, a: Any, b: Any) -> None:
        self.a, self.b = a, b

    def __repr__(self) -> str:
        return f"Slotted({self.a}, {self.b})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Slotted) and (self.a, self.b) == (other.a, other.b)

    __hash__ = None  # type: ignore[assignment]


class Keeps:
    """Says itself how it is copied."""

    def __init__(self, x: Any) -> None:
        self.x = x

    def __deepcopy__(self, memo: dict[int, Any]) -> Keeps:
        return Keeps([copy.deepcopy(self.x, memo), "copied"])


class Pair(NamedTuple):
    first: Any
    second: Any


@dataclass(frozen=True)
class Frozen:
    x: Any


class Colour(enum.Enum):
    RED = 1


PLAIN = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.text(), st.binary(), st.decimals(allow_nan=False), st.dates(),
        st.uuids(), st.fractions(), st.timedeltas(), st.just(Colour.RED), st.just(int), st.just(len),
        st.builds(range, st.integers(0, 9)), st.builds(slice, st.integers(0, 9), st.integers(0, 9)),
    ),
    lambda inner: st.one_of(
        st.lists(inner), st.tuples(inner, inner), st.dictionaries(st.text(), inner), st.builds(deque, st.lists(inner)),
        st.builds(lambda x: defaultdict(list, {"a": x}), inner), st.builds(lambda x: OrderedDict(b=x, a=x), inner),
        st.builds(Old, inner), st.builds(Slotted, inner, inner), st.builds(Pair, inner, inner),
        st.builds(Frozen, inner), st.builds(SimpleNamespace, a=inner), st.sets(st.integers()),
        st.frozensets(st.text()), st.builds(bytearray, st.binary()), st.builds(Counter, st.text()),
    ),
    max_leaves=12,
)  # fmt: skip


@given(PLAIN)
def test_with_nothing_to_replace_it_is_a_deep_copy(value: Any) -> None:
    ours, theirs = renewed(value, Memo({})), copy.deepcopy(value)
    assert ours == value and type(ours) is type(value)
    assert (ours is value) == (theirs is value)


@pytest.mark.parametrize(
    "value",
    [
        [Old], (Old,), {"k": Old}, {Old: 1}, {Old}, frozenset([Old]), deque([Old]), defaultdict(Old),
        OrderedDict(a=Old), SimpleNamespace(a=Old), Slotted(1, Old), Pair(Old, 1), Frozen(Old), [[({"k": (Old,)},)]],
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_a_class_is_replaced_wherever_it_is_held(value: Any) -> None:
    assert repr(renewed(value, Memo(MEMO))) == repr(value).replace("Old", "New")


def test_an_object_becomes_one_of_the_new_class_and_a_bound_method_goes_with_it() -> None:
    kept = Old([Old(1)])
    copied = renewed([kept, kept.told, len], Memo(MEMO))
    assert type(copied[0]) is New and type(copied[0].x[0]) is New and copied[0].x[0].x == 1
    assert isinstance(copied[1], MethodType) and copied[1]() == "new" and copied[1].__self__ is copied[0]
    assert copied[2] is max


def test_what_is_held_twice_or_holds_itself_stays_so() -> None:
    shared: list[Any] = [1]
    ring: list[Any] = [shared, shared]
    ring.append((ring, Old))
    copied = renewed(ring, Memo(MEMO))
    assert copied[0] is copied[1] is not shared
    assert copied[2][0] is copied and copied[2][1] is New


def test_a_value_may_say_itself_how_it_is_copied() -> None:
    inner = [1]
    copied = renewed([Keeps(inner), inner], Memo(MEMO))
    assert copied[0].x == [[1], "copied"] and copied[0].x[0] is copied[1]


class Holds:
    """Neither it nor anything that is made of it can be copied."""

    def __init__(self, x: Any) -> None:
        self.x, self.lock = x, threading.Lock()


@pytest.mark.parametrize(
    "made", [lambda x: x, lambda x: [x], lambda x: {"k": (x, 1)}, lambda x: deque([x]), Old, Holds]
)
def test_what_cannot_be_copied_stays_the_very_object_and_the_rest_is_renewed(made: Any) -> None:
    lock, renewal = threading.Lock(), Renewal({**MEMO, id(Holds): Holds}, {id(Old): Old})
    new, held = renewal([Old(1), made(lock)])
    assert type(new) is New
    assert mentions(held, {id(lock): lock})
    assert renewal.kept == []


def test_an_object_of_a_library_that_holds_such_a_thing_stays_whole() -> None:
    jobs: queue.Queue[Any] = queue.Queue()
    renewal = Renewal(MEMO, {id(Old): Old})
    new, kept = renewal([Old(1), jobs])
    assert (type(new), kept) == (New, jobs)


def test_what_cannot_be_copied_and_shares_something_with_the_rest_keeps_all_of_it_as_it_is() -> None:
    shared = [Old(1)]
    value = [shared, (one for one in shared)]
    renewal = Renewal(MEMO, {id(Old): Old})
    assert renewal(value) is value
    assert renewal.kept == ["TypeError: cannot pickle 'generator' object"]


class Longer(NamedTuple):
    first: Any
    second: Any
    third: Any


def test_an_object_that_the_new_class_cannot_be_made_of_stays_and_is_told() -> None:
    renewal = Renewal({id(Longer): Pair, id(Old): New}, {id(Longer): Longer, id(Old): Old})
    kept, new = renewal([Longer(1, 2, 3), Old(1)])
    assert (type(kept), type(new)) == (Longer, New)
    assert renewal.kept == ["TypeError: Pair.__new__() takes 3 positional arguments but 4 were given"]


def test_what_mentions_nothing_old_is_not_copied() -> None:
    value = [[1], {"a": decimal.Decimal(1)}, uuid.UUID(int=5), datetime.date(2001, 1, 1)]
    renewal = Renewal(MEMO, {id(Old): Old})
    assert renewal(value) is value
    assert renewal.copied(value) == value is not renewal.copied(value)
