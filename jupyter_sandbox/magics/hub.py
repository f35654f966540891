"""Where the manager's updates go: the mirror first, then pictures, the Lab panel and, for alerts, the notebook."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..model.sandbox import (
    AlertRaised,
    InfoChanged,
    OutputArrived,
    Removed,
    SandboxInfo,
    SandboxStatus,
    TreePatched,
    TreeReplaced,
    Update,
)  # fmt: skip
from ..widgets.safe import clean, line
from .mirror import Mirror
from .pacing import Change, Pacer
from .pictures import Pictures

if TYPE_CHECKING:
    from .lab_bridge import LabBridge


class Hub:
    """``take`` runs on the manager's thread and never blocks or asks the manager anything."""

    def __init__(self, mirror: Mirror, pictures: Pictures, follow: Callable[[str], None]) -> None:
        self._mirror, self._pictures, self._follow = mirror, pictures, follow
        self._pacer = Pacer(self._deliver)
        self._followed: set[str] = set()
        self.bridge: LabBridge | None = None
        self.printing = 0
        """Commands that are running: while there are any, what sandboxes print appears under the cell."""

    def take(self, update: Update) -> None:
        """Pass one update on."""
        self._mirror.take(update)
        match update:
            case TreeReplaced(name, tree):
                self._pacer.offer(name, tree)
            case TreePatched(name, diff):
                self._pacer.offer(name, diff)
            case InfoChanged(info):
                self._pictures.tell(info.name, status_line(info))
                if info.name not in self._followed and info.status is not SandboxStatus.STARTING:
                    self._followed.add(info.name)
                    self._follow(info.name)
            case Removed(name):
                self._followed.discard(name)
                self._pacer.forget(name)
                self._pictures.freeze(name, "the sandbox was destroyed")
            case AlertRaised(name, _, message):
                sys.stderr.write(f"sandbox {clean(name)}: {clean(message, 500)}\n")
            case OutputArrived() if self.printing:
                self._print(update)
            case _:
                pass
        if self.bridge is not None:
            self.bridge.publish(update)

    def close(self) -> None:
        """Deliver nothing any more."""
        self._pacer.close()

    def _deliver(self, name: str, change: Change) -> None:
        self._pictures.push(name, change)
        if self.bridge is not None:
            self.bridge.publish_tree(name, change)

    def _print(self, update: OutputArrived) -> None:
        stream = sys.stderr if update.stream == "stderr" else sys.stdout
        stream.write(clean(update.text, 1_000_000))
        if update.dropped:
            stream.write(f"\n[{update.dropped} bytes more were printed in {clean(update.name)} and dropped]\n")
        stream.flush()


def status_line(info: SandboxInfo) -> str:
    """What a picture says of its sandbox: nothing while it runs, else its status and the reason."""
    if info.status is SandboxStatus.RUNNING:
        return ""
    return f"{info.status.value}: {line(info.reason)}" if info.reason else info.status.value
