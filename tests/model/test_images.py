"""What passes as an image: whole files of known parts, of a bearable size, written anew without anything else."""

from __future__ import annotations

import struct
import tracemalloc
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_sandbox.model.extent import MOST_ACROSS, MOST_PIXELS
from jupyter_sandbox.model.images import checked
from jupyter_sandbox.model.picture import JPEG, MOST_BYTES, PNG, Drawn, Picture

from .. import images as i

PALETTE, COLOURS = i.chunk(b"PLTE", bytes(range(6))), i.chunk(b"tRNS", b"\0\x80")
IDAT, IEND = i.chunk(b"IDAT", zlib.compress(i.rows(4, 3))), i.chunk(b"IEND")
INDEXED = i.png_of(i.header(8, 1, 1, 3), PALETTE, COLOURS, i.chunk(b"IDAT", zlib.compress(b"\0\x0f")), IEND)
COLOUR = [(1, 0x22, 0), (2, 0x11, 0), (3, 0x11, 0)]
PROGRESSIVE = i.jpeg_of(
    i.TABLES, i.frame(8, 8, 0xC2), i.scan(last=0), i.scan(first=1, last=5), i.scan(first=6, last=63, bits=1)
)
GOOD_PNG = {
    "grey": i.png(),
    "one pixel": i.png(1, 1),
    "a palette with a transparent colour": INDEXED,
    "true colour, 16 bits, transparent": i.png_of(
        i.header(2, 1, 16, 6), i.chunk(b"IDAT", zlib.compress(b"\4" + bytes(16))), IEND
    ),
    "pixels in many pieces": i.png_of(i.header(4, 3), *(i.chunk(b"IDAT", bytes((one,))) for one in IDAT[8:-4]), IEND),
    "interlaced": i.png_of(i.header(8, 8, 8, 0, 1), i.chunk(b"IDAT", zlib.compress(bytes(15 + 64))), IEND),
    "interlaced, one pixel": i.png_of(i.header(1, 1, 8, 0, 1), i.chunk(b"IDAT", zlib.compress(bytes(2))), IEND),
}
GOOD_JPEG = {
    "grey": i.jpeg(),
    "with the header of its format": i.jpeg(8, 8, i.JFIF),
    "colour": i.jpeg_of(i.TABLES, i.frame(16, 16, components=COLOUR), i.scan(b"\0\0\xff\0\x3f", (1, 2, 3))),
    "colour, a scan each": i.jpeg_of(i.TABLES, i.frame(8, 8, 0xC1, COLOUR), *(i.scan(numbers=(n,)) for n in (3, 1, 2))),
    "progressive": PROGRESSIVE,
    "restarts": i.jpeg_of(i.TABLES, i.frame(24, 8), i.segment(0xDD, b"\0\1"), i.scan(b"\x3f\xff\xd0\x3f\xff\xd1\x3f")),
    "filled up before markers": i.jpeg_of(i.QUANTISATION, b"\xff\xff" + i.HUFFMAN, i.frame(8, 8), i.scan()),
}
GOOD = [*((PNG, name) for name in GOOD_PNG), *((JPEG, name) for name in GOOD_JPEG)]


def file(mime: str, name: str) -> bytes:
    return (GOOD_PNG if mime == PNG else GOOD_JPEG)[name]


def refusal(mime: str, body: bytes) -> str:
    with pytest.raises(ValueError, match=r"\S") as caught:
        checked(mime, body)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(("mime", "name"), GOOD)
def test_a_whole_file_passes_with_its_size_and_passes_again_unchanged(mime: str, name: str) -> None:
    picture = checked(mime, file(mime, name))
    assert (picture.mime, checked(mime, picture.body)) == (mime, picture)
    assert 0 < picture.width <= 24 and 0 < picture.height <= 16
    assert len(picture.body) <= len(file(mime, name))


