"""The supervision tree as a static SVG: no script, everything escaped, readable on light and dark pages.

Inside a page the ink is the page's own text colour (``currentColor``, or Lab's
variables), so both themes work. A standalone file brings its own two palettes.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..model.views import ProcessView, TreeView
from .layout import Position, tidy
from .safe import escape
from .status import badges, details, look
from .text import NOTHING, count, text_tree

MOST = 200
"""Processes in one picture; the rest is counted in words."""

CARD_WIDTH, CARD_HEIGHT = 216.0, 40.0
_COLUMN, _ROW, _MARGIN, _HEAD = 264.0, 52.0, 8.0, 26.0
_FONT = "font-family:var(--jp-ui-font-family,system-ui,sans-serif)"
_INK = "color:var(--jp-content-font-color1,currentColor)"
_STANDALONE = (
    "<style>svg{color:#212121;background:#fff}"
    "@media (prefers-color-scheme:dark){svg{color:#e0e0e0;background:#111}}</style>"
)


@dataclass(frozen=True, slots=True)
class _Box:
    """Top left corner of a card."""

    x: float
    y: float


def svg_tree(tree: TreeView, *, standalone: bool = False, most: int = MOST) -> str:
    """The tree as one ``<svg>`` element; ``standalone`` makes it a file of its own."""
    shown = tree.processes[:most]
    boxes = {key: _box(place) for key, place in tidy((p.key, p.parent) for p in shown).items()}
    width = max((box.x for box in boxes.values()), default=0.0) + CARD_WIDTH + _MARGIN
    height = max((box.y for box in boxes.values()), default=0.0) + CARD_HEIGHT + _MARGIN
    left_out = len(tree.processes) - len(shown)
    if left_out:
        height += 20
    body = [_edge(boxes[p.parent], boxes[p.key]) for p in shown if p.parent in boxes]
    body += [_card(process, boxes[process.key]) for process in shown]
    if not shown:
        body.append(_text(_MARGIN, _HEAD + 14, NOTHING, muted=True))
    if left_out:
        body.append(_text(_MARGIN, height - 8, f"… and {count(left_out, 'process', 'processes')} more", muted=True))
    return _document(tree, body, width, height, standalone)


def _box(position: Position) -> _Box:
    return _Box(_MARGIN + position.depth * _COLUMN, _HEAD + position.across * _ROW)


def _document(tree: TreeView, body: list[str], width: float, height: float, standalone: bool) -> str:
    title = f"Supervision tree of {escape(tree.sandbox)} at step {tree.step}"
    style = (
        f"{_FONT};font-size:12px"
        if standalone
        else f"{_FONT};font-size:12px;display:block;max-width:100%;height:auto;{_INK}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{title}" '
        f'width="{width:g}" height="{height:g}" viewBox="0 0 {width:g} {height:g}" style="{style}">'
        f"<title>{title}</title><desc>{escape(text_tree(tree, most=50), 8000)}</desc>"
        + (_STANDALONE if standalone else "")
        + _text(_MARGIN, 16, f"{tree.sandbox} · step {tree.step}", muted=True)
        + "".join(body)
        + "</svg>"
    )


def _edge(parent: _Box, child: _Box) -> str:
    x1, y1 = parent.x + CARD_WIDTH, parent.y + CARD_HEIGHT / 2
    x2, y2 = child.x, child.y + CARD_HEIGHT / 2
    middle = (x1 + x2) / 2
    path = f"M{x1:g} {y1:g}C{middle:g} {y1:g} {middle:g} {y2:g} {x2:g} {y2:g}"
    return f'<path d="{path}" fill="none" stroke="currentColor" stroke-opacity="0.35"/>'


def _card(process: ProcessView, box: _Box) -> str:
    seen = look(process.status)
    dashed = ' stroke-dasharray="4 3"' if process.pid is None else ""
    note = escape(badges(process), 24)
    parts = [
        f"<g><title>{escape(process.key)}: {escape(seen.word)}</title>",
        f'<rect x="{box.x:g}" y="{box.y:g}" width="{CARD_WIDTH:g}" height="{CARD_HEIGHT:g}" rx="5" '
        f'fill="currentColor" fill-opacity="0.04" stroke="currentColor" stroke-opacity="0.35"{dashed}/>',
        f'<rect x="{box.x:g}" y="{box.y:g}" width="4" height="{CARD_HEIGHT:g}" rx="2" fill="{seen.colour}"/>',
        f'<text x="{box.x + 18:g}" y="{box.y + 17:g}" text-anchor="middle" fill="{seen.colour}">{seen.glyph}</text>',
        _text(box.x + 30, box.y + 17, process.name, limit=20, bold=True),
    ]
    if note:
        parts.append(_text(box.x + CARD_WIDTH - 8, box.y + 17, note, muted=True, end=True, escaped=True))
    second = details(process) if process.status in ("running", "waiting") else f"{seen.word} · {details(process)}"
    parts.append(_text(box.x + 30, box.y + 32, second, limit=32, muted=True))
    return "".join([*parts, "</g>"])


def _text(
    x: float,
    y: float,
    text: str,
    *,
    limit: int = 80,
    bold: bool = False,
    muted: bool = False,
    end: bool = False,
    escaped: bool = False,
) -> str:
    attributes = f'x="{x:g}" y="{y:g}" fill="currentColor"'
    attributes += ' font-weight="600"' if bold else ""
    attributes += ' fill-opacity="0.75" font-size="11"' if muted else ""
    attributes += ' text-anchor="end"' if end else ""
    return f"<text {attributes}>{text if escaped else escape(text, limit)}</text>"
