"""The driver of the arm ``sandbox``: runs inside the guest, as a process among those of the scenario.

Time is virtual there: a timer that is due now fires only once nobody can run,
so ``await self.sleep(0)`` returns when everybody else has come to rest, and
time moves on only when everybody waits for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from jupyter_sandbox.model.ids import Pid
from jupyter_sandbox.otp import OtpContext

from .observing import ROOT, Observer
from .plain import run_op, run_order, run_root
from .terms import parse, text_of
from .world import World

_HERE = "conformance_record"
_ROUNDS = 20
_SECOND = 1_000


@dataclass(slots=True)
class _Record:
    """How far a scenario is; it outlives the driver, which a stopped node takes with it."""

    ops: list[dict[str, Any]]
    observer: Observer
    found: list[dict[str, Any]] = field(default_factory=list)

    def look(self) -> None:
        """Observe the op that was executed last."""
        number = len(self.found)
        self.found.append(self.observer.observe(number, self.ops[number]))

    def told(self, *, clean: bool) -> str:
        """The observations as text, and whether the next scenario may run in this sandbox."""
        final = None if self.observer.down else self.observer.final()
        return text_of({"ops": self.found, "final": final, "clean": clean})


async def conduct(self: OtpContext, text: str) -> str:
    """Run the ops of one scenario; the observations and the final state as text."""
    node = self._process.node
    world = World()
    before, globals_before, sink = set(node.processes), dict(node.globals), node.sink
    record = node.globals[_HERE] = _Record(parse(text), Observer(node, world))
    node.globals["conformance"] = world

    def hear(kind: str, process: Any, data: Any) -> None:
        world.hear(kind, process, data)
        if sink is not None:
            sink(kind, process, data)

    node.sink = hear
    # Restarts are counted by whole seconds of the node's time: every scenario begins on one, as on a new node.
    await self.sleep(-self.now() % _SECOND)
    self.spawn(run_root, ROOT)
    await _settle(self)
    world.take()
    for number, op in enumerate(record.ops):
        await _perform(self, number, op)
        record.look()
    answer = record.told(clean=True)
    node.sink = sink
    if await _clear(self, before, globals_before):
        return answer
    return record.told(clean=False)


async def _perform(self: OtpContext, number: int, op: dict[str, Any]) -> None:
    if op["cmd"] == "advance":
        await self.sleep(op["ms"])
    else:
        self.spawn(run_order if "in" in op else run_op, number, text_of(op))
    await _settle(self)


async def _settle(self: OtpContext) -> None:
    """Until nobody but this process can run at the present time."""
    node = self._process.node
    while True:
        await self.sleep(0)
        due = node.next_deadline()
        if not node.ready and (due is None or due > node.now_ms):
            return


async def collect(self: OtpContext) -> str:
    """What an interrupted driver has left: the op that stopped the node is observed here, by another process."""
    record = self._process.node.globals[_HERE]
    assert isinstance(record, _Record)
    if not record.observer.down:
        raise RuntimeError("the driver ended although the node is up")
    await _settle(self)
    record.look()
    return record.told(clean=False)


async def _clear(self: OtpContext, before: set[Pid], globals_before: dict[str, Any]) -> bool:
    """End everything that the scenario began; whether nothing of it is left."""
    node = self._process.node
    for _ in range(_ROUNDS):
        left = [pid for pid in node.processes if pid not in before]
        if not left:
            break
        for pid in left:
            self.exit_signal(pid, "kill")
        await _settle(self)
    for timer in list(node.timers):
        self.cancel_timer(timer)
    node.globals.clear()
    node.globals.update(globals_before)
    return set(node.processes) <= before and not (node.names or node.aliases or node.timers or node.tables.owned)
