"""Executes a scenario's ops one at a time on an in-process node with virtual time, and collects what is observed."""

from __future__ import annotations

from typing import Any

from jupyter_sandbox.otp import Node
from jupyter_sandbox.runtime import Apply
from jupyter_sandbox.runtime.process import Process

from .terms import text_of
from .world import World

MAX_STEPS = 200_000
"""More steps than any scenario takes between two ops: who takes more is caught in a loop."""

_ROOT = {"kind": "proc", "label": "root", "trap_exit": True}
_HERE = "tests.conformance.plain"


class Endless(Exception):
    """The node did not come to rest."""


class NodeArm:
    """One scenario on a node of its own."""

    def __init__(self) -> None:
        self.world = World()
        self.node = Node(sink=self.world.hear)
        self.node.globals["conformance"] = self.world
        self.now_ms = 0
        self.node.admit(Apply(-1, f"{_HERE}:run_root", (text_of(_ROOT),)))
        self._settle()
        self.world.take()

    def perform(self, op: int, command: dict[str, Any]) -> dict[str, Any]:
        """Execute one op and observe it at quiescence."""
        if command["cmd"] == "advance":
            self._advance(command["ms"])
        else:
            runner = "run_order" if "in" in command else "run_op"
            self.node.admit(Apply(op, f"{_HERE}:{runner}", (op, text_of(command))))
            self._settle()
        return self._observe(op, command)

    def _advance(self, ms: int) -> None:
        """Let time pass: due timers fire in order, with quiescence after each."""
        end = self.now_ms + ms
        while (due := self.node.next_deadline()) is not None and due <= end:
            self.now_ms = max(due, self.now_ms)
            self._settle()
        self.now_ms = end
        self._settle()

    def _settle(self) -> None:
        if not self.node.run(self.now_ms, MAX_STEPS).idle:
            raise Endless
        for reply in self.node.take_replies():
            if reply.error is not None:
                raise reply.error

    def _observe(self, op: int, command: dict[str, Any]) -> dict[str, Any]:
        log, exits = self.world.take()
        found: dict[str, Any] = {}
        if log:
            found["log"] = log
        if self.node.globals.get("down"):
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
