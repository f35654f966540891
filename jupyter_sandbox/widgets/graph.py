"""The supervision tree as a networkx graph: the data model for algorithms and export."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ..model.views import TreeView

if TYPE_CHECKING:
    import networkx as nx

    Graph = nx.DiGraph[str]


def graph_of(tree: TreeView, *, links: bool = False) -> Graph:
    """A ``DiGraph`` with one node per process, its key as the node, the fields of its view as attributes.

    Edges lead from supervisor to child (``kind="supervises"``). With ``links``
    there are also edges of kind ``link`` and ``monitor`` where no supervision
    edge is; ends that are not in the tree are left out.
    """
    import networkx as nx  # slow to import, and only wanted by who asks for a graph

    graph: Graph = nx.DiGraph(sandbox=tree.sandbox, step=tree.step)
    for process in tree.processes:
        attributes: dict[str, Any] = asdict(process)
        graph.add_node(process.key, **attributes)
    for process in tree.processes:
        if process.parent is not None and process.parent in graph:
            graph.add_edge(process.parent, process.key, kind="supervises")
    if links:
        _add_links(graph, tree)
    return graph


def _add_links(graph: Graph, tree: TreeView) -> None:
    keys = {process.pid: process.key for process in tree.processes if process.pid} | {
        process.key: process.key for process in tree.processes
    }
    for process in tree.processes:
        for kind, others in (("link", process.links), ("monitor", process.monitors)):
            for other in others:
                end = keys.get(other)
                if end and not graph.has_edge(process.key, end) and not graph.has_edge(end, process.key):
                    graph.add_edge(process.key, end, kind=kind)
