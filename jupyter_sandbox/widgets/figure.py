"""The supervision tree as a plotly figure. Transparent and mid-toned, so it reads in light and dark themes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..model.views import ProcessView, TreeView
from .layout import Position, tidy
from .safe import escape
from .status import budget, details, look, queue_and_restarts
from .text import count

MOST = 500
"""Processes in one figure; the rest is counted. More could be neither read nor drawn in a moment."""
_INK = "#7a828e"
_ROW_PX = 44
_CLEAR = 0.03
"""Distance of a line from the middle of a marker, so that it does not cross the marker."""


def figure_of(tree: TreeView) -> Any:
    """A ``plotly.graph_objects.Figure``: one marker per process, its story on hover.

    Plotly renders a subset of HTML in labels, so every text is escaped.
    """
    import plotly.graph_objects as go  # slow to import, and only wanted by who asks for a figure

    left_out = len(tree.processes) - MOST
    tree = replace(tree, processes=tree.processes[:MOST])
    places = tidy((process.key, process.parent) for process in tree.processes)
    figure = go.Figure([_edges(go, tree, places), _nodes(go, tree, places)])
    rows = max((place.across for place in places.values()), default=0.0) + 1
    deepest = max((place.depth for place in places.values()), default=0)
    figure.update_layout(**_layout(_title(tree, left_out), rows, deepest))
    return figure


def _title(tree: TreeView, left_out: int) -> str:
    more = f" · … and {count(left_out, 'process', 'processes')} more" if left_out > 0 else ""
    return f"{escape(tree.sandbox)} · step {tree.step}{more}"


def _layout(title: str, rows: float, deepest: int) -> dict[str, Any]:
    hidden = {"visible": False, "fixedrange": False}
    return {
        "template": "none",
        "title": {"text": title, "font": {"size": 13}},
        "showlegend": False,
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": _INK, "size": 12},
        "margin": {"l": 16, "r": 16, "t": 44, "b": 12},
        "height": int(min(1600, max(180, 70 + rows * _ROW_PX))),
        "xaxis": {**hidden, "range": [-0.4, deepest + 0.4]},
        "yaxis": {**hidden, "range": [rows - 0.4, -0.6]},
        "hovermode": "closest",
    }


def _edges(go: Any, tree: TreeView, places: dict[str, Position]) -> Any:
    x: list[float | None] = []
    y: list[float | None] = []
    for process in tree.processes:
        if process.parent in places:
            start, end = places[process.parent], places[process.key]
            x += [start.depth + _CLEAR, end.depth - _CLEAR, None]
            y += [start.across, end.across, None]
    return go.Scatter(
        x=x, y=y, mode="lines", hoverinfo="skip", name="supervises", line={"color": "rgba(122,130,142,0.6)", "width": 1}
    )


def _nodes(go: Any, tree: TreeView, places: dict[str, Position]) -> Any:
    looks = [look(process.status) for process in tree.processes]
    return go.Scatter(
        x=[places[process.key].depth for process in tree.processes],
        y=[places[process.key].across for process in tree.processes],
        mode="markers+text",
        name="processes",
        text=[escape(process.name, 40) for process in tree.processes],
        textposition="top center",
        hovertext=[_story(process) for process in tree.processes],
        hoverinfo="text",
        customdata=[process.key for process in tree.processes],
        cliponaxis=False,
        marker={
            "size": 14,
            "color": [seen.colour for seen in looks],
            "symbol": [seen.symbol for seen in looks],
            "line": {"width": 2, "color": [seen.colour for seen in looks]},
        },
    )


def _story(process: ProcessView) -> str:
    seen = look(process.status)
    lines = [
        f"<b>{escape(process.key)}</b> {escape(process.pid or '')}",
        f"{seen.glyph} {escape(seen.word)}",
        escape(details(process), 120),
        escape(budget(process)),
        escape(queue_and_restarts(process)),
        f"last exit: {escape(process.last_exit)}" if process.last_exit else "",
    ]
    return "<br>".join(part for part in lines if part)
