"""What no text of a sandbox may bring to a terminal, a page or a log: the one class of characters, and its escapes.

Escape sequences would steer a terminal, colours hide what is printed after them, directions reorder what the reader
sees, and others are not seen at all: a name could look like another one, and a text carry another text. What joins or
chooses between pictures stays where it is seen to do so: in an emoji, and after a letter of a script that joins its
letters, as in a Persian word. So does what puts letters under or into each other, as in a Khmer word, between two of
them. The signs that stand over Arabic numbers are seen and stay, as does an empty pattern of
Braille, which is as wide as a letter and part of many a plot made of text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_RANGES = (
    (0x00, 0x08), (0x0B, 0x1F), (0x7F, 0x9F), (0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160),
    (0x17B4, 0x17B5), (0x180B, 0x180F), (0x200B, 0x200B), (0x200E, 0x200F), (0x2028, 0x202E), (0x2060, 0x206F),
    (0x3164, 0x3164), (0xD800, 0xDFFF), (0xFE00, 0xFE0D), (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFFB),
    (0x13430, 0x13442), (0x16FE4, 0x16FE4), (0x1BCA0, 0x1BCA3), (0x1D159, 0x1D159), (0x1D173, 0x1D17A),
    (0xE0000, 0xE0FFF),
)  # fmt: skip
_JOINING = (0x200C, 0x200D, 0xFE0E, 0xFE0F)


def _class(ranges: Iterable[tuple[int, int]]) -> str:
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in ranges)


UNSAFE = re.compile(f"[{_class(_RANGES)}]")
"""All but line ends and tabs, wherever they stand."""
_EMOJI = _class((
    (0xA9, 0xA9), (0xAE, 0xAE), (0x203C, 0x203C), (0x2049, 0x2049), (0x2122, 0x2122), (0x2139, 0x2139),
    (0x2190, 0x21FF), (0x2300, 0x23FF), (0x24C2, 0x24C2), (0x25A0, 0x27BF), (0x2900, 0x297F), (0x2B00, 0x2BFF),
    (0x3030, 0x3030), (0x303D, 0x303D), (0x3297, 0x3297), (0x3299, 0x3299), (0x1F000, 0x1FAFF),
))  # fmt: skip
"""What can be an emoji or be part of one, and the symbols around them."""
_JOINED = _class((
    (0x5D0, 0x61B), (0x61D, 0xDFF), (0x1000, 0x109F), (0x1780, 0x17B3), (0x17B6, 0x180A), (0x1810, 0x18AF),
    (0x1A20, 0x1AAF), (0x1B00, 0x1C4F), (0xA840, 0xA8FF), (0xFB1D, 0xFDFF), (0xFE70, 0xFEFC), (0x10A00, 0x11FFF),
    (0x1E900, 0x1E95F),
))  # fmt: skip
"""Scripts whose letters change with what they are joined to: Arabic and its sisters, those of India and around it."""
_STACKING = (
    (0x1039, ((0x1000, 0x1038), (0x103A, 0x109F), (0xA9E0, 0xA9FE), (0xAA60, 0xAA7F)),
     ((0x1000, 0x102A), (0x103F, 0x103F), (0x1050, 0x1055), (0x105A, 0x105D), (0x1061, 0x1061), (0x1065, 0x1066),
      (0x106E, 0x1070), (0x1075, 0x1081), (0xA9E0, 0xA9E4), (0xA9E7, 0xA9EF), (0xAA60, 0xAA7A))),
    (0x17D2, ((0x1780, 0x17B3), (0x17B6, 0x17D1), (0x17DD, 0x17DD)), ((0x1780, 0x17B3),)),
    (0x1A60, ((0x1A20, 0x1A5E), (0x1A61, 0x1A7C)), ((0x1A20, 0x1A54),)),
    (0x1BAB, ((0x1B80, 0x1BAA), (0x1BAC, 0x1BBF)), ((0x1B83, 0x1BA0), (0x1BAE, 0x1BAF), (0x1BBA, 0x1BBF))),
    (0x2D7F, ((0x2D30, 0x2D67),), ((0x2D30, 0x2D67),)),
    (0xAAF6, ((0xAAE0, 0xAAF5), (0xABC0, 0xABEA)), ((0xAAE0, 0xAAEA), (0xABC0, 0xABE2))),
    (0x10A3F, ((0x10A00, 0x10A3A),), ((0x10A10, 0x10A35),)),
    (0x1107F, ((0x11052, 0x1106F),), ((0x11052, 0x1106F),)),
    (0x11133, ((0x11100, 0x11132),), ((0x11103, 0x11126), (0x11144, 0x11144), (0x11147, 0x11147))),
    (0x113D0, ((0x11380, 0x113CF),), ((0x11380, 0x113B5),)),
    (0x1193E, ((0x11900, 0x1193D),), ((0x11900, 0x1192F),)),
    (0x11A47, ((0x11A00, 0x11A46),), ((0x11A0B, 0x11A32),)),
    (0x11A99, ((0x11A50, 0x11A98),), ((0x11A5C, 0x11A89),)),
    (0x11D45, ((0x11D00, 0x11D44),), ((0x11D00, 0x11D30),)),
    (0x11D97, ((0x11D60, 0x11D96),), ((0x11D60, 0x11D89),)),
    (0x11F42, ((0x11F00, 0x11F41),), ((0x11F04, 0x11F33),)),
)  # fmt: skip
"""Unicode's invisible stackers and joiners, each with what it can stand behind and with the letters that it moves."""
_STACKERS = "".join(chr(mark) for mark, _, _ in _STACKING)
_STACKED = "|".join(f"(?<=[{_class(behind)}]{chr(mark)})(?=[{_class(moved)}])" for mark, behind, moved in _STACKING)
_JOINS = (
    f"(?<=[{_EMOJI}][\ufe0e\ufe0f])|(?<=[0-9#*][\ufe0e\ufe0f])(?=\u20e3)|"
    f"(?<=[{_JOINED}][\u200c\u200d])(?<![{_STACKERS}].)|"
    f"(?:(?<=[{_EMOJI}]\u200d)|(?<=[{_EMOJI}]\ufe0f\u200d))(?=[{_EMOJI}])"
)
"""Behind what joins or chooses, where somebody sees it do so. A mark before what joins is not followed by a letter, and
so an escape: nothing joins there."""


