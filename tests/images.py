"""PNG and JPEG files made by hand, whole and broken: no library that draws is needed to have any."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable

SIGNATURE = b"\x89PNG\r\n\x1a\n"
HIDDEN = b"<script>alert(1)</script>"
"""What must not travel along."""


def chunk(name: bytes, data: bytes = b"") -> bytes:
    """One chunk of a PNG."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def header(width: int, height: int, depth: int = 8, colour: int = 0, interlaced: int = 0) -> bytes:
    """IHDR."""
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced))


def rows(width: int, height: int, fill: int = 0x55) -> bytes:
    """Unpacked pixels of a grey image."""
    return (b"\0" + bytes([fill]) * width) * height


def png_of(*chunks: bytes) -> bytes:
    """A PNG with these chunks."""
    return SIGNATURE + b"".join(chunks)


def png(width: int = 4, height: int = 3, *more: bytes, pixels: bytes | None = None) -> bytes:
    """A grey PNG; ``more`` are chunks before its pixels."""
    packed = zlib.compress(rows(width, height) if pixels is None else pixels)
    return png_of(header(width, height), *more, chunk(b"IDAT", packed), chunk(b"IEND"))


def segment(marker: int, data: bytes) -> bytes:
    """One segment of a JPEG."""
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


QUANTISATION = segment(0xDB, b"\0" + b"\x10" * 64)
HUFFMAN = segment(0xC4, b"\x00\x01" + bytes(15) + b"\x00" + b"\x10\x01" + bytes(15) + b"\x00")
"""One code each: no difference, end of block."""
TABLES = QUANTISATION + HUFFMAN
JFIF = segment(0xE0, b"JFIF\0\1\2\0\0\1\0\1\0\0")


def frame(
    width: int, height: int, marker: int = 0xC0, components: Iterable[tuple[int, int, int]] = ((1, 0x11, 0),)
) -> bytes:
    """A frame header; a component is its number, its sampling factors and its table."""
    listed = b"".join(bytes(one) for one in components)
    return segment(marker, struct.pack(">BHHB", 8, height, width, len(listed) // 3) + listed)


def scan(
    packed: bytes = b"\x3f", numbers: Iterable[int] = (1,), first: int = 0, last: int = 63, bits: int = 0
) -> bytes:
    """A scan with its packed bits."""
    listed = b"".join(bytes((number, 0)) for number in numbers)
    return segment(0xDA, bytes((len(listed) // 2,)) + listed + bytes((first, last, bits))) + packed


def jpeg_of(*segments: bytes) -> bytes:
    """A JPEG with these segments."""
    return b"\xff\xd8" + b"".join(segments) + b"\xff\xd9"


def jpeg(width: int = 8, height: int = 8, *more: bytes) -> bytes:
    """A grey JPEG of one block in two dimensions; ``more`` are segments at its beginning."""
    return jpeg_of(*more, TABLES, frame(width, height), scan())
