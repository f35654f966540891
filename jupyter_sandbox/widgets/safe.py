"""Text that came out of a sandbox, made safe to show: bounded, without control characters, escaped for HTML.

Nothing from a sandbox may reach a page or a terminal without passing here.
"""

from __future__ import annotations

import html
import re

PRE = (
    '<pre style="margin:0;padding:0;font-family:var(--jp-code-font-family,monospace);'
    'font-size:var(--jp-code-font-size,13px);white-space:pre-wrap;overflow-wrap:anywhere">'
)
"""Opens lines of text in a fixed-width font; sites differ in what they make of a bare ``<pre>``."""

# Escape sequences would steer a terminal; bidirectional controls would reorder what the reader sees, and others are
# not seen at all. What joins the parts of an emoji or of a Persian word stays.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2064\u2066-\u2069\ufeff\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)


def clean(value: object, limit: int = 200) -> str:
    """One bounded piece of text; control characters are shown as escapes.

    >>> clean("a\\x1b[31mb")
    'a\\\\x1b[31mb'
    >>> clean("x" * 9, limit=5)
    'xxxx…'
    """
    text = value if type(value) is str else str(value)
    short = text[: limit - 1] + "…" if len(text) > limit else text
    return _UNSAFE.sub(_as_escape, short)


def line(value: object, limit: int = 200) -> str:
    """Like ``clean``, on one line.

    >>> line("a\\n b")
    'a b'
    """
    text = value if type(value) is str else str(value)
    return clean(" ".join(text[: limit * 4].split()), limit)


def escape(value: object, limit: int = 200) -> str:
    """Like ``line``, for HTML and SVG text and attributes.

    >>> escape("<b>'\\"&")
    '&lt;b&gt;&#x27;&quot;&amp;'
    """
    return html.escape(line(value, limit), quote=True)


def block(value: object, limit: int = 100_000) -> str:
    """Several lines of text for a ``<pre>``: cleaned, bounded, escaped, line breaks kept."""
    return html.escape(clean(value, limit), quote=True)


def _as_escape(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
