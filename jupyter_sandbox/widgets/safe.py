"""Text that came out of a sandbox, made safe to show: bounded, without control characters, escaped for HTML.

Nothing from a sandbox may reach a page or a terminal without passing here.
"""

from __future__ import annotations

import html

from ..model.harmless import visible

PRE = (
    '<pre style="margin:0;padding:0;font-family:var(--jp-code-font-family,monospace);'
    'font-size:var(--jp-code-font-size,13px);white-space:pre-wrap;overflow-wrap:anywhere">'
)
"""Opens lines of text in a fixed-width font; sites differ in what they make of a bare ``<pre>``."""


_AS_TEXT = "mathjax_ignore tex2jax_ignore"
"""What MathJax goes round, by the names of its versions 3 and 2."""


def untypeset(page: str) -> str:
    """HTML in which a page leaves dollars alone: between two of them it would see a formula, and set what a sandbox
    wrote there as TeX, with links, colours and sizes of its choice.

    >>> untypeset("<p>$5 and $6</p>")
    '<div class="mathjax_ignore tex2jax_ignore"><p>$5 and $6</p></div>'
    """
    return f'<div class="{_AS_TEXT}">{page}</div>'


def clean(value: object, limit: int = 200) -> str:
    """One bounded piece of text; control characters are shown as escapes.

    >>> clean("a\\x1b[31mb")
    'a\\\\x1b[31mb'
    >>> clean("x" * 9, limit=5)
    'xxxx…'
    """
    text = value if type(value) is str else str(value)
    short = text[: limit - 1] + "…" if len(text) > limit else text
    return visible(short)[:limit]  # once more: escapes are longer than what they show


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
