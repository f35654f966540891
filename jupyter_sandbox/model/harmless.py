"""What no text of a sandbox may bring to a terminal, a page or a log: the one class of characters, and its escapes.

Escape sequences would steer a terminal, colours hide what is printed after them, directions reorder what the reader
sees, and others are not seen at all. What joins the parts of an emoji or of a Persian word stays, and so do the signs
that stand over Arabic numbers, which are seen.
"""

from __future__ import annotations

import re

_RANGES = (
    (0x00, 0x08), (0x0B, 0x1F), (0x7F, 0x9F), (0xAD, 0xAD), (0x61C, 0x61C), (0x180E, 0x180E), (0x200B, 0x200B),
    (0x200E, 0x200F), (0x2028, 0x202E), (0x2060, 0x206F), (0xD800, 0xDFFF), (0xFEFF, 0xFEFF), (0xFFF9, 0xFFFB),
    (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE007F),
)  # fmt: skip
UNSAFE = re.compile("[" + "".join(f"{chr(first)}-{chr(last)}" for first, last in _RANGES) + "]")
"""All but line ends and tabs."""


def _escape(code: int) -> str:
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


# A table, not a function for each: a million zeros would keep the kernel busy for half a second.
_ESCAPES = {code: _escape(code) for first, last in _RANGES for code in range(first, last + 1)}


def visible(text: str) -> str:
    """Text in which such characters are shown as escapes.

    >>> visible("a\\x1b[2Jb")
    'a\\\\x1b[2Jb'
    """
    return text.translate(_ESCAPES) if not text.isprintable() and UNSAFE.search(text) else text
