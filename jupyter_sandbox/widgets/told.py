"""What a page is told of a tree, as plain data in which every text that is shown is harmless.

A process bears the name that the sandbox gave it, and is asked for by that name: its key stays as it is. What is shown
in the key's place travels beside it, where it is another text.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec import to_builtins

from ..model.harmless import name, visible
from ..model.views import ProcessView, TreeDiff, TreeView

NAME: Final = 200
"""Characters of a name."""
_TEXTS: Final = ("kind", "behaviour", "status", "state", "strategy", "last_exit")


def tree_data(tree: TreeView) -> dict[str, Any]:
    """A whole tree.

    >>> view = ProcessView("a/b\\u202ec", "<0.1.0>", "b\\u202ec", "worker", "m.A", "waiting")
    >>> told, = tree_data(TreeView("shop", 1, 0, (view,)))["processes"]
    >>> told["name"], told["shown"], told["key"] == view.key
    ('b\\\\u202ec', 'a/b\\\\u202ec', True)
    """
    told: dict[str, Any] = to_builtins(tree)
    told["sandbox"] = name(tree.sandbox, NAME)
    _make_harmless(tree.processes, told["processes"])
    return told


def diff_data(diff: TreeDiff) -> dict[str, Any]:
    """A change of a tree."""
    told: dict[str, Any] = to_builtins(diff)
    told["sandbox"] = name(diff.sandbox, NAME)
    _make_harmless(diff.changed, told["changed"])
    return told


def _make_harmless(views: tuple[ProcessView, ...], told: list[dict[str, Any]]) -> None:
    for view, data in zip(views, told, strict=True):
        if not _is_harmless(view):
            _clean(view, data)


def _is_harmless(view: ProcessView) -> bool:
    """Nearly all are, and trees of thousands are told ten times a second."""
    texts = (
        view.key, view.name, view.kind, view.behaviour, view.status, view.state, view.pid or "", view.registered or "",
        view.last_exit or "", view.strategy or "", *view.links, *view.monitors,
    )  # fmt: skip
    whole = "".join(texts)
    return whole.isascii() and whole.isprintable()


def _clean(view: ProcessView, data: dict[str, Any]) -> None:
    for field in ("name", "registered", "pid"):
        data[field] = name(data[field], NAME) if data[field] else data[field]
    for field in _TEXTS:
        data[field] = visible(data[field]) if data[field] else data[field]
    for field in ("links", "monitors"):
        data[field] = [visible(one) for one in data[field]]
    shown = visible(view.key.replace("\n", "\\n"))
    if shown != view.key:
        data["shown"] = shown
