"""Fuzzing of what reads bytes that others wrote: damaged, cut and mixed frames of every type, toward both ends.

A few seconds of it run always; ``make campaign`` goes on for minutes.
"""

from __future__ import annotations

import os
import random
import time
from contextlib import suppress
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from jupyter_sandbox.manager.answers import error_of
from jupyter_sandbox.manager.news import Pushed, bounded
from jupyter_sandbox.manager.showing import shown
from jupyter_sandbox.model.boot import Boot
from jupyter_sandbox.model.errors import RemoteProtocolError
from jupyter_sandbox.model.protection import Protection
from jupyter_sandbox.wire import messages as m
from jupyter_sandbox.wire.connection import Connection, ConnectionState, Role
from jupyter_sandbox.wire.framing import frame
from jupyter_sandbox.wire.legality import ANSWERS
from jupyter_sandbox.wire.values import decode_reply, decode_value, encode_value

from ..images import jpeg, png

MINUTES = float(os.environ.get("JUPYTER_SANDBOX_CAMPAIGN_MINUTES", "10"))
FROM_GUEST, FROM_KERNEL = get_args(m.GuestFrame), get_args(m.KernelFrame)
KINDS = (*FROM_GUEST, *FROM_KERNEL)
READY = m.Ready(protocol=m.PROTOCOL, pid=1, protection=Protection("off"))
SHORT = settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))

scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=20)
plain = st.recursive(
    scalars | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


def built(kind: type) -> st.SearchStrategy[Any]:
    """Any frame of a type, by its annotations: what a hostile peer with our own code would write."""
    return st.from_type(kind).filter(encodable)


def encodable(told: object) -> bool:
    try:
        msgspec.msgpack.encode(told)
    except (UnicodeEncodeError, msgspec.MsgspecError, OverflowError, TypeError, ValueError):
        return False
    return True


def peer(role: Role) -> Connection:
    """An end in the midst of its life: everything asked once, so that answers of all kinds are legal."""
    connection = Connection(role)
    if role == "kernel":
        connection.receive(frame(msgspec.msgpack.encode(READY)))
        for request in ASKED:
            connection.send(request)
    return connection


def needed(kind: type) -> dict[str, object]:
    """The least that a request needs beside its id."""
    zero: dict[object, object] = {str: "", int: 1, bytes: b"", bool: False, Boot: {"name": "x"}}
    given: dict[str, object] = {}
    for field in msgspec.structs.fields(kind):
        if field.required and field.name != "id":
            given[field.name] = zero.get(field.type, {})
    if kind is m.Load:
        given["bundle"] = {"modules": []}
    if kind is m.Bring:
        given["modules"] = []
    return {"type": kind.__name__, **given}


SAMPLES: dict[type, Any] = {
    kind: (lambda number, kind=kind: msgspec.convert({"id": number, **needed(kind)}, kind)) for kind in FROM_KERNEL
}


ASKED = [SAMPLES[kind](number) for number, kind in enumerate(ANSWERS) if kind is not m.Shutdown]


def feed(role: Role, data: bytes, size: int) -> None:
    """Give bytes to an end in pieces: frames, or a protocol error after which it reads nothing more. Never else."""
    connection = peer(role)
    try:
        for at in range(0, len(data), size):
            for told in connection.receive(data[at : at + size]):
                digest(told)
    except RemoteProtocolError:
        assert connection.state is ConnectionState.FAILED
        with pytest.raises(RemoteProtocolError):
            connection.receive(b"\0")


def digest(told: object) -> None:
    """What the kernel does at once with a frame of a guest, whatever is in it."""
    if isinstance(told, get_args(Pushed)):
        bounded(told)  # type: ignore[arg-type]
    elif isinstance(told, m.Failed):
        assert str(error_of(told, "shop")) is not None
    elif isinstance(told, m.Value):
        look_at(told.data)
        with suppress(RemoteProtocolError):
            assert len(repr(shown(told))) < 50_000_000


def look_at(data: bytes) -> None:
    """A value decodes or is a protocol error; its text is what a notebook shows."""
    for decode in (decode_value, decode_reply):
        try:
            value = decode(data)
        except RemoteProtocolError:
            continue
        assert len(repr(value)) < 50_000_000


def check(kind: type, told: Any, tail: bytes, places: list[int], size: int) -> None:
    """One frame whole, byte by byte, with a tail, damaged, cut."""
    role: Role = "kernel" if kind in FROM_GUEST else "guest"
    whole = frame(msgspec.msgpack.encode(told))
    for data in (whole, whole + tail, tail + whole, whole[: len(whole) // 2] + whole):
        feed(role, data, max(1, len(data)))
        feed(role, data, size)
    if len(whole) < 2_000:
        feed(role, whole, 1)
    damaged = bytearray(whole)
    for place in places:
        damaged[place % len(damaged)] ^= 1 << place % 8
    feed(role, bytes(damaged), size)
    feed(role, whole[:4] + bytes(damaged[4:]), size)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_frames_of_every_type_in_any_state_are_frames_or_a_protocol_error(kind: type) -> None:
    @SHORT
    @given(built(kind), st.binary(max_size=20), st.lists(st.integers(0, 10**6), max_size=6), st.integers(1, 50))
    def run(told: Any, tail: bytes, places: list[int], size: int) -> None:
        check(kind, told, tail, places, size)

    run()


@given(st.sampled_from(KINDS), st.dictionaries(st.text(max_size=8), plain, max_size=4), st.integers(1, 9))
@SHORT
def test_fields_of_any_shape_are_frames_or_a_protocol_error(kind: type, fields: dict[str, Any], size: int) -> None:
    names = [field.name for field in msgspec.structs.fields(kind)]
    given_fields = {"type": kind.__name__, **dict(zip(names, fields.values(), strict=False)), **fields}
    if encodable(given_fields):
        feed("kernel" if kind in FROM_GUEST else "guest", frame(msgspec.msgpack.encode(given_fields)), size)


@given(plain | st.binary(max_size=60))
@example([10, "datetime", "9999-99-99", False])
@example([9, True, -1])
@SHORT
def test_values_of_any_shape_decode_or_are_a_protocol_error(value: Any) -> None:
    if isinstance(value, bytes):
        look_at(value)
    elif encodable(value):
        look_at(msgspec.msgpack.encode(value))
        look_at(msgspec.msgpack.encode([4, [[1, b"\x7f"], value]]))


def mutations(chance: random.Random, seeds: list[bytes]) -> bytes:
    """Bytes near to good ones: flipped, cut, doubled, and pieces of several in one."""
    data = bytearray(chance.choice(seeds))
    for _ in range(chance.randint(1, 8)):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(6):
            case 0 if data:
                data[at % len(data)] ^= 1 << chance.randrange(8)
            case 1:
                data[at:at] = chance.randbytes(chance.randint(1, 8))
            case 2:
                del data[at : at + chance.randint(1, 16)]
            case 3:
                other = chance.choice(seeds)
                data[at:at] = other[chance.randrange(len(other)) :][:64]
            case 4 if data:
                data[at % len(data)] = chance.choice(b"\x00\x7f\x80\x90\xc0\xc1\xc6\xcf\xd3\xdb\xdd\xdf\xff")
            case _:
                data += data[at : at + 64]
    return bytes(data)


def mutate_for(seconds: float, seed: int) -> int:
    """Mutate frames of every type, framed anew half of the time; how many were tried."""
    chance = random.Random(seed)
    guest = [msgspec.msgpack.encode(one) for one in EXAMPLES]
    kernel = [msgspec.msgpack.encode(SAMPLES[kind](1)) for kind in FROM_KERNEL]
    values = [encode_value(value) for value in (1, 2**70, "x", b"y", [1, {2: (3,)}], {1, 2}, frozenset(), 1.5, None)]
    tried, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        role: Role = chance.choice(("kernel", "guest"))
        data = mutations(chance, guest if role == "kernel" else kernel)
        size = chance.choice((1, 3, 4096)) if len(data) < 4_000 else 4096
        feed(role, frame(data) if data and chance.random() < 0.7 else data, size)
        look_at(mutations(chance, values))
        tried += 2
    return tried


EXAMPLES: list[Any] = [
    READY, m.Done(id=0), m.Value(id=17, data=encode_value([1, 2])), m.Sent(id=11, pid="<0.1.0>"),
    m.Pictured(id=2, data=encode_value(1), image=png(), why="x"),
    m.Pictured(id=2, data=encode_value(1), image=jpeg(), mime="image/jpeg"),
    m.Oversized(id=3, size=5, many="items"),
    m.Failed(id=3, kind="noproc", message="x", traceback=["y"]), m.PausedAt(id=25, step=1),
    m.SnapshotBlob(id=30, blob=b"x", step=1, processes=1), m.Notice(level="info", text="x"),
    m.Alert(limit="mailbox_limit", message="x"), m.MainExited(app="x", reason="y", normal=True),
    m.Sample(counters=m.Counters(), events=[m.Event(1, 1, "crash", "<0.1.0>", "a", "b", {"n": 1})]),
    m.TreeChanged(diff=m.TreeDiff("x", 1, 1, (), ("a",), ("b",))),
]  # fmt: skip


def test_bytes_near_to_good_ones_are_frames_or_a_protocol_error() -> None:
    assert mutate_for(2.0, seed=4) > 100


@pytest.mark.campaign
@pytest.mark.timeout(MINUTES * 60 + 300)
@pytest.mark.parametrize("seed", [1, 2])
def test_minutes_of_bytes_near_to_good_ones(seed: int) -> None:
    assert mutate_for(MINUTES * 60, seed) > 10_000


@pytest.mark.campaign
@pytest.mark.timeout(MINUTES * 60 + 600)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_thousands_of_frames_of_every_type(kind: type) -> None:
    @settings(SHORT, max_examples=max(100, int(200 * MINUTES)))
    @given(built(kind), st.binary(max_size=40), st.lists(st.integers(0, 10**6), max_size=12), st.integers(1, 50))
    def run(told: Any, tail: bytes, places: list[int], size: int) -> None:
        check(kind, told, tail, places, size)

    run()
