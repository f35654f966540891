"""A supervision tree to look at: the result of ``%sandbox tree``. Holds a frozen view and draws it on demand."""

from __future__ import annotations

import base64
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from ..model.errors import UsageError
from ..model.views import TreeView
from .figure import figure_of
from .graph import graph_of
from .result import Result
from .safe import escape, line, untypeset
from .svg import svg_tree
from .text import text_tree

if TYPE_CHECKING:
    from .graph import Graph
    from .live import LiveTree

Open = Callable[[TreeView], "LiveTree"]
"""Opens a live picture that follows the sandbox."""

# A page that does not trust a notebook drops <style> and <svg>, but keeps what is styled away and the image:
# it shows the image. A page that trusts it shows the inline drawing, which takes the colours of the page.
_STYLE = (
    "<style>.jupyter-sandbox-tree .jsb-inline{display:block!important}"
    ".jupyter-sandbox-tree .jsb-image{display:none!important}</style>"
)


class TreePicture(Result):
    """One tree at one step.

    ``tree.view`` is the data, ``tree.graph()`` a networkx graph, ``tree.figure()``
    a plotly figure, ``tree.svg()`` and ``tree.text()`` static drawings. Shown as
    the last value of a cell it is live as long as the sandbox is.
    """

    __slots__ = ("_open", "note", "view")

    def __init__(self, view: TreeView, open_live: Open | None = None, note: str = "") -> None:
        self.view, self._open, self.note = view, open_live, note

    def text(self) -> str:
        return "\n".join(part for part in (text_tree(self.view), line(self.note, 600)) if part)

    def svg(self, *, standalone: bool = False) -> str:
        """An ``<svg>`` element for a page, or with ``standalone`` the text of an ``.svg`` file."""
        return svg_tree(self.view, standalone=standalone)

    def html(self) -> str:
        return self._html("")

    def graph(self, *, links: bool = False) -> Graph:
        """The processes as a networkx ``DiGraph``; with ``links`` also links and monitors."""
        return graph_of(self.view, links=links)

    def figure(self) -> Any:
        """The processes as a plotly ``Figure``."""
        return figure_of(self.view)

    def live(self) -> LiveTree:
        """The live picture as a widget, to be put beside others. Raises UsageError where there is no page."""
        if self._open is None:
            raise UsageError("a live tree needs a notebook", hint="print(tree) shows it as text")
        return self._open(self.view)

    def _html(self, anchor: str) -> str:
        place = f' data-jupyter-sandbox="{escape(anchor)}"' if anchor else ""
        image = base64.b64encode(self.svg(standalone=True).encode()).decode()
        return (
            f'<div class="jupyter-sandbox-tree"{place}>{_STYLE}'
            f'<div class="jsb-inline" style="display:none">{self.svg()}</div>'
            f'<img class="jsb-image" alt="{escape(self.text(), 4000)}" src="data:image/svg+xml;base64,{image}">'
            + (f"<p>{escape(self.note, 600)}</p></div>" if self.note else "</div>")
        )

    def _repr_mimebundle_(
        self, include: Collection[str] | None = None, exclude: Collection[str] | None = None
    ) -> dict[str, Any]:
        # The live picture mounts itself over the static one. A widget output of its own would be saved in its place,
        # and a page without the kernel would show an error instead of the tree.
        anchor = self._open(self.view).anchor if self._open else ""
        return {"text/plain": self.text(), "text/html": untypeset(self._html(anchor))}
