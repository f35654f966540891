"""What leaves a sandbox as a value arrives as the same value, or as a short honest text; nothing of it can hurt."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import enum
import itertools
import threading
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_sandbox.model.data import Opaque, Record
from jupyter_sandbox.model.errors import RemoteProtocolError
from jupyter_sandbox.model.ids import Pid, Ref
from jupyter_sandbox.wire import value_nodes
from jupyter_sandbox.wire.value_heads import refuse_many
from jupyter_sandbox.wire.value_nodes import Node
from jupyter_sandbox.wire.values import (
    MAX_BYTES,
    REPLY_BYTES,
    Oversize,
    decode_reply,
    decode_value,
    encode_reply,
    encode_value,
)

numbers = st.integers(0, (1 << 48) - 1)
zones = (
    st.none()
    | st.timezones()
    | st.builds(datetime.timezone, st.timedeltas(-datetime.timedelta(hours=23), datetime.timedelta(hours=23)))
)
atoms = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(-(10**300), 10**300), st.floats(allow_nan=False),
    st.text(st.characters(), max_size=20), st.binary(max_size=20), st.builds(Pid.of, numbers),
    st.builds(Ref.of, numbers),
    st.dates(), st.times(), st.timedeltas(), st.datetimes(timezones=st.none() | st.just(datetime.UTC)),
)  # fmt: skip
keys = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(1 << 63), (1 << 64) - 1), st.text(max_size=5), st.binary(max_size=5)
    ),
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.frozensets(inner, max_size=3),
    max_leaves=4,
)
values = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.lists(inner, max_size=4).map(tuple), st.dictionaries(keys, inner, max_size=4),
        st.sets(keys, max_size=4), st.frozensets(keys, max_size=4),
        st.builds(Record, st.just("m.C"), st.dictionaries(st.text("abc", min_size=1, max_size=3), inner, max_size=3)),
    ),
    max_leaves=15,
)  # fmt: skip


def there_and_back(value: object, **limits: int) -> Any:
    return decode_value(encode_value(value, **limits))


@given(values)
def test_plain_values_arrive_equal_and_of_the_same_types(value: object) -> None:
    received = there_and_back(value)
    assert received == value
    assert exact(received) == exact(value)


def exact(value: object) -> object:
    """With the type of everything in it: 1, 1.0 and True are equal."""
    match value:
        case set() | frozenset():
            return type(value), sorted(repr(exact(one)) for one in value)
        case list() | tuple():
            return type(value), [exact(one) for one in value]
        case dict():
            return type(value), [(exact(key), exact(one)) for key, one in value.items()]
        case Record():
            return type(value), value.type_name, exact(value.fields)
    return type(value), repr(value)


@given(st.datetimes(timezones=zones), st.integers(0, 1))
def test_a_datetime_keeps_its_moment_and_offset(value: datetime.datetime, fold: int) -> None:
    value = value.replace(fold=fold)
    received = there_and_back(value)
    assert received.utcoffset() == value.utcoffset()
    assert (received.replace(tzinfo=None), received.fold) == (value.replace(tzinfo=None), fold)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_value_or_a_protocol_error(data: bytes) -> None:
    try:
        decode_value(data)
    except RemoteProtocolError:
        pass


@given(values, st.integers(1, 300), st.integers(1, 30), st.integers(0, 4))
def test_over_any_limit_it_is_still_readable_and_short(value: object, size: int, items: int, depth: int) -> None:
    data = encode_value(value, max_bytes=size, max_items=items, max_depth=depth)
    assert len(data) <= max(2 * size, 2000)
    decode_value(data)


class Color(enum.Enum):
    RED = 1


class Level(enum.StrEnum):
    LOW = "low"


class Crate(msgspec.Struct):
    label: str
    apples: int = 3


@dataclasses.dataclass
class Counter:
    n: int = 1
    inner: object = None


@dataclasses.dataclass(frozen=True, slots=True)
class Slotted:
    a: int
    b: str = "x"


Point = collections.namedtuple("Point", "x y")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Counter(2, Counter(3)), "Counter(n=2, inner=Counter(n=3, inner=None))"),
        (Slotted(1), "Slotted(a=1, b='x')"),
        (Crate("green"), "Crate(label='green', apples=3)"),
        (Point(1, [2]), "Point(x=1, y=[2])"),
        (Color.RED, "Color.RED"),
        (Level.LOW, "Level.LOW"),
        ({Level.LOW: 1}, "{Level.LOW: 1}"),
        (ValueError("x", 1), "ValueError('x', 1)"),
        (1 + 2j, "(1+2j)"),
        (range(3), "range(0, 3)"),
        (Counter, "<class test_values.Counter>"),
        (collections.OrderedDict(a=1), "{'a': 1}"),
        (collections.deque([1]), "deque([1])"),
        ({(1, 2): {"a"}, None: 1.5}, "{(1, 2): {'a'}, None: 1.5}"),
        (10**30, "1" + "0" * 30),
        (1 << 100_000, "<int of 100001 bits>"),
        ({1 << 70: 1}, "{1180591620717411303424: 1}"),
        (bytearray(b"ab"), "b'ab'"),
    ],
    ids=lambda value: value if type(value) is str else "",
)
def test_other_objects_arrive_as_fields_or_as_a_text(value: object, shown: str) -> None:
    assert repr(there_and_back(value)).replace(f"<class {__name__}.", "<class test_values.") == shown


def test_a_record_is_read_by_attribute() -> None:
    received = there_and_back(Counter(5))
    assert received.n == 5
    assert received.type_name.endswith(".Counter")
    with pytest.raises(AttributeError, match="has no field 'm'; it has n, inner"):
        received.m  # noqa: B018


def bad(*_: object) -> Any:
    raise SystemExit("user code was run")


def hostile_values() -> dict[str, object]:
    """Objects whose every way in raises something that is no Exception, so a test that takes one cannot miss it.

    Made in here: pytest itself would look at them in the module.
    """

    class Hostile:
        __repr__ = __str__ = __iter__ = __len__ = __eq__ = __bool__ = __reduce__ = __format__ = bad  # type: ignore[assignment]
        __getattribute__ = bad
        __hash__ = object.__hash__
        __class__ = property(bad)  # type: ignore[assignment]
        __dict__ = property(bad)  # type: ignore[assignment]
        value = property(bad)

    class HostileList(list):  # type: ignore[type-arg]
        __iter__ = __len__ = __getitem__ = __repr__ = __contains__ = __eq__ = bad  # type: ignore[assignment]

    class HostileDict(dict):  # type: ignore[type-arg]
        __iter__ = __len__ = items = keys = values = __getitem__ = __repr__ = bad  # type: ignore[assignment]

    class HostileStr(str):
        __len__ = __str__ = __repr__ = encode = isascii = __getitem__ = __iter__ = bad  # type: ignore[assignment]

    class HostileInt(int):
        __repr__ = __index__ = __int__ = bit_length = __add__ = __lt__ = __pos__ = bad  # type: ignore[assignment]

    class HostileMeta(type):
        __repr__ = __getattribute__ = __instancecheck__ = __eq__ = __call__ = bad  # type: ignore[assignment]
        __hash__ = type.__hash__

    class HostileZone(datetime.tzinfo):
        utcoffset = tzname = dst = __repr__ = bad  # type: ignore[assignment]

    class HostileError(Exception):
        __str__ = __repr__ = bad
        args = property(bad)  # type: ignore[assignment]

    with_meta = type.__call__(HostileMeta, "WithMeta", (), {})
    return {
        "Hostile>": object.__new__(Hostile),
        "[1]": HostileList([1]),
        "{'a': 1}": HostileDict(a=1),
        "'abc'": HostileStr("abc"),
        "5": HostileInt(5),
        "WithMeta>": object.__new__(with_meta),
        "WithMeta >": with_meta,
        "datetime.datetime(2020, 1, 1, 0, 0)": datetime.datetime(2020, 1, 1, tzinfo=HostileZone()),
        "HostileError(1)": HostileError(1),
        "['a', {1: 'b'}]": [HostileStr("a"), {HostileInt(1): HostileStr("b")}],
        "Hostile>, inner=None)": Counter(object.__new__(Hostile)),  # type: ignore[arg-type]
    }


@pytest.mark.parametrize("shown", list(hostile_values()))
def test_no_code_of_the_object_is_run(shown: str) -> None:
    received = there_and_back(hostile_values()[shown])
    assert repr(received).endswith(shown.replace(" >", ">"))


def test_a_module_name_that_lies_stays_a_name() -> None:
    class Decimal:
        __module__ = "decimal"
        __repr__ = bad

    assert repr(there_and_back(Decimal())).startswith("<decimal.")


def test_a_cycle_ends_in_a_text() -> None:
    loop: list[Any] = [1]
    loop.append(loop)
    assert there_and_back(loop)[0] == 1
    assert isinstance(there_and_back(loop)[1], Opaque)


def test_a_million_levels_end_in_a_text() -> None:
    deep: Any = []
    for _ in range(10**6):
        deep = [deep]
    assert "…" in repr(there_and_back(deep))
    while deep:  # freeing it level by level spares the C stack
        deep = deep.pop()


@pytest.mark.parametrize(
    "value",
    [
        list(range(10**6)), dict.fromkeys(range(10**6)), "x" * 10**7, b"x" * 10**7, ["é" * 1000] * 10**5, 1 << 10**7,
        [Counter(n) for n in range(20_000)], [1.5] * 10**6, [datetime.datetime(2020, 1, 1)] * 10**5,
        [[[[[[[[[list(range(5))] * 5] * 5] * 5] * 5] * 5] * 5] * 5] * 5] * 5, [Color.RED] * 10**5,
        [{"é" * 99: n} for n in range(10**4)],
    ],
    ids=["list", "dict", "str", "bytes", "texts", "int", "records", "floats", "times", "shared", "opaque", "keys"],
)  # fmt: skip
def test_the_largest_values_are_cut_to_what_the_kernel_takes(value: object) -> None:
    data = encode_value(value)
    assert len(data) <= 2 * MAX_BYTES
    decode_value(data)


@given(values, st.integers(1, 300))
def test_a_reply_is_the_whole_value_or_an_error_with_its_size(value: object, most: int) -> None:
    whole = encode_value(value)
    if len(whole) <= most:
        assert encode_reply(value, most) == whole and exact(decode_reply(whole)) == exact(value)
    else:
        with pytest.raises(Oversize) as caught:
            encode_reply(value, most)
        assert caught.value.size >= len(whole) and not caught.value.many


@pytest.mark.parametrize(
    ("value", "many"),
    [
        (b"x" * REPLY_BYTES, ""), ([b"x" * 10**6] * 10, ""), ([bytearray(10**6)] * 10**4, ""), ("é" * 5_000_000, ""),
        ([0] * 100_000, "items"), ([[0] * 1000] * 100, "items"), ([Counter()] * 50_000, "items"),
        ({"a": dict.fromkeys(range(6_000)), "b": dict.fromkeys(range(6_000))}, "keys"), (set(range(10_001)), "keys"),
    ],
    ids=["bytes", "parts", "the same", "text", "numbers", "lists", "records", "dicts", "set"],
)  # fmt: skip
def test_what_no_reply_can_hold_is_an_error_however_much_may_be_sent(value: object, many: str) -> None:
    with pytest.raises(Oversize) as caught:
        encode_reply(value, 1 << 53)
    assert caught.value.many == many and (many or caught.value.size > REPLY_BYTES)


def test_a_reply_of_many_things_arrives() -> None:
    many = [list(range(30_000)), dict.fromkeys(map(str, range(20_000))), dict.fromkeys(range(9_000)), b"x" * 5_000_000]
    assert decode_reply(encode_reply(many, 8_000_000)) == many


def test_what_is_no_data_is_a_text_in_a_reply_too() -> None:
    assert repr(decode_reply(encode_reply([object, 1 << 100_000], 1_000))) == "[<class object>, <int of 100001 bits>]"


def test_a_reply_for_which_there_is_no_memory_is_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_memory(value: object) -> bytes:
        raise MemoryError

    monkeypatch.setattr("jupyter_sandbox.wire.values.encode", no_memory)
    with pytest.raises(MemoryError):
        encode_reply([1], 1_000)


@pytest.mark.parametrize("piece", [b"\x92\x02\x90", b"\x92\x0d\xc4\x00", b"\xc0", b"\x94\x0b\x00\x00\x00"])
def test_a_forged_reply_of_small_things_is_refused_before_they_are_made(piece: bytes) -> None:
    """Eight megabytes of them would be five hundred."""
    import tracemalloc

    count = (REPLY_BYTES - 7) // len(piece)
    data = b"\x92\x02\xdd" + count.to_bytes(4, "big") + piece * count
    tracemalloc.start()
    try:
        with pytest.raises(RemoteProtocolError, match="too many items or levels"):
            decode_reply(data)
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()


@given(values)
def test_whatever_is_honest_passes_the_count_of_things(value: object) -> None:
    data = encode_value(value)
    items = sum(1 for _ in walked(value))
    refuse_many(data, items)


def walked(value: object) -> Iterable[object]:
    yield value
    inner: Iterable[object] = ()
    match value:
        case list() | tuple() | set() | frozenset():
            inner = value
        case dict():
            inner = (*value, *value.values())
        case Record():
            inner = value.fields.values()
    for one in inner:
        yield from walked(one)


def test_what_was_left_out_of_a_list_is_counted() -> None:
    assert repr(there_and_back(list(range(10**6)))[-1]) == "… 990002 more"


def test_a_dict_that_changes_under_the_walk_is_still_bytes() -> None:
    moving: dict[int, int] = {}
    stop = threading.Event()

    def change() -> None:
        while not stop.is_set():
            for number in range(1000):
                moving[number] = number
            moving.clear()

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(300):
            decode_value(encode_value({"moving": moving}))
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize(
    "node",
    [
        [4, ["a"]], [4, [[2, []], 1]], [5, [[2, []]]], [9, True, -1], [9, True, 1 << 48], [10, "datetime", "x", False],
        [10, "os", "2020-01-01", False], [11, 1 << 62, 0, 0], [12, b"\xff"], [7, "C", ["a"], []], [1, bytes(10**5)],
        [5, [[1, b"\x7f" * 20]]], [99, 1], {"a": 1}, [2, [None] * 20_000],
    ],
    ids=str,
)  # fmt: skip
def test_malformed_trees_are_protocol_errors(node: object) -> None:
    with pytest.raises(RemoteProtocolError):
        decode_value(msgspec.msgpack.encode(node))


@pytest.mark.parametrize(
    "data", [b"", b"\xc1", b"\x92\x02\x91" * 100_000, b"\x92\x02\x91" * 100 + b"\x01", b"\x00" * 2_000_000]
)
def test_malformed_bytes_are_protocol_errors(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        decode_value(data)


def test_names_and_texts_cannot_steer_a_terminal() -> None:
    forged: list[Node] = [7, "C\x1b[2J", ["a\r"], [[8, "D", "x\x1b]0;y\x07"]]]  # type: ignore[list-item]
    assert repr(decode_value(msgspec.msgpack.encode(forged))).isprintable()


def alike(count: int) -> list[tuple[int, int]]:
    """Pairs of numbers with the hash of (12345, 777): the mixing of a tuple's hash, solved for the second number."""
    size, first, second, start = 2**64, 11400714785074694791, 14029467366897019727, 2870177450012600261

    def mixed(n: int) -> int:
        lane = (start + n * second) % size
        return (lane << 31 | lane >> 33) % size * first % size

    wanted, back = mixed(12345) + 777 * second, pow(second, -1, size)
    solved = ((n, (wanted - mixed(n)) * back % size) for n in itertools.count(1))
    signed = ((n, m if m < size // 2 else m - size) for n, m in solved)
    return list(itertools.islice(((n, m) for n, m in signed if -(2**61) + 1 < m < 2**61 - 1 and m != -1), count))


def sets_alike(count: int, inside: int) -> list[frozenset[tuple[int, int]]]:
    """Sets of pairs that hash alike, of one size, so that they hash alike; each lacks another one of the pairs."""
    pairs = alike(inside + 1)
    return [frozenset(pairs[:n] + pairs[n + 1 :]) for n in range(min(count, inside + 1))]


def nested(depth: int) -> frozenset[Any]:
    """A set in a set in a set: to compare two of them costs the square of what their items cost, and so on."""
    inner: frozenset[Any] = frozenset([1])
    return inner if not depth else frozenset([nested(depth - 1)])


def forged(keys: Iterable[object]) -> bytes:
    """As a set on the wire, whatever an honest guest would make of them."""

    def node(key: Any) -> Node:
        if isinstance(key, tuple):
            return value_nodes.TupleNode([node(part) for part in key])
        return value_nodes.FrozenSetNode([node(part) for part in key]) if isinstance(key, frozenset) else key

    return msgspec.msgpack.encode(value_nodes.SetNode([node(key) for key in keys]))


CHOSEN: dict[str, list[Any]] = {
    "pairs": alike(3_300),
    "pairs in pairs": [(pair, 1) for pair in alike(2_000)],
    "floats in pairs": [(float(n), float(m)) for n, m in alike(60_000) if int(float(m)) == m],
    "sets of pairs": sets_alike(60, 50),
    "sets in sets": [nested(50), nested(50)],
    "negative numbers": list(itertools.product((-1, -2), repeat=9)),
}


@pytest.mark.parametrize("name", CHOSEN)
def test_keys_that_are_chosen_to_hash_alike_are_refused(name: str) -> None:
    with pytest.raises(RemoteProtocolError, match="too many keys with the same hash"):
        decode_value(forged(CHOSEN[name]))


def test_the_bound_holds_for_all_dicts_of_a_value_together() -> None:
    few = alike(100)
    assert len(decode_value(forged(few))) == 100  # type: ignore[arg-type]
    many = value_nodes.ListNode([msgspec.msgpack.decode(forged(few), type=Node) for _ in range(30)])
    with pytest.raises(RemoteProtocolError, match="too many keys with the same hash"):
        decode_value(msgspec.msgpack.encode(many))


HONEST: dict[str, list[Any]] = {
    "a grid around nothing": list(itertools.product(range(-2, 3), repeat=4)),
    "numbers": list(range(-4_000, 4_000)),
    "large numbers": [n * 2**40 for n in range(8_000)],
    "halves": [n / 2 for n in range(8_000)],
    "pairs of text": [(str(n), n) for n in range(3_000)],
    "the same again and again": [(1, 2)] * 3_000,
}


@pytest.mark.parametrize("name", HONEST)
def test_honest_keys_are_read_all(name: str) -> None:
    assert decode_value(forged(HONEST[name])) == set(HONEST[name])


def test_many_keys_that_are_told_by_the_same_text_are_one_key() -> None:
    assert len(there_and_back({object(): n for n in range(1_000)})) == 1
