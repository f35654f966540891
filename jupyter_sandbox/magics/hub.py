"""Where the manager's updates go: the mirror first, then pictures, the Lab panel and, for alerts, the notebook."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from ..model.errors import SandboxBusy
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
from .pacer import Change, Pacer
from .pictures import Pictures

if TYPE_CHECKING:
    from .lab_bridge import LabBridge


class Hub:
    """``take`` runs on the manager's thread and never blocks or asks the manager anything.

    What sandboxes print and their alerts are told in the context of whoever acted on them last (see ``Voice``), and
    ipykernel finds the cell in there: so they appear under that cell, also when it is not the newest any more.
    """

    def __init__(
        self,
        mirror: Mirror,
        pictures: Pictures,
        follow: Callable[[str], None],
        label: Callable[[str], str],
        label_printed: Callable[[str], str] = str,
    ) -> None:
        self._mirror, self._pictures, self._follow = mirror, pictures, follow
        self._label, self._label_printed = label, label_printed
        self._pacer = Pacer(self._deliver, trees=mirror.trees, hearers=self._hearers)
        self._lock = threading.Lock()
        self._followed: set[str] = set()
        self._paused: dict[str, int] = {}
        """Seconds between two pictures of those that change faster than is told."""
        self._dropped: dict[str, int] = {}
        """Bytes not shown since that was last said. A flood goes on for long: it is said once a command."""
        self.bridge: LabBridge | None = None

    def take(self, update: Update) -> None:
        """Pass one update on."""
        self._mirror.take(update)
        match update:
            case TreeReplaced(name, tree):
                self._pacer.offer(name, tree)
            case TreePatched(name, diff):
                self._pacer.offer(name, diff)
            case InfoChanged(info):
                pause_s = self._paused.get(info.name, 0)
                self._pictures.tell(info.name, self._label(status_line(info)) or (behind(pause_s) if pause_s else ""))
                if info.name not in self._followed and info.status is not SandboxStatus.STARTING:
                    self._begin_to_follow(info.name)
            case Removed(name):
                self._followed.discard(name)
                self._paused.pop(name, None)
                self._pacer.forget(name)
                self._pictures.freeze(name, "the sandbox was destroyed")
            case AlertRaised(name, _, message):
                sys.stderr.write(f"sandbox {clean(name)}: {clean(self._label(message), 500)}\n")
            case OutputArrived():
                self._print(update)
            case _:
                pass
        if self.bridge is not None:
            self.bridge.publish(update)

    def _begin_to_follow(self, name: str) -> None:
        """Where no thread is to be had for it now, it is tried again with what is told of the sandbox next."""
        with suppress(SandboxBusy):
            self._follow(name)
            self._followed.add(name)

    def command_ended(self) -> None:
        """Say what was dropped until now. Called in the cell, after the command."""
        with self._lock:
            dropped, self._dropped = self._dropped, {}
        for name, size in dropped.items():
            sys.stdout.write(f"\n[{size} bytes more were printed in {clean(name)} and dropped]\n")

    def close(self) -> None:
        """Deliver nothing any more."""
        self._pacer.close()

    def _deliver(self, name: str, change: Change, pause_s: int) -> None:
        self._pictures.push(name, change)
        self._say_pause(name, pause_s)
        if self.bridge is not None:
            self.bridge.publish_tree(name, change, pause_s)

    def _say_pause(self, name: str, pause_s: int) -> None:
        """In the pictures, as long as it lasts and the sandbox runs: else there is more to be said of it."""
        info = self._mirror.infos.get(name)
        if info is None or (self._paused.get(name, 0) == pause_s):
            return
        self._paused[name] = pause_s
        self._pictures.tell(name, self._label(status_line(info)) or (behind(pause_s) if pause_s else ""))

    def _hearers(self, name: str) -> int:
        return self._pictures.count(name) + (self.bridge is not None)

    def _print(self, update: OutputArrived) -> None:
        if update.text:
            stream = sys.stderr if update.stream == "stderr" else sys.stdout
            stream.write(clean(self._label_printed(update.text), 1_000_000))
            stream.flush()
        if update.dropped:
            with self._lock:
                self._dropped[update.name] = self._dropped.get(update.name, 0) + update.dropped


def behind(pause_s: int) -> str:
    """What a picture says of a sandbox that changes faster than is told.

    >>> behind(3)
    'it changes faster than is shown: a whole picture every 3 s'
    """
    return f"it changes faster than is shown: a whole picture every {pause_s} s"


def status_line(info: SandboxInfo) -> str:
    """What a picture says of its sandbox: nothing while it runs, else its status and the reason."""
    if info.status is SandboxStatus.RUNNING:
        return ""
    return f"{info.status.value}: {line(info.reason)}" if info.reason else info.status.value