def _runs(of: str, but: str) -> re.Pattern[str]:
    """What is to be escaped: these characters, but where they are seen to do something. All that follow each other at
    once, in one pass: a megabyte of them would keep the kernel busy for a second."""
    one = f"[{of}](?!{but})"
    return re.compile(f"{one}(?:{one})*", re.S)


_LONE = _runs(_STACKERS, _STACKED)
_HIDDEN = _runs(
    f"{''.join(map(chr, _JOINING))}{_STACKERS}",
    f"(?<=[{_STACKERS}])(?:{_STACKED})|(?<=[{''.join(map(chr, _JOINING))}])(?:{_JOINS})",
)
_BLANK = 0x2800
_UNSEEN = re.compile(f"[{_class(_RANGES)}{''.join(map(chr, _JOINING))}{chr(_BLANK)}\n\t]")
_SPACES = (0xA0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000)
"""But the one that is typed."""


def _escape(code: int) -> str:
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


# A table, not a function for each: a million zeros would keep the kernel busy for half a second.
_ESCAPES = {code: _escape(code) for first, last in _RANGES for code in range(first, last + 1)}
_OF_MARKS = {code: _escape(code) for code in (*_JOINING, *map(ord, _STACKERS))}
_OF_NAMES = _ESCAPES | {code: _escape(code) for code in (*_JOINING, *_SPACES, _BLANK)}


def visible(text: str) -> str:
    """Text in which such characters are shown as escapes.

    >>> visible("a\\x1b[2Jb")
    'a\\\\x1b[2Jb'
    """
    if text.isascii():
        return text if text.isprintable() or not UNSAFE.search(text) else text.translate(_ESCAPES)
    text = _HIDDEN.sub(_escaped, text)
    return text.translate(_ESCAPES) if UNSAFE.search(text) else text


def _escaped(run: re.Match[str]) -> str:
    return run[0].translate(_OF_MARKS)


def plain(text: str) -> bool:
    """Whether it could be a name: one line in which everything is seen, wherever it stands.

    >>> plain("front"), plain("front\\u034f")
    (True, False)
    """
    return text.isprintable() and (text.isascii() or (_UNSEEN.search(text) is None and _LONE.search(text) is None))


def shortened(text: str, most: int) -> str:
    """The beginning of such a text: at most so many characters of it, and as many when escapes have made it longer.

    >>> shortened("a\\x1b[2Jb", 5)
    'a\\\\x1b'
    """
    return visible(text[:most])[:most]


def ending(text: str, most: int) -> str:
    """The end of such a text in the same way.

    >>> ending("\\x1bab", 4)
    '1bab'
    """
    return visible(text[-most:])[-most:]


def name(text: str, most: int) -> str:
    """Like ``on_one_line``, and whatever joins is an escape, too, as are all spaces but the one that is typed, and that
    one at an end: no name looks like another one.

    >>> name("front\\u200d", 20), name("front ", 20)
    ('front\\\\u200d', 'front\\\\x20')
    """
    text = text[:most].rstrip(" ") if len(text) > most else text
    if not plain(text):
        text = _LONE.sub(_escaped, text.replace("\n", "\\n")).translate(_OF_NAMES)
    return _ended(text)[:most]


def _ended(text: str) -> str:
    inner = text.strip(" ")
    if len(inner) == len(text):
        return text
    before = len(text) - len(text.lstrip(" ")) if inner else 0
    return "\\x20" * before + inner + "\\x20" * (len(text) - len(inner) - before)


def on_one_line(text: str, most: int) -> str:
    """Like ``shortened``, and line ends are escapes, too: where each line is somebody's, none is another's.

    >>> on_one_line("over\\nsandbox 'b' crashed", 12)
    'over\\\\nsandbo'
    """
    return shortened(text[:most].replace("\n", "\\n"), most)
