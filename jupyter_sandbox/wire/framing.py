"""Where one payload ends and the next begins in a stream of bytes. Knows nothing of what a payload says.

A frame is four bytes, big-endian, then the body: the low 31 bits are the
body's length, the highest bit says that the payload goes on in the next frame.
There is one way to write each payload: a frame that goes on is exactly full and
no body is empty, so a peer cannot feed endless tiny or empty pieces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from struct import Struct

from ..model.errors import RemoteProtocolError, Unsendable

MAX_FRAME = 1 << 20
MAX_TRANSFER = 64 << 20
_MORE = 1 << 31
_HEADER = Struct(">I")
HEADER_SIZE = _HEADER.size
_pack, _unpack_from = _HEADER.pack, _HEADER.unpack_from


def frame(payload: bytes | bytearray, *, max_frame: int = MAX_FRAME, max_transfer: int = MAX_TRANSFER) -> bytes:
    """The bytes to write for one payload, in as many frames as it needs.

    Raises Unsendable when the payload is empty or above ``max_transfer`` bytes.

    >>> frame(b"abc")
    b'\\x00\\x00\\x00\\x03abc'
    >>> frame(b"abc", max_frame=2)
    b'\\x80\\x00\\x00\\x02ab\\x00\\x00\\x00\\x01c'
    """
    size = len(payload)
    if 0 < size <= max_frame:
        return _pack(size) + payload
    if not 0 < size <= max_transfer:
        raise Unsendable(f"a payload of {size} bytes cannot be sent; send 1 to {max_transfer} bytes")
    return b"".join(_pieces(payload, max_frame))


def _pieces(payload: bytes | bytearray, max_frame: int) -> Iterator[bytes | bytearray]:
    last = (len(payload) - 1) // max_frame * max_frame
    for start in range(0, last, max_frame):
        yield _pack(_MORE | max_frame)
        yield payload[start : start + max_frame]
    yield _pack(len(payload) - last)
    yield payload[last:]


class Deframer:
    """Collects bytes in any chunks and gives whole payloads back, in order.

    >>> deframer = Deframer()
    >>> deframer.feed(b"\\x00\\x00\\x00\\x03a"), deframer.feed(b"bc")
    ([], [b'abc'])

    Holds at most ``max_transfer`` bytes plus one unfinished frame. ``most`` is asked with the first piece of a payload
    that comes in several how long the whole may become.
    """

    __slots__ = ("_buffer", "_most", "_parts", "_parts_size", "_whole", "max_frame", "max_transfer")

    def __init__(
        self, *, max_frame: int = MAX_FRAME, max_transfer: int = MAX_TRANSFER,
        most: Callable[[bytes], int] | None = None,
    ) -> None:  # fmt: skip
        self.max_frame, self.max_transfer = max_frame, max_transfer
        self._most, self._whole = most, max_transfer
        self._buffer = bytearray()
        self._parts: list[bytes] = []
        self._parts_size = 0

    @property
    def pending(self) -> int:
        """Bytes held of a payload that is not complete."""
        return len(self._buffer) + self._parts_size

    def feed(self, data: bytes) -> list[bytes]:
        """Payloads completed by ``data``. Raises RemoteProtocolError on a length that no peer of ours writes."""
        if self._buffer:
            self._buffer += data
            if not self._has_frame():
                return []
            data = bytes(self._buffer)
        payloads: list[bytes] = []
        end = self._cut(data, payloads)
        self._buffer = bytearray(data[end:])
        return payloads

    def _has_frame(self) -> bool:
        """Is the first frame complete? Asked before anything is copied: a slow sender must not make us copy again
        and again, nor a false length make us wait for it."""
        if len(self._buffer) < HEADER_SIZE:
            return False
        size: int = _unpack_from(self._buffer)[0]
        self._check(size)
        return len(self._buffer) >= HEADER_SIZE + (size & ~_MORE)

    def _cut(self, data: bytes, payloads: list[bytes]) -> int:
        position, limit, total = 0, self.max_frame, len(data)
        while position + HEADER_SIZE <= total:
            size: int = _unpack_from(data, position)[0]
            start = position + HEADER_SIZE
            whole = 0 < size <= limit and not self._parts  # a payload in one frame, as nearly all are
            if not whole:
                self._check(size)
            end = start + (size & ~_MORE)
            if end > total:
                break
            position = end
            if whole:
                payloads.append(data[start:end])
            else:
                self._join(data[start:end], bool(size & _MORE), payloads)
        return position

    def _check(self, size: int) -> None:
        body = size & ~_MORE
        if not body:
            raise RemoteProtocolError("the other side sent an empty frame")
        if body > self.max_frame:
            raise RemoteProtocolError(f"the other side announced a frame of {body} bytes; {self.max_frame} are allowed")
        if size & _MORE and body != self.max_frame:
            raise RemoteProtocolError(f"the other side sent a piece of {body} bytes that goes on before it is full")
        if self._parts_size + body > self._whole:
            raise RemoteProtocolError(f"the other side sent more than {self._whole} bytes in one transfer")

    def _join(self, body: bytes, more: bool, payloads: list[bytes]) -> None:
        if not self._parts and self._most is not None:
            self._whole = min(self.max_transfer, self._most(body))
        self._parts.append(body)
        self._parts_size += len(body)
        if not more:
            payloads.append(b"".join(self._parts))
            self._parts, self._parts_size, self._whole = [], 0, self.max_transfer