def test_pixels_palette_and_transparency_are_kept_as_they_are() -> None:
    assert checked(PNG, i.png()).body == i.png()
    assert checked(PNG, INDEXED).body == INDEXED
    assert checked(PNG, GOOD_PNG["pixels in many pieces"]).body == i.png_of(i.header(4, 3), IDAT, IEND)
    assert checked(JPEG, i.jpeg()).body == i.jpeg()
    assert checked(JPEG, PROGRESSIVE).body == PROGRESSIVE


@pytest.mark.parametrize("behind", [0, 1, 1 << 16])
def test_pixels_that_are_packed_into_many_kilobytes_are_read_to_their_end(behind: int) -> None:
    packed = zlib.compress(i.rows(1_000, 300), 0) + bytes(behind)
    body = i.png_of(i.header(1_000, 300), i.chunk(b"IDAT", packed), IEND)
    if behind:
        assert "behind its pixels" in refusal(PNG, body)
    else:
        assert checked(PNG, body).body == body
    assert "early" in refusal(PNG, i.png_of(i.header(1_000, 300), i.chunk(b"IDAT", packed[: 1 << 16]), IEND))


@pytest.mark.parametrize(
    "name", [b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"iCCP", b"pHYs", b"tIME", b"acTL", b"fdAT", b"evIl"]
)
def test_whatever_a_png_can_do_without_is_left_out(name: bytes) -> None:
    told = i.chunk(name, i.HIDDEN)
    body = i.png_of(i.header(4, 3), told, told, IDAT, told, IEND)
    assert checked(PNG, body).body == i.png()


@pytest.mark.parametrize("marker", [0xFE, 0xE0, 0xE1, 0xE2, 0xED, 0xEE, 0xEF])
def test_comments_and_what_applications_add_to_a_jpeg_are_left_out(marker: int) -> None:
    told = i.segment(marker, i.HIDDEN)
    body = i.jpeg_of(told, i.TABLES, told, i.frame(8, 8), told, i.scan(), told)
    assert checked(JPEG, body).body == i.jpeg()


def test_how_colours_are_stored_stays_and_nothing_beside_it() -> None:
    adobe = i.segment(0xEE, b"Adobe\0\x64\x12\x34\x56\x78\2" + i.HIDDEN)
    thumbnail = i.segment(0xE0, b"JFIF\0\1\2\1\0\x48\0\x48\1\1" + i.HIDDEN)
    written = checked(JPEG, i.jpeg(8, 8, thumbnail, adobe)).body
    assert written == i.jpeg(
        8, 8, i.segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0"), i.segment(0xEE, b"Adobe\0\x64\0\0\0\0\2")
    )
    assert "colours" in refusal(JPEG, i.jpeg(8, 8, i.segment(0xEE, b"Adobe\0\x64\0\0\0\0\3")))


