"""The live pictures of a notebook: opened when a tree is shown, fed while cells run, left standing in the end."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..model.views import Inspection, TreeDiff, TreeView

if TYPE_CHECKING:
    from ..widgets.live import LiveTree

MOST = 6
"""Live pictures of one sandbox; when another is shown, the oldest one stops moving."""
STILL = 30
"""Of all sandboxes, those that stopped moving and say why. Each costs every page and the kernel memory, also when its
cell was run again: of more than that the oldest are given up, and a page shows what is saved in their place."""


@dataclass(frozen=True, slots=True)
class Hands:
    """What the buttons of a picture do: (verb, sandbox, process key) and (sandbox, process key)."""

    act: Callable[[str, str, str], object]
    inspect: Callable[[str, str], Inspection]


class Pictures:
    """All live pictures. ``open`` is called from cells, the rest from any thread."""

    def __init__(self, hands: Hands) -> None:
        self._hands = hands
        self._lock = threading.Lock()
        self._opened: dict[str, deque[LiveTree]] = {}
        self._still: deque[LiveTree] = deque()

    def open(self, view: TreeView) -> LiveTree:
        """Open a live picture."""
        from ..widgets.live import LiveTree  # loads ipywidgets, which a terminal never needs

        name = view.sandbox
        widget = LiveTree(
            view,
            act=lambda verb, key: self._hands.act(verb, name, key),
            inspect=lambda key: self._hands.inspect(name, key),
        )
        with self._lock:
            opened = self._opened.setdefault(name, deque())
            opened.append(widget)
            surplus = [opened.popleft() for _ in range(len(opened) - MOST)]
        self._leave(surplus, "a newer picture follows the sandbox")
        self._give_up()
        return widget

    def count(self, name: str) -> int:
        """How many follow a sandbox."""
        return len(self._of(name))

    def push(self, name: str, change: TreeView | TreeDiff) -> None:
        """Show a change in all pictures of a sandbox."""
        for widget in self._of(name):
            widget.push(change)

    def tell(self, name: str, status: str) -> None:
        """Say in all pictures of a sandbox what it does now; empty while it just runs."""
        for widget in self._of(name):
            if widget.status != status:
                widget.status = status

    def freeze(self, name: str, why: str) -> None:
        """The sandbox is gone: its pictures stay as they are."""
        with self._lock:
            opened = self._opened.pop(name, deque())
        self._leave(opened, why)

    def close(self, why: str) -> None:
        """Leave every picture standing."""
        for name in list(self._opened):
            self.freeze(name, why)

    def _leave(self, widgets: Collection[LiveTree], why: str) -> None:
        for widget in widgets:
            widget.freeze(why)
        with self._lock:
            self._still.extend(widgets)

    def _give_up(self) -> None:
        with self._lock:
            surplus = [self._still.popleft() for _ in range(len(self._still) - STILL)]
        for widget in surplus:
            widget.give_up()

    def _of(self, name: str) -> list[LiveTree]:
        with self._lock:
            return list(self._opened.get(name, ()))
