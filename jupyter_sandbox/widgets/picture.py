"""A supervision tree to look at: the result of ``%sandbox tree``. Holds a frozen view and draws it on demand."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from ..model.views import TreeView
from .figure import figure_of
from .graph import graph_of
from .result import Result
from .safe import block
from .svg import svg_tree
from .text import text_tree

if TYPE_CHECKING:
    from .graph import Graph

Show = Callable[[TreeView], dict[str, Any]]
"""Opens a live picture and returns the MIME entries that show it; empty when there is no page to show it on."""


class TreePicture(Result):
    """One tree at one step.

    ``tree.view`` is the data, ``tree.graph()`` a networkx graph, ``tree.figure()``
    a plotly figure, ``tree.svg()`` and ``tree.text()`` static drawings. Shown as
    the last value of a cell it is live as long as the sandbox is.
    """

    __slots__ = ("_show", "view")

    def __init__(self, view: TreeView, show: Show | None = None) -> None:
        self.view, self._show = view, show

    def text(self) -> str:
        return text_tree(self.view)

    def svg(self, *, standalone: bool = False) -> str:
        """An ``<svg>`` element for a page, or with ``standalone`` the text of an ``.svg`` file."""
        return svg_tree(self.view, standalone=standalone)

    def html(self) -> str:
        # Sites that strip SVG keep the hidden text, and show it.
        return f'<div class="jupyter-sandbox-tree">{self.svg()}<pre hidden>{block(self.text())}</pre></div>'

    def graph(self, *, links: bool = False) -> Graph:
        """The processes as a networkx ``DiGraph``; with ``links`` also links and monitors."""
        return graph_of(self.view, links=links)

    def figure(self) -> Any:
        """The processes as a plotly ``Figure``."""
        return figure_of(self.view)

    def _repr_mimebundle_(
        self, include: Collection[str] | None = None, exclude: Collection[str] | None = None
    ) -> dict[str, Any]:
        bundle = super()._repr_mimebundle_(include, exclude)
        return bundle | (self._show(self.view) if self._show else {})
