"""Who listens to a manager in a notebook: the mirror, the hub and the bridge as ``%load_ext`` builds them.

The page at the other end is one that never reads: what it is told is written as the kernel writes it, and counted.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from jupyter_sandbox.magics.hub import Hub
from jupyter_sandbox.magics.lab_bridge import LabBridge, Wiring
from jupyter_sandbox.magics.lanes import Lanes
from jupyter_sandbox.magics.mirror import Mirror
from jupyter_sandbox.magics.pictures import Hands, Pictures
from jupyter_sandbox.manager.manager import SandboxManager
from jupyter_sandbox.model.errors import SandboxError
from jupyter_sandbox.model.sandbox import SandboxInfo
from jupyter_sandbox.model.views import Inspection

from .conftest import hearing

WATCH_MS = 100
FACTS_PER_SECOND = 40_000
"""Bytes of facts that a page is told in a second at most: ten times those of each sandbox."""


class Page:
    """What it was told, in bytes of each kind."""

    def __init__(self) -> None:
        self.told: Counter[str] = Counter()
        self.messages: Counter[str] = Counter()
        """How many of each kind."""
        self.with_alerts: Counter[str] = Counter()
        """How often the facts of a sandbox came with its alerts, by its name."""

        self._began = time.monotonic()

    @property
    def lasted_s(self) -> float:
        """How long it has listened: what may be told to it grows with that."""
        return time.monotonic() - self._began

    def send(self, _socket: object, _kind: str, content: Mapping[str, Any], **_: object) -> None:
        self.messages[content["type"]] += 1
        if content["type"] == "sandbox" and "alerts" in content["info"]:
            self.with_alerts[content["info"]["name"]] += 1
        self.told[content["type"]] += len(json.dumps(content, ensure_ascii=False).encode())


class Kernel:
    """As much of ipykernel's as the bridge needs."""

    def __init__(self, page: Page) -> None:
        self.session, self.iopub_socket = page, None
        self.control_handlers: dict[str, object] = {}


class Unnamed:
    """No cell has another name than its file."""

    def label(self, text: str) -> str:
        return text

    def labels(self, lines: Sequence[str]) -> tuple[str, ...]:
        return tuple(lines)

    def labelled(self, info: SandboxInfo) -> SandboxInfo:
        return info


def _no_hand(*_: str) -> Inspection:
    raise AssertionError("nobody presses a button here")


@contextmanager
def loaded(manager: SandboxManager, *, follow: bool = True) -> Iterator[Page]:
    """What happens inside is told to a page, and with ``follow`` the trees of new sandboxes, too."""
    page, mirror, lanes = Page(), Mirror(), Lanes(print)

    watched: set[str] = set()

    def watch(name: str, interval_ms: int = WATCH_MS) -> None:
        watched.add(name)
        try:
            manager.get(name).watch(interval_ms)
        except SandboxError:
            return  # gone by now

    def followed(name: str) -> None:
        if follow:
            lanes.submit(name, lambda: watch(name))

    hub = Hub(mirror, Pictures(Hands(_no_hand, _no_hand)), followed, str)
    cells: Any = Unnamed()
    hub.bridge = LabBridge(Kernel(page), Wiring(manager, mirror, lanes, cells, "1"))
    try:
        with hearing(manager, hub.take):
            yield page
    finally:
        lanes.close()
        hub.close()
        for name in sorted(watched):
            watch(name, 0)
