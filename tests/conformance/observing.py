"""What a driver writes down of a scenario once nobody can run any further. The same in every arm."""

from __future__ import annotations

from typing import Any

from jupyter_sandbox.runtime import Node
from jupyter_sandbox.runtime.process import Process

from .terms import text_of
from .world import World

ROOT = text_of({"kind": "proc", "label": "root", "trap_exit": True})
"""The process that every scenario begins with."""


class Observer:
    """Looks at one node, between two ops, for one scenario."""

    def __init__(self, node: Node, world: World) -> None:
        self.node, self.world = node, world

    @property
    def down(self) -> bool:
        """Whether the scenario has stopped the node."""
        return bool(self.node.globals.get("down"))

    def observe(self, op: int, command: dict[str, Any]) -> dict[str, Any]:
        """The observation of one op."""
        log, exits = self.world.take()
        found: dict[str, Any] = {}
        if log:
            found["log"] = log
        if self.down:
            return found | {"node_down": True}
        if command["cmd"] != "advance":
            if op not in self.world.results:
                self.world.observed.add(op)
            found["ret"] = self.world.results.get(op, {"pending": True})
        if exits:
            found["exits"] = sorted(exits, key=text_of)
        return found

    def final(self) -> dict[str, Any]:
        """Who is alive, linked to whom, registered as what."""
        living = {self.world.name_of(process.pid): process for process in self.node.processes.values()}
        labelled = {name: process for name, process in living.items() if "#" in name}
        links = {name: self._links(process) for name, process in sorted(labelled.items())}
        names = {name: self.world.name_of(pid) for name, pid in self.node.names.items()}
        return {
            "alive": sorted(labelled),
            "links": {name: others for name, others in links.items() if others},
            "registered": dict(sorted(names.items())),
        }

    def _links(self, process: Process) -> list[str]:
        names = [self.world.name_of(pid) for pid in process.links or () if pid in self.node.processes]
        return sorted(name for name in names if "#" in name)
