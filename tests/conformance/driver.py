"""The arm ``node``: executes a scenario's ops one at a time on an in-process node with virtual time."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Protocol, Self

from jupyter_sandbox.otp import Node, ProcessExit
from jupyter_sandbox.runtime import Apply

from .observing import ROOT, Observer
from .terms import text_of
from .world import World

MAX_STEPS = 20_000
"""More steps than any scenario takes between two ops: who takes more is caught in a loop."""

STOPPED = "the client was stopped"
"""What the node tells of a client that somebody has ended."""

_HERE = "tests.conformance.plain"

Ops = list[dict[str, Any]]
Observed = tuple[list[dict[str, Any]], dict[str, Any] | None]
"""An observation per op, and the state after the last one: None when the node was stopped."""


class Arm(Protocol):
    """What executes scenarios."""

    def run(self, ops: Ops) -> Observed:
        """Execute the ops of one scenario and observe each."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


class Endless(Exception):
    """The node did not come to rest."""


class NodeArm:
    """A new node for every scenario."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """There is nothing to let go of."""

    def run(self, ops: Ops) -> Observed:
        """Execute the ops of one scenario and observe each."""
        driver = _Driver()
        found = [driver.perform(number, op) for number, op in enumerate(ops)]
        return found, None if driver.observer.down else driver.observer.final()


class _Driver:
    """One scenario on a node of its own."""

    def __init__(self) -> None:
        world = World()
        self.node = Node(sink=world.hear)
        self.node.globals["conformance"] = world
        self.observer = Observer(self.node, world)
        self.now_ms = 0
        self.node.admit(Apply(-1, f"{_HERE}:run_root", (ROOT,)))
        self._settle()
        world.take()

    def perform(self, op: int, command: dict[str, Any]) -> dict[str, Any]:
        """Execute one op and observe it at quiescence."""
        if command["cmd"] == "advance":
            self._advance(command["ms"])
        else:
            runner = "run_order" if "in" in command else "run_op"
            self.node.admit(Apply(op, f"{_HERE}:{runner}", (op, text_of(command))))
            self._settle()
        return self.observer.observe(op, command)

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
            raise Endless(f"after {MAX_STEPS} steps the node was not at rest")
        for reply in self.node.take_replies():
            if self.observer.down or str(reply.error) == STOPPED:  # a client that was killed answers nothing
                continue
            if reply.error is not None and not isinstance(reply.error, ProcessExit):  # a client may end itself
                raise reply.error
