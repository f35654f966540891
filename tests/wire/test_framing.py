"""Payloads survive any cutting of the stream; nothing else does."""

from __future__ import annotations

import itertools
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_sandbox.model.errors import LocalProtocolError, RemoteProtocolError
from jupyter_sandbox.wire.framing import HEADER_SIZE, Deframer, frame

payloads = st.lists(st.binary(min_size=1, max_size=200), max_size=8)
MORE = 1 << 31


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """``data`` in pieces, cut at any places."""
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges)]


@given(payloads, st.lists(st.integers(min_value=0), max_size=20), st.integers(min_value=1, max_value=64))
def test_decode_after_encode_is_identity_under_any_chunking(
    sent: list[bytes], places: list[int], max_frame: int
) -> None:
    stream = b"".join(frame(payload, max_frame=max_frame) for payload in sent)
    deframer = Deframer(max_frame=max_frame)
    received = [payload for piece in cut(stream, places) for payload in deframer.feed(piece)]
    assert received == sent
    assert deframer.pending == 0


@given(payloads)
def test_one_byte_at_a_time_is_enough(sent: list[bytes]) -> None:
    deframer = Deframer(max_frame=50)
    stream = b"".join(frame(payload, max_frame=50) for payload in sent)
    assert [payload for byte in stream for payload in deframer.feed(bytes([byte]))] == sent


@given(st.lists(st.binary(max_size=100), max_size=10))
def test_random_bytes_are_payloads_or_a_protocol_error_and_never_pile_up(chunks: list[bytes]) -> None:
    deframer = Deframer(max_frame=64, max_transfer=256)
    try:
        for chunk in chunks:
            assert all(0 < len(payload) <= 256 for payload in deframer.feed(chunk))
            assert deframer.pending <= 256 + 64 + HEADER_SIZE
    except RemoteProtocolError:
        pass


@pytest.mark.parametrize(
    "header", [0xFFFFFFFF, 0, MORE, 65, MORE | 63], ids=["huge", "empty", "empty, goes on", "over", "goes on, not full"]
)
@pytest.mark.parametrize("chunk", [1, 4])
def test_an_illegal_length_is_refused_at_its_last_byte(header: int, chunk: int) -> None:
    deframer = Deframer(max_frame=64)
    data = struct.pack(">I", header)
    with pytest.raises(RemoteProtocolError):
        for start in range(0, 4, chunk):
            deframer.feed(data[start : start + chunk])


def test_a_transfer_that_never_ends_is_refused_at_its_limit() -> None:
    deframer = Deframer(max_frame=10, max_transfer=35)
    piece = struct.pack(">I", MORE | 10) + b"x" * 10
    assert deframer.feed(piece * 3) == []
    with pytest.raises(RemoteProtocolError, match="more than 35 bytes"):
        deframer.feed(piece)


@pytest.mark.parametrize("payload", [b"", b"x" * 101])
def test_an_empty_or_too_long_payload_is_not_sent(payload: bytes) -> None:
    with pytest.raises(LocalProtocolError):
        frame(payload, max_frame=10, max_transfer=100)