BAD_PNG = {
    "nothing": (b"", "begin"),
    "a page": (b"<html>" + i.HIDDEN, "begin"),
    "a jpeg": (i.jpeg(), "begin"),
    "the signature alone": (i.SIGNATURE, "IEND"),
    "something before": (b"\n" + i.png(), "begin"),
    "a script behind its end": (i.png() + i.HIDDEN, "behind its end"),
    "a chunk behind its end": (i.png() + i.chunk(b"tEXt", i.HIDDEN), "behind its end"),
    "two files": (i.png() + i.png()[8:], "behind its end"),
    "words in its end": (i.png_of(i.header(4, 3), IDAT, i.chunk(b"IEND", i.HIDDEN)), "IEND"),
    "no end": (i.png_of(i.header(4, 3), IDAT), "IEND"),
    "no pixels": (i.png_of(i.header(4, 3), IEND), "IDAT"),
    "no header": (i.png_of(IDAT, IEND), "IHDR"),
    "a text before its header": (i.png_of(i.chunk(b"tEXt", b"a"), i.header(4, 3), IDAT, IEND), "IHDR"),
    "two headers": (i.png_of(i.header(4, 3), i.header(4, 3), IDAT, IEND), "order"),
    "a palette behind its pixels": (i.png_of(i.header(4, 3, 8, 2), IDAT, PALETTE, IEND), "order"),
    "something between its pixels": (i.png_of(i.header(4, 3), IDAT, i.chunk(b"tEXt"), IDAT, IEND), "order"),
    "an unknown chunk that must be known": (i.png(4, 3, i.chunk(b"EVIL")), "EVIL is not known"),
    "a name with markup": (i.png(4, 3, i.chunk(b"<im>")), "letters"),
    "a wrong sum": (i.png()[:-1] + b"\0", "damaged"),
    "a length beyond its end": (i.png()[:8] + b"\xff\xff\xff\xff" + i.png()[12:], "ends within"),
    "a short header": (i.png_of(i.chunk(b"IHDR", b"\0" * 12), IDAT, IEND), "length"),
    "no width": (i.png_of(i.header(0, 3), IDAT, IEND), "no pixels"),
    "too wide": (i.png_of(i.header(MOST_ACROSS + 1, 1), IDAT, IEND), "more than are shown"),
    "too many pixels": (i.png_of(i.header(MOST_ACROSS, MOST_ACROSS), IDAT, IEND), "more than are shown"),
    "four thousand millions across": (i.png_of(i.header(2**32 - 1, 2**32 - 1), IDAT, IEND), "more than are shown"),
    "wide pixels": (i.png_of(i.header(5_000, 5_000, 16, 6), IDAT, IEND), "200,005,000 bytes"),
    "three bits": (i.png_of(i.header(4, 3, 3), IDAT, IEND), "3 bits"),
    "unknown colours": (i.png_of(i.header(4, 3, 8, 5), IDAT, IEND), "colour type 5"),
    "unknown packing": (i.png_of(i.header(4, 3, 8, 0, 2), IDAT, IEND), "packed"),
    "colours without a palette": (i.png_of(i.header(4, 3, 8, 3), IDAT, IEND), "no palette"),
    "a palette of grey": (i.png(4, 3, PALETTE), "palette"),
    "half a colour": (i.png_of(i.header(4, 3, 8, 3), i.chunk(b"PLTE", b"1234"), IDAT, IEND), "palette"),
    "colours that no pixel has": (i.png_of(i.header(8, 1, 1, 3), i.chunk(b"PLTE", bytes(9)), IDAT, IEND), "palette"),
    "transparency that does not fit": (i.png(4, 3, i.chunk(b"tRNS", b"123")), "transparent"),
    "no pixels in its pixels": (i.png_of(i.header(4, 3), i.chunk(b"IDAT"), IEND), "early"),
    "pixels that are not packed": (i.png_of(i.header(4, 3), i.chunk(b"IDAT", i.rows(4, 3)), IEND), "unpacked"),
    "half of its pixels": (i.png(pixels=i.rows(4, 3)[:-1]), "fewer pixels"),
    "one row too many": (i.png(pixels=i.rows(4, 4)), "more pixels"),
    "an unknown filter": (i.png(pixels=b"\0    \5    \0    "), "filtered"),
    "packed pixels that end early": (
        i.png_of(i.header(4, 3), i.chunk(b"IDAT", zlib.compress(i.rows(4, 3))[:-5]), IEND), "early"
    ),
    "words behind its pixels": (
        i.png_of(i.header(4, 3), i.chunk(b"IDAT", zlib.compress(i.rows(4, 3)) + i.HIDDEN), IEND), "behind its pixels"
    ),
    "interlaced with pixels for none": (i.png_of(i.header(4, 3, 8, 0, 1), IDAT, IEND), "filtered"),
}  # fmt: skip
BAD_JPEG = {
    "nothing": (b"", "begin"),
    "a png": (i.png(), "begin"),
    "its beginning alone": (b"\xff\xd8\xff", "early"),
    "a script behind its end": (i.jpeg() + i.HIDDEN, "behind its end"),
    "a second file behind its end": (i.jpeg() + i.jpeg(), "behind its end"),
    "no end": (i.jpeg()[:-2], "early"),
    "nothing in it": (i.jpeg_of(), "all of its image"),
    "tables alone": (i.jpeg_of(i.TABLES), "all of its image"),
    "no scan": (i.jpeg_of(i.TABLES, i.frame(8, 8)), "all of its image"),
    "a scan before its frame": (i.jpeg_of(i.TABLES, i.scan(), i.frame(8, 8)), "scan header"),
    "a scan of half its colours": (
        i.jpeg_of(i.TABLES, i.frame(16, 16, components=COLOUR), i.scan(numbers=(1,))), "all of its image"
    ),
    "two frames": (i.jpeg_of(i.TABLES, i.frame(8, 8), i.frame(8, 8), i.scan()), "two frames"),
    "an empty scan": (i.jpeg_of(i.TABLES, i.frame(8, 8), i.scan(b"")), "empty"),
    "a scan twice": (i.jpeg_of(i.TABLES, i.frame(8, 8), i.scan(), i.scan()), "out of order"),
    "words between its segments": (i.jpeg_of(i.TABLES, i.HIDDEN, i.frame(8, 8), i.scan()), "between"),
    "a length beyond its end": (b"\xff\xd8\xff\xdb\xff\xff" + i.jpeg()[6:], "length"),
    "a length of nothing": (b"\xff\xd8\xff\xe0\0\0" + i.jpeg()[2:], "length"),
    "no width": (i.jpeg(0, 8), "no pixels"),
    "a height that comes later": (i.jpeg(8, 0), "no pixels"),
    "huge": (i.jpeg(65_535, 65_535), "more than are shown"),
    "arithmetic coding": (i.jpeg_of(i.TABLES, i.frame(8, 8, 0xC9), i.scan()), "C9 is not known"),
    "lossless": (i.jpeg_of(i.TABLES, i.frame(8, 8, 0xC3), i.scan()), "C3 is not known"),
    "twelve bits": (i.jpeg_of(i.TABLES, i.frame(8, 8).replace(b"\x0b\x08", b"\x0b\x0c"), i.scan()), "12 bits"),
    "two components": (i.jpeg_of(i.TABLES, i.frame(8, 8, components=COLOUR[:2]), i.scan()), "frame header"),
    "one component twice": (i.jpeg_of(i.TABLES, i.frame(8, 8, components=COLOUR[:1] * 3), i.scan()), "frame header"),
    "sampled by nothing": (i.jpeg_of(i.TABLES, i.frame(8, 8, components=[(1, 0, 0)]), i.scan()), "sampled"),
    "two of three": (
        i.jpeg_of(i.TABLES, i.frame(8, 8, components=[(1, 0x31, 0), (2, 0x21, 0), (3, 0x11, 0)]), i.scan()), "sampled"
    ),
    "a component that is not there": (i.jpeg_of(i.TABLES, i.frame(8, 8), i.scan(numbers=(2,))), "not there"),
    "no tables": (i.jpeg_of(i.frame(8, 8), i.scan()), "table that has not come"),
    "no codes": (i.jpeg_of(i.QUANTISATION, i.frame(8, 8), i.scan()), "table that has not come"),
    "a quantiser of nothing": (i.jpeg(8, 8, i.segment(0xDB, bytes(65))), "quantisation"),
    "half a quantiser": (i.jpeg(8, 8, i.segment(0xDB, bytes(30))), "quantisation"),
    "more codes than bits": (i.jpeg(8, 8, i.segment(0xC4, b"\0\3" + bytes(15) + b"\0\1\2")), "Huffman"),
    "a code of ones alone": (i.jpeg(8, 8, i.segment(0xC4, b"\0\2" + bytes(15) + b"\0\1")), "Huffman"),
    "symbols that are missing": (i.jpeg(8, 8, i.segment(0xC4, b"\0\0\3" + bytes(14) + b"\0")), "Huffman"),
    "a restart that nobody announced": (i.jpeg_of(i.TABLES, i.frame(8, 8), i.scan(b"\x3f\xff\xd0\x3f")), "restarts"),
    "restarts out of order": (
        i.jpeg_of(i.TABLES, i.frame(24, 8), i.segment(0xDD, b"\0\1"), i.scan(b"\x3f\xff\xd1\x3f")), "restarts"
    ),
    "a refinement of nothing": (i.jpeg_of(i.TABLES, i.frame(8, 8, 0xC2), i.scan(last=0, bits=0x20)), "out of order"),
    "details before the rest": (i.jpeg_of(i.TABLES, i.frame(8, 8, 0xC2), i.scan(first=1)), "out of order"),
    "more scans than a decoder bears": (
        i.jpeg_of(i.TABLES, i.frame(8, 8, 0xC2), *[i.scan(last=0)] * 100), "more scans"
    ),
    "a large image again and again": (
        i.jpeg_of(i.TABLES, i.frame(5_000, 5_000, 0xC2), *[i.scan(last=0)] * 30), "more scans"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_PNG)
def test_a_png_that_is_not_whole_or_not_alone_is_refused_with_the_reason(name: str) -> None:
    body, reason = BAD_PNG[name]
    assert reason in refusal(PNG, body)


@pytest.mark.parametrize("name", BAD_JPEG)
def test_a_jpeg_that_is_not_whole_or_not_alone_is_refused_with_the_reason(name: str) -> None:
    body, reason = BAD_JPEG[name]
    assert reason in refusal(JPEG, body)


@pytest.mark.parametrize("mime", ["image/svg+xml", "text/html", "", "image/png; x"])
def test_other_types_are_refused(mime: str) -> None:
    assert "neither" in refusal(mime, i.png())


def test_a_file_that_is_too_large_is_not_looked_at() -> None:
    assert "1,048,577 bytes" in refusal(PNG, bytes(MOST_BYTES + 1))


def test_what_unpacks_to_more_than_its_header_says_is_not_unpacked() -> None:
    bomb = i.png(4, 3, pixels=bytes(300_000_000))
    assert len(bomb) < MOST_BYTES
    tracemalloc.start()
    try:
        assert "more pixels" in refusal(PNG, bomb)
        assert tracemalloc.get_traced_memory()[1] < 3_000_000
    finally:
        tracemalloc.stop()


def test_the_largest_image_takes_no_memory_to_check() -> None:
    body = i.png(5_000, 5_000, pixels=bytes(5_001 * 5_000))
    tracemalloc.start()
    try:
        assert checked(PNG, body).width * 5_000 == MOST_PIXELS
        assert tracemalloc.get_traced_memory()[1] < 3_000_000
    finally:
        tracemalloc.stop()


# --- laws -------------------------------------------------------------------------------------------------------------


def pixels_of(body: bytes) -> list[bytes]:
    """The rows of a PNG, by another way than that of the checker: strict, all at once, with the filters undone."""
    assert body[:8] == i.SIGNATURE
    position, found = 8, []
    while position < len(body):
        (size,) = struct.unpack_from(">I", body, position)
        name, data = body[position + 4 : position + 8], body[position + 8 : position + 8 + size]
        assert i.chunk(name, data) == body[position : position + 12 + size]
        found.append((name, data))
        position += 12 + size
    assert [name for name, _ in found if name not in (b"PLTE", b"tRNS")] == [b"IHDR", b"IDAT", b"IEND"]
    assert found[0][0] == b"IHDR" and found[-1] == (b"IEND", b"")
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", found[0][1])
    bits = depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    raw = zlib.decompress(dict(found)[b"IDAT"])
    shapes = [(width, height)]
    if interlaced:
        starts = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
        shapes = [(len(range(x, width, dx)), len(range(y, height, dy))) for x, y, dx, dy in starts]
    result, step = [], max(1, bits // 8)
    for across, down in shapes:
        before = bytes((across * bits + 7) // 8)
        for _ in range(down if across else 0):
            kind, line, raw = raw[0], bytearray(raw[1 : 1 + len(before)]), raw[1 + len(before) :]
            assert len(line) == len(before)
            for at in range(len(line)):
                left, corner = (line[at - step], before[at - step]) if at >= step else (0, 0)
                line[at] = line[at] + predicted(kind, left, before[at], corner) & 255
            before = bytes(line)
            result.append(before)
    assert raw == b""
    return result


def predicted(kind: int, left: int, above: int, corner: int) -> int:
    """What each filter of PNG adds; KeyError for none of them."""
    guess = left + above - corner
    nearest = min((left, above, corner), key=lambda one: abs(guess - one))
    return {0: 0, 1: left, 2: above, 3: (left + above) // 2, 4: nearest}[kind]


def mended(body: bytes) -> bytes:
    """The sums of a PNG's chunks made right again, as far as its lengths go: damage that no sum gives away."""
    out, position = body[:8], 8
    while position + 12 <= len(body):
        size = int.from_bytes(body[position : position + 4], "big")
        if position + 12 + size > len(body):
            break
        out += i.chunk(body[position + 4 : position + 8], body[position + 8 : position + 8 + size])
        position += 12 + size
    return out + body[position:]


@st.composite
def damaged(draw: Any) -> tuple[str, bytes]:
    """A good file with bytes changed, cut out, put in, doubled, or its parts in another order."""
    mime, name = draw(st.sampled_from(GOOD))
    body = bytearray(file(mime, name))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(body)))
        end = draw(st.integers(start, min(len(body), start + 20)))
        kept = bytes(body[start:end])
        put = draw(st.one_of(st.binary(max_size=8), st.sampled_from([kept + kept, i.HIDDEN, b"\xff\xd9", IEND, IDAT])))
        body[start:end] = put
    return mime, mended(bytes(body)) if mime == PNG and draw(st.booleans()) else bytes(body)


def holds(mime: str, body: bytes) -> bool:
    """The law of the checker; whether the file passed."""
    try:
        picture = checked(mime, body)
    except ValueError as refused:
        assert str(refused) and "\n" not in str(refused)
        return False
    assert checked(mime, picture.body) == picture
    assert len(picture.body) <= len(body) + 40
    if mime == PNG:
        assert len(pixels_of(picture.body)) >= picture.height
    else:
        assert picture.body[:2] == b"\xff\xd8" and picture.body.endswith(b"\xff\xd9")
    return True


@pytest.mark.parametrize(("mime", "name"), GOOD)
def test_good_files_keep_the_law(mime: str, name: str) -> None:
    assert holds(mime, file(mime, name))


@given(damaged())
def test_a_damaged_file_is_refused_or_is_whole_as_another_decoder_sees_it(given_file: tuple[str, bytes]) -> None:
    holds(*given_file)


@given(st.sampled_from([PNG, JPEG]), st.binary(max_size=300))
def test_any_bytes_are_an_image_or_refused(mime: str, body: bytes) -> None:
    holds(mime, body)
    holds(mime, (i.SIGNATURE if mime == PNG else b"\xff\xd8\xff") + body)


@pytest.mark.parametrize(("mime", "name"), GOOD)
def test_no_file_passes_that_ends_anywhere_before_its_end(mime: str, name: str) -> None:
    body = file(mime, name)
    for end in range(len(body)):
        refusal(mime, body[:end])


# --- shown ------------------------------------------------------------------------------------------------------------


def test_a_drawn_value_is_shown_as_its_picture_and_as_text_alone() -> None:
    picture = checked(PNG, i.png())
    shown = Drawn(["<b>"], picture)._repr_mimebundle_()
    assert shown == {"text/plain": "['<b>']\n<image/png, 4 × 3, 71 bytes>", "image/png": shown["image/png"]}
    assert picture._repr_mimebundle_()["image/png"] == shown["image/png"]
    assert Drawn(7, None, "why")._repr_mimebundle_() == {"text/plain": "7\n(no picture: why)"}
    assert Picture(JPEG, b"x", 1, 1)._repr_mimebundle_()["image/jpeg"] == "eA=="
