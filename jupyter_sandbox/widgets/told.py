"""What a page is told of a tree, as plain data in which every text that is shown is harmless.

A process bears the name that the sandbox gave it, and is asked for by that name: its key stays as it is. What is shown
in the key's place travels beside it, where it is another text.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from msgspec import to_builtins

from ..model.harmless import name, on_one_line, plain
from ..model.views import ProcessView, TreeDiff, TreeView

NAME: Final = 200
"""Characters of a name."""
TEXT: Final = 400
"""Of any other text, and of what is shown in a key's place."""
CARE: Final = 2_000_000
"""Characters beyond ASCII that are looked at in one picture; of more all are escaped, letters of other scripts as well.
To see in megabytes which marks join what would keep the kernel busy for seconds."""
_DEARER: Final = 6
"""So many times as long takes what is not harmless."""
_TEXTS: Final = ("kind", "behaviour", "status", "state", "strategy", "last_exit")


def tree_data(tree: TreeView) -> dict[str, Any]:
    """A whole tree.

    >>> view = ProcessView("a/b\\u202ec", "<0.1.0>", "b\\u202ec", "worker", "m.A", "waiting")
    >>> told, = tree_data(TreeView("shop", 1, 0, (view,)))["processes"]
    >>> told["name"], told["shown"], told["key"] == view.key
    ('b\\\\u202ec', 'a/b\\\\u202ec', True)
    """
    tree = _once(tree)
    told: dict[str, Any] = to_builtins(tree)
    told["sandbox"] = name(tree.sandbox, NAME)
    _make_harmless(tree.processes, told["processes"])
    return told


def _once(tree: TreeView) -> TreeView:
    """Each key once, as in a tree after a diff: a page knows processes by it, and would draw all at the same place."""
    views = {view.key: view for view in tree.processes}
    return tree if len(views) == len(tree.processes) else replace(tree, processes=tuple(views.values()))


def diff_data(diff: TreeDiff) -> dict[str, Any]:
    """A change of a tree."""
    told: dict[str, Any] = to_builtins(diff)
    told["sandbox"] = name(diff.sandbox, NAME)
    _make_harmless(diff.changed, told["changed"])
    return told


def _make_harmless(views: tuple[ProcessView, ...], told: list[dict[str, Any]]) -> None:
    left = CARE
    for view, data in zip(views, told, strict=True):
        texts = _texts(view)
        if texts.isascii() and texts.isprintable():
            continue
        left -= len(texts)
        if left > 0 and plain(texts):
            continue
        left -= _DEARER * len(texts)
        _clean(view, data, with_care=left > 0)


def _texts(view: ProcessView) -> str:
    """All of them: nearly all are harmless, and trees of thousands are told ten times a second."""
    return " ".join((
        view.key, view.name, view.kind, view.behaviour, view.status, view.state, view.pid or "", view.registered or "",
        view.last_exit or "", view.strategy or "", *view.links, *view.monitors,
    ))  # fmt: skip


def _clean(view: ProcessView, data: dict[str, Any], *, with_care: bool) -> None:
    as_name, as_text = (name, on_one_line) if with_care else (_escaped, _escaped)
    for field in ("name", "registered", "pid"):
        data[field] = as_name(data[field], NAME) if data[field] else data[field]
    for field in _TEXTS:
        data[field] = as_text(data[field], TEXT) if data[field] else data[field]
    for field in ("links", "monitors"):
        data[field] = [as_text(one, TEXT) for one in data[field]]
    shown = as_text(view.key, TEXT)
    if shown != view.key:
        data["shown"] = shown


def _escaped(text: str, most: int) -> str:
    """Without a look at what is harmless, in a hundredth of the time."""
    return text[:most].encode("unicode_escape").decode("ascii")[:most]
