"""Which processes run cells of the notebook, so that an interrupt there ends the right one here. Changes nothing."""

from __future__ import annotations

from ..runtime import Node
from ..runtime.process import Process


class Cells:
    """The Execute requests that are not answered yet: each is a hidden client that monitors the cell's process."""

    def __init__(self) -> None:
        self._clients: dict[int, tuple[Process, str]] = {}

    def add(self, request: int, file: str, node: Node) -> None:
        """The client of this request has just been made: it is the newest process of the node."""
        self._clients = {known: found for known, found in self._clients.items() if found[0].alive}
        self._clients[request] = (next(reversed(node.processes.values())), file)

    def client(self, request: int) -> Process | None:
        """The client of a request that still waits."""
        found = self._clients.get(request)
        return found[0] if found is not None and found[0].alive else None

    def process(self, client: Process) -> Process | None:
        """The process of its cell, once it is spawned."""
        for target in (client.monitors or {}).values():
            found = client.node.processes.get(target)
            if found is not None:
                return found
        return None

    def told(self, process: Process) -> tuple[str, int]:
        """A process in the words people know it by, and the request whose cell it runs (0: none)."""
        for request, (client, file) in self._clients.items():
            if client.alive and self.process(client) is process:
                return f"the cell {file}", request
        return (f"{process.name} {process.pid!r}" if process.name else repr(process.pid)), 0
