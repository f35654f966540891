"""PNG files: which are well formed, and what of them is shown (PNG specification, third edition).

Kept are IHDR, PLTE, tRNS and IDAT. Whatever else may be left out (text,
profiles, times, animation) is; what must be understood and is not is refused.
The pixels are inflated in pieces, to see that they are as many as the header
says and not one more; no piece is kept.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from struct import Struct
from typing import Final, NamedTuple

from .extent import bounded

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_FRAME = Struct(">I4s")
_CRC = Struct(">I")
_HEADER = Struct(">IIBBBBB")
_IHDR, _PLTE, _TRNS, _IDAT, _IEND = b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"
_ORDER: Final = (_IHDR, _PLTE, _TRNS, _IDAT, _IEND)
_OPTIONAL: Final = 0x20
"""In the first letter of a chunk's name: who does not know it may leave it out."""
_GREY, _RGB, _INDEXED, _GREY_ALPHA, _RGB_ALPHA = 0, 2, 3, 4, 6
_DEPTHS: Final = {
    _GREY: (1, 2, 4, 8, 16), _RGB: (8, 16), _INDEXED: (1, 2, 4, 8), _GREY_ALPHA: (8, 16), _RGB_ALPHA: (8, 16),
}  # fmt: skip
_SAMPLES: Final = {_GREY: 1, _RGB: 3, _INDEXED: 1, _GREY_ALPHA: 2, _RGB_ALPHA: 4}
_ADAM7: Final = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""Passes of an interlaced image: first column and row, then the steps to the right and down."""
_FILTERS: Final = bytes(range(5))
_PIECE: Final = 1 << 16
_MOST_INFLATED: Final = 100_000_000


class Header(NamedTuple):
    """IHDR."""

    width: int
    height: int
    depth: int
    colour: int
    compression: int
    filtering: int
    interlaced: int


def canonical_png(body: bytes) -> tuple[bytes, int, int]:
    """The file with its checked chunks alone, its width and its height. Raises ValueError with the reason."""
    parts = _parts(body)
    header = _header(parts[_IHDR])
    _check_palette(header, parts.get(_PLTE), parts.get(_TRNS))
    _check_pixels(header, parts[_IDAT])
    written = b"".join(_chunk(name, parts[name]) for name in _ORDER if name in parts)
    return _SIGNATURE + written, header.width, header.height


def _parts(body: bytes) -> Mapping[bytes, bytes]:
    """The chunks that are kept, IDAT in one piece."""
    found: dict[bytes, list[bytes]] = {}
    before = b""
    for name, data in _chunks(body):
        if not before and name != _IHDR:
            raise ValueError("its first chunk is not IHDR")
        if name in _ORDER:
            _check_order(name, before, found)
            found.setdefault(name, []).append(data)
        elif not name[0] & _OPTIONAL:
            raise ValueError(f"its chunk {name.decode()} is not known")
        before = name
    if before != _IEND or found[_IEND] != [b""]:
        raise ValueError("its last chunk is not IEND")
    if _IDAT not in found:
        raise ValueError("it has no IDAT")
    return {name: b"".join(pieces) for name, pieces in found.items()}


def _check_order(name: bytes, before: bytes, found: Mapping[bytes, object]) -> None:
    later = _ORDER[_ORDER.index(name) + 1 :]
    if any(one in found for one in later) or (name in found and (name, before) != (_IDAT, _IDAT)):
        raise ValueError(f"its chunk {name.decode()} is out of order")


def _chunks(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    if not body.startswith(_SIGNATURE):
        raise ValueError("it does not begin as a PNG does")
    position = len(_SIGNATURE)
    while position < len(body):
        data = position + _FRAME.size
        if data > len(body):
            raise ValueError("it ends within a chunk")
        size, name = _FRAME.unpack_from(body, position)
        end = data + size
        if not (name.isalpha() and name.isascii()):
            raise ValueError("it has a chunk whose name is not four letters")
        if end + _CRC.size > len(body):
            raise ValueError(f"it ends within its chunk {name.decode()}")
        if _CRC.unpack_from(body, end)[0] != zlib.crc32(body[position + 4 : end]):
            raise ValueError(f"its chunk {name.decode()} is damaged")
        yield name, body[data:end]
        position = end + _CRC.size
        if name == _IEND and position < len(body):
            raise ValueError("there is something behind its end")


def _chunk(name: bytes, data: bytes) -> bytes:
    return _FRAME.pack(len(data), name) + data + _CRC.pack(zlib.crc32(name + data))


def _header(data: bytes) -> Header:
    if len(data) != _HEADER.size:
        raise ValueError("its IHDR has another length")
    header = Header._make(_HEADER.unpack(data))
    if header.depth not in _DEPTHS.get(header.colour, ()):
        raise ValueError(f"there are no pixels of colour type {header.colour} with {header.depth} bits")
    if header.compression or header.filtering or header.interlaced > 1:
        raise ValueError("it is packed in a way that is not known")
    bounded(header.width, header.height)
    return header


def _check_palette(header: Header, palette: bytes | None, transparent: bytes | None) -> None:
    colours = len(palette or b"") // 3
    if palette is None and header.colour == _INDEXED:
        raise ValueError("it has no palette")
    if palette is not None:
        most = 1 << header.depth if header.colour == _INDEXED else 256
        if header.colour in (_GREY, _GREY_ALPHA) or len(palette) % 3 or not 0 < colours <= most:
            raise ValueError("its palette does not fit its pixels")
    if transparent is not None:
        fits = {_GREY: (2,), _RGB: (6,), _INDEXED: range(1, colours + 1)}.get(header.colour, ())
        if len(transparent) not in fits:
            raise ValueError("its transparent colours do not fit its pixels")


def _check_pixels(header: Header, packed: bytes) -> None:
    rows = list(_rows(header))
    size = sum(count * length for count, length in rows)
    if size > _MOST_INFLATED:
        raise ValueError(f"its pixels take {size:,} bytes and {_MOST_INFLATED:,} are allowed")
    filters = _Filters(rows)
    try:
        for piece in _inflated(packed):
            filters.look(piece)
    except zlib.error:
        raise ValueError("its pixels cannot be unpacked") from None
    if filters.missing:
        raise ValueError("it has fewer pixels than it says")


def _inflated(packed: bytes) -> Iterator[bytes]:
    """Pieces of bounded size from pieces of bounded size, to the end of both. Raises zlib.error, too."""
    inflater = zlib.decompressobj()
    for end in range(_PIECE, len(packed) + _PIECE, _PIECE):
        left, full = packed[end - _PIECE : end], True
        while left or full:
            piece = inflater.decompress(left, _PIECE)
            left, full = inflater.unconsumed_tail, len(piece) == _PIECE
            yield piece
            if inflater.eof:
                if inflater.unused_data or end < len(packed):
                    raise ValueError("there is something behind its pixels")
                return
    raise ValueError("its pixels end too early")


def _rows(header: Header) -> Iterator[tuple[int, int]]:
    """Of each pass: how many rows it has, and the bytes of each with its filter."""
    bits = header.depth * _SAMPLES[header.colour]
    for left, top, right, down in _ADAM7 if header.interlaced else ((0, 0, 1, 1),):
        across = -((left - header.width) // right)
        rows = -((top - header.height) // down)
        if across > 0 and rows > 0:
            yield rows, 1 + (across * bits + 7) // 8


class _Filters:
    """Sees the inflated bytes pass: every row begins with the number of a filter, and there are as many as expected."""

    def __init__(self, rows: list[tuple[int, int]]) -> None:
        self._passes = [(count * length, length) for count, length in reversed(rows)]
        self._left, self._length = self._passes.pop()
        self._next = 0
        """How far ahead the next row begins."""

    def look(self, piece: bytes) -> None:
        """Raises ValueError for what is no filter, and for a byte too many."""
        while piece:
            if not self._left:
                if not self._passes:
                    raise ValueError("it has more pixels than it says")
                self._left, self._length = self._passes.pop()
                self._next = 0
            seen, piece = piece[: self._left], piece[self._left :]
            if seen[self._next :: self._length].translate(None, _FILTERS):
                raise ValueError("its rows are filtered in a way that is not known")
            self._left -= len(seen)
            self._next = (self._next - len(seen)) % self._length

    @property
    def missing(self) -> bool:
        """Whether something has not come yet."""
        return bool(self._left or self._passes)
