"""What is known of all sandboxes without asking: filled by the manager's updates, read by completion and pictures.

Values are replaced as a whole, never changed, or have a lock, so any thread may read at any time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from ..model.sandbox import InfoChanged, Removed, SandboxInfo, TreePatched, TreeReplaced, Update
from ..widgets.followed import Trees
from .complete import Known

V = TypeVar("V")


class Mirror:
    """The last known facts, trees and names of every sandbox."""

    def __init__(self) -> None:
        self.infos: Mapping[str, SandboxInfo] = {}
        self.trees = Trees()
        self.mains: Mapping[str, tuple[str, ...]] = {}
        self.snapshots: Mapping[str, tuple[str, ...]] = {}

    def take(self, update: Update) -> None:
        """Note one update; those that tell no facts are passed over."""
        match update:
            case InfoChanged(info):
                self.infos = {**self.infos, info.name: info}
            case Removed(name):
                self.forget(name)
            case TreeReplaced(name, tree):
                self.trees.note(name, tree)
            case TreePatched(name, diff):
                self.trees.note(name, diff)
            case _:
                pass

    def forget(self, name: str) -> None:
        """The sandbox is gone."""
        self.infos = _without(self.infos, name)
        self.trees.forget(name)
        self.mains = _without(self.mains, name)
        self.snapshots = _without(self.snapshots, name)

    def set_mains(self, name: str, module: str, classes: tuple[str, ...]) -> None:
        """Classes of a module that can be started, the likeliest last, in the place of those it had before."""
        others = (one for one in self.mains.get(name, ()) if one.rpartition(".")[0] != module)
        self.mains = {**self.mains, name: (*others, *(f"{module}.{found}" for found in classes))}

    def set_snapshots(self, name: str, snapshots: tuple[str, ...]) -> None:
        """Names of the saved snapshots."""
        self.snapshots = {**self.snapshots, name: snapshots}

    def known(self) -> dict[str, Known]:
        """All names that completion can offer."""
        return {name: self._known(name, info) for name, info in self.infos.items()}

    def _known(self, name: str, info: SandboxInfo) -> Known:
        tree = self.trees.get(name)
        processes: dict[str, None] = {}
        for process in tree.processes if tree else ():
            if process.registered:
                processes[process.registered] = None
            processes[process.key] = None
        return Known(tuple(processes), info.modules, self.mains.get(name, ()), self.snapshots.get(name, ()))


def _without(values: Mapping[str, V], name: str) -> dict[str, V]:
    return {key: value for key, value in values.items() if key != name}
