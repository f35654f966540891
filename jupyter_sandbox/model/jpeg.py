"""JPEG files: which are well formed, and what of them is shown (ITU T.81, with what decoders in use can do).

Kept are the tables, the frame header, and the scans. Of what applications add
only two facts stay, written anew: that the file is JFIF, and how Adobe says its
colours are stored, without which they would be others. Comments, EXIF and profiles are left out.
What a scan says in its packed bits is not decoded: there a decoder meets grey
where it is damaged.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from struct import Struct
from typing import Final

from .extent import bounded

_SOI, _EOI, _SOS, _DQT, _DHT, _DRI, _COM = 0xD8, 0xD9, 0xDA, 0xDB, 0xC4, 0xDD, 0xFE
_BASELINE, _EXTENDED, _PROGRESSIVE = 0xC0, 0xC1, 0xC2
_APP0, _ADOBE, _APP15 = 0xE0, 0xEE, 0xEF
_RESTARTS: Final = range(0xD0, 0xD8)
_LENGTH = Struct(">H")
_FRAME = Struct(">BHHB")
_MARK = re.compile(rb"\xff(?!\x00)")
_JFIF: Final = b"JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
_MOST_BLOCKS: Final = 10
"""Of one unit of a scan (T.81, B.2.3)."""
_MOST_SCANS: Final = 64
_MOST_WORK: Final = 500_000_000
"""Scans times pixels: each scan goes through the whole image again, and a scan of nothing takes a dozen bytes."""


@dataclass(slots=True)
class _Component:
    across: int
    down: int
    table: int
    scans: int = 0


@dataclass(slots=True)
class _Reader:
    """Where we are in the file and what it has told so far."""

    body: bytes
    position: int = 2
    kept: list[bytes] = field(default_factory=lambda: [bytes((0xFF, _SOI))])
    jfif: bool = False
    transform: int | None = None
    frame: int = 0
    width: int = 0
    height: int = 0
    components: dict[int, _Component] = field(default_factory=dict)
    quantised: set[int] = field(default_factory=set)
    huffman: set[tuple[int, int]] = field(default_factory=set)
    """Class (0 for DC, 1 for AC) and number."""
    interval: int = 0
    scans: int = 0


def canonical_jpeg(body: bytes) -> tuple[bytes, int, int]:
    """The file with its checked segments alone, its width and its height. Raises ValueError with the reason."""
    if not body.startswith(b"\xff\xd8\xff"):
        raise ValueError("it does not begin as a JPEG does")
    reader = _Reader(body)
    while (marker := _marker(reader)) != _EOI:
        data = _segment(reader)
        if (take := _SEGMENTS.get(marker)) is not None:
            take(reader, marker, data)
            reader.kept.append(_written(marker, data))
            if marker == _SOS:
                _pass_over(reader)
        elif _APP0 <= marker <= _APP15:
            _note(reader, marker, data)
        elif marker != _COM:
            raise ValueError(f"its marker {marker:02X} is not known")
    _check_end(reader)
    return _assembled(reader), reader.width, reader.height


def _assembled(reader: _Reader) -> bytes:
    facts = [_written(_APP0, _JFIF)] if reader.jfif else []
    if reader.transform is not None:
        facts.append(_written(_ADOBE, b"Adobe\x00\x64\x00\x00\x00\x00" + bytes((reader.transform,))))
    return b"".join((reader.kept[0], *facts, *reader.kept[1:], bytes((0xFF, _EOI))))


def _check_end(reader: _Reader) -> None:
    if reader.position != len(reader.body):
        raise ValueError("there is something behind its end")
    if not reader.frame or not all(one.scans for one in reader.components.values()):
        raise ValueError("it ends before all of its image has come")


def _marker(reader: _Reader) -> int:
    """The next marker; it may be filled up before."""
    body, position = reader.body, reader.position
    if body[position : position + 1] != b"\xff":
        raise ValueError("it ends early, or has something between its segments")
    while body[position : position + 1] == b"\xff":
        position += 1
    if position >= len(body):
        raise ValueError("it ends early")
    reader.position = position + 1
    return body[position]


def _segment(reader: _Reader) -> bytes:
    start = reader.position + _LENGTH.size
    if start > len(reader.body):
        raise ValueError("it ends early")
    (size,) = _LENGTH.unpack_from(reader.body, reader.position)
    end = reader.position + size
    if end < start or end > len(reader.body):
        raise ValueError("one of its segments has a length that cannot be")
    reader.position = end
    return reader.body[start:end]


def _written(marker: int, data: bytes) -> bytes:
    return bytes((0xFF, marker)) + _LENGTH.pack(len(data) + _LENGTH.size) + data


def _note(reader: _Reader, marker: int, data: bytes) -> None:
    if marker == _APP0 and data.startswith(b"JFIF\x00"):
        reader.jfif = True
    elif marker == _ADOBE and data.startswith(b"Adobe") and len(data) >= 12:
        if data[11] > 2:
            raise ValueError("its colours are stored in a way that is not known")
        reader.transform = data[11]


# --- tables -----------------------------------------------------------------------------------------------------------


def _quantisation(reader: _Reader, marker: int, data: bytes) -> None:
    while data:
        wide, number = data[0] >> 4, data[0] & 15
        size = 65 + 64 * wide
        high, low = data[1 : size : 1 + wide], data[1 + wide : size : 1 + wide]
        fits = wide <= 1 and number <= 3 and len(data) >= size
        if not fits or not all(map(int.__or__, high, low)):
            raise ValueError("one of its quantisation tables is damaged")
        reader.quantised.add(number)
        data = data[size:]


def _huffman(reader: _Reader, marker: int, data: bytes) -> None:
    while data:
        kind, number, counts = data[0] >> 4, data[0] & 15, data[1:17]
        size = 17 + sum(counts)
        symbols = data[17:size]
        fits = kind <= 1 and number <= 3 and len(data) >= size and 0 < len(symbols) <= 256
        if not fits or _overflows(counts) or (not kind and max(symbols) > 15):
            raise ValueError("one of its Huffman tables is damaged")
        reader.huffman.add((kind, number))
        data = data[size:]


def _overflows(counts: bytes) -> bool:
    """Whether there are more codes than bits for them; no code is all ones."""
    code = 0
    for length, count in enumerate(counts, 1):
        code += count
        if count and code >= 1 << length:
            return True
        code <<= 1
    return False


def _restart_interval(reader: _Reader, marker: int, data: bytes) -> None:
    if len(data) != _LENGTH.size:
        raise ValueError("its restart interval is damaged")
    (reader.interval,) = _LENGTH.unpack(data)


# --- the frame and its scans ------------------------------------------------------------------------------------------


def _start_frame(reader: _Reader, marker: int, data: bytes) -> None:
    if reader.frame:
        raise ValueError("it has two frames")
    if len(data) < _FRAME.size or len(data) != _FRAME.size + 3 * data[5] or data[5] not in (1, 3, 4):
        raise ValueError("its frame header is damaged")
    precision, reader.height, reader.width, _ = _FRAME.unpack_from(data)
    if precision != 8:
        raise ValueError(f"its samples have {precision} bits and 8 are shown")
    bounded(reader.width, reader.height)
    for number, sampling, table in zip(*[iter(data[_FRAME.size :])] * 3, strict=True):
        reader.components[number] = _Component(sampling >> 4, sampling & 15, table)
    _check_components(list(reader.components.values()), data[5])
    reader.frame = marker


def _check_components(components: list[_Component], count: int) -> None:
    if len(components) != count or any(one.table > 3 for one in components):
        raise ValueError("its frame header is damaged")
    for factors in ([one.across for one in components], [one.down for one in components]):
        if any(not 1 <= factor <= 4 or max(factors) % factor for factor in factors):
            raise ValueError("its colours are sampled in a way that is not known")


def _start_scan(reader: _Reader, marker: int, data: bytes) -> None:
    count = data[0] if data else 0
    if not reader.frame or not 1 <= count <= 4 or len(data) != 4 + 2 * count:
        raise ValueError("one of its scan headers is damaged")
    reader.scans += 1
    if reader.scans > _MOST_SCANS or reader.scans * reader.width * reader.height > _MOST_WORK:
        raise ValueError("it has more scans than are shown")
    numbers = data[1 : 1 + 2 * count : 2]
    if len(set(numbers)) != count or not reader.components.keys() >= set(numbers):
        raise ValueError("one of its scans is of a component that is not there")
    chosen = [reader.components[number] for number in numbers]
    if count > 1 and sum(one.across * one.down for one in chosen) > _MOST_BLOCKS:
        raise ValueError("one of its scans has too many blocks in a unit")
    first, last, bits = data[-3:]
    _check_progress(reader, chosen, first, last, bits)
    _check_tables(reader, chosen, data[2 : 2 + 2 * count : 2], first, last, bits)
    for one in chosen:
        one.scans += 1


def _check_progress(reader: _Reader, chosen: list[_Component], first: int, last: int, bits: int) -> None:
    """Which coefficients a scan brings, and whether they may come now."""
    if reader.frame != _PROGRESSIVE:
        legal = (first, last, bits) == (0, 63, 0) and not any(one.scans for one in chosen)
    else:
        high, low = bits >> 4, bits & 15
        band = last == 0 if first == 0 else first <= last <= 63 and len(chosen) == 1
        legal = band and low <= 13 and high in (0, low + 1) and (first == 0 or all(one.scans for one in chosen))
    if not legal:
        raise ValueError("one of its scans comes out of order")


def _check_tables(reader: _Reader, chosen: list[_Component], tables: bytes, first: int, last: int, bits: int) -> None:
    for component, table in zip(chosen, tables, strict=True):
        wanted: set[tuple[int, int]] = set()
        if first == 0 and not bits >> 4:
            wanted.add((0, table >> 4))
        if last:
            wanted.add((1, table & 15))
        if component.table not in reader.quantised or not wanted <= reader.huffman:
            raise ValueError("one of its scans needs a table that has not come")


def _pass_over(reader: _Reader) -> None:
    """Keep the packed bits up to the next marker that is no restart."""
    start, expected = reader.position, 0
    position = start
    while (found := _MARK.search(reader.body, position)) is not None:
        position = found.start()
        code = reader.body[position + 1 : position + 2]
        if not code or code[0] not in _RESTARTS:
            break
        if not reader.interval or code[0] != _RESTARTS[expected]:
            raise ValueError("it restarts out of order")
        expected, position = (expected + 1) % len(_RESTARTS), position + 2
    else:
        raise ValueError("it ends early")
    if position == start:
        raise ValueError("one of its scans is empty")
    reader.kept.append(reader.body[start:position])
    reader.position = position


_SEGMENTS: Final[dict[int, Callable[[_Reader, int, bytes], None]]] = {
    _DQT: _quantisation, _DHT: _huffman, _DRI: _restart_interval, _SOS: _start_scan,
    _BASELINE: _start_frame, _EXTENDED: _start_frame, _PROGRESSIVE: _start_frame,
}  # fmt: skip
