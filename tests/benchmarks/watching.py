"""What watching costs while nothing happens, and how soon a callback that hangs is noticed at default settings."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Iterator
from typing import Final

from jupyter_sandbox.manager.manager import SandboxManager
from jupyter_sandbox.manager.watchdog import POLL_S
from jupyter_sandbox.model.errors import SandboxError
from jupyter_sandbox.model.limits import Limits
from jupyter_sandbox.model.sandbox import AlertRaised, Update

from ..waiting import until
from .bare import Bare

COUNT: Final = 20
HANGS: Final = "import time\nbegan = time.monotonic()\nwhile True: pass"


def share(seconds: float, main: str = "Idle") -> float:
    """The part of a core in percent that the manager's thread takes for 20 sandboxes that run ``main``."""

    async def spent() -> float:
        return time.thread_time()

    with SandboxManager(store=":memory:") as manager:
        for number in range(COUNT):
            manager.create(f"idle_{number}", code={"idle.py": IDLE}, main=main)
        until(lambda: manager._spares.full)  # type: ignore[union-attr]
        time.sleep(1.0)  # until the samples of the start have been told
        before, began = manager._loop.run(spent()), time.perf_counter()
        time.sleep(seconds)
        return 100 * (manager._loop.run(spent()) - before) / (time.perf_counter() - began)


IDLE: Final = """
from jupyter_sandbox.otp import Child, GenServer, NoReply, Supervisor

class Desk(GenServer):
    def init(self, _):
        return 0

class Idle(Supervisor):
    def init(self, _):
        return [Child(Desk, 0, id=n) for n in range(10)]

class Clock(GenServer):
    def init(self, _):
        self.send_interval(50, self.pid, "tick")
        return 0
    def handle_info(self, message, n):
        return NoReply(n + 1)

class Busy(Supervisor):
    def init(self, _):
        return [Child(Clock, 0)]
"""


def late(budget_ms: int = Limits().handler_budget) -> tuple[float, float]:
    """Milliseconds from when a callback's budget is used up until it is noticed, and until its caller is answered."""
    noticed = threading.Event()
    at: list[float] = []

    def told(update: Update) -> None:
        if isinstance(update, AlertRaised) and update.limit == "hang" and not at:
            at.append(time.monotonic())
            noticed.set()

    with SandboxManager(store=":memory:") as manager:
        manager.subscribe(told)
        sandbox = manager.create("stuck", limits={"handler_budget": budget_ms})
        began = time.monotonic()
        try:
            sandbox.exec(HANGS, timeout_ms=60_000)
        except SandboxError:
            answered = time.monotonic()
        noticed.wait(10)
        return (at[0] - began) * 1000 - budget_ms, (answered - began) * 1000 - budget_ms


def report(rounds: int, seconds: float = 5.0, budget_ms: int = Limits().handler_budget) -> Iterator[str]:
    """One line per figure, each the median of the rounds."""
    bare = Bare()
    both = [(share(seconds), bare.waking(seconds, POLL_S)) for _ in range(rounds)]
    bare.close()
    used, waking = (statistics.median(column) for column in zip(*both, strict=True))
    yield f"{'watching':<14}{used:>9.2f} %    at most 0.5    of a core, {COUNT} sandboxes of 10 idle processes"
    yield f"{'':<14}{waking:>9.2f} %                    of these an event loop that wakes as often and does nothing"
    busy = statistics.median(share(seconds, "Busy") for _ in range(rounds))
    yield f"{'':<14}{busy:>9.2f} %                    of a core, the same, each ticking 20 times a second"
    times = [late(budget_ms) for _ in range(rounds)]
    seen, broken = (statistics.median(column) for column in zip(*times, strict=True))
    yield f"{'hang noticed':<14}{seen:>9.0f} ms   at most 300    after the budget of {budget_ms} ms was used up"
    yield f"{'hang broken':<14}{broken:>9.0f} ms                  until then its caller has the error"
