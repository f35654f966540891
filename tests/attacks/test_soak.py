"""A soak: twenty sandboxes crash, hang and flood without a pause, and the kernel stays as it was."""

from __future__ import annotations

import ctypes
import gc
import itertools
import os
import random
import threading
import time

import pytest

from jupyter_sandbox.model.errors import SandboxError
from jupyter_sandbox.model.sandbox import SandboxStatus

from .conftest import Arena, resident
from .loaded import loaded
from .patience import ALONE, PATIENCE_S

MINUTES = float(os.environ.get("JUPYTER_SANDBOX_CAMPAIGN_MINUTES", "10"))
SANDBOXES = 20
USUAL_S, BUSY_S = 0.5, 0.5
"""Within which the bystander answers 99 of 100 times, though sixty threads want the processors; 999 of 1000 times it is
a second, and always: each but for what other work makes everybody wait. However long an answer waits for a processor,
the manager is never busy with something else for longer than the second of these."""
GROWTH, FLAT = 50_000_000, 15_000_000
"""Bytes that the kernel may grow after it has warmed up, while the histories of twenty sandboxes fill, and in the
second half."""
MISERY = (
    "import os; os._exit(1)",
    "import ctypes; ctypes.string_at(0)",
    "while True: pass",
    "import signal; signal.signal(signal.SIGUSR1, signal.SIG_IGN)\nwhile True: pass",
    "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)",
    "while True: print('x' * 10_000)",
    "for _ in range(50_000): self.log('error', 'x' * 500)",
    "import os; os.write(3, os.urandom(100_000))",
    "x = []\nwhile True: x.append(bytearray(10**6))",
    "n = 0\nwhile True:\n    n += 1\n    open(f'f{n}', 'wb').write(bytes(10**7))",
    "for _ in range(50_000): self.send('ticker', 'x')",
    "import threading\nfor _ in range(50): threading.Thread(target=lambda: sum(range(10**8)), daemon=True).start()",
    "raise SystemExit",
    "import sys; sys.modules.clear()",
    "answer = ['y' * 100_000] * 50",
)
LIMITS = {"handler_budget": 200, "max_output": 20_000, "max_memory": 30_000_000}


class Soak:
    """Twenty victims, each attacked by a thread of its own until the time is over."""

    def __init__(self, arena: Arena) -> None:
        self.arena = arena
        self.victims = [arena.attacker(limits=LIMITS) for _ in range(SANDBOXES)]
        self.over = threading.Event()
        self.rounds = itertools.count()
        self.done = 0
        self.unexplained: list[str] = []
        self.answers_s: list[float] = []
        self.busiest_s = 0.0
        """The most processor time that the manager used while somebody waited for one answer."""
        self.too_long: list[str] = []

    def run(self, seconds: float) -> None:
        """Soak for so long, asking the bystander on and on."""
        self.over.clear()
        threads = [threading.Thread(target=self._torment, args=(number,)) for number in range(SANDBOXES)]
        for thread in threads:
            thread.start()
        patience, end = self.arena.patience, time.monotonic() + seconds
        while time.monotonic() < end:
            asked = patience.now()
            self.arena.ticks()
            answered = patience.now()
            self.answers_s.append(answered.at_s - asked.at_s)
            self.busiest_s = max(self.busiest_s, answered.worked_s - asked.worked_s)
            self.too_long += filter(None, [patience.too_long(asked, answered)])
            time.sleep(0.02)
        self.over.set()
        for thread in threads:
            thread.join(60)
        assert not any(thread.is_alive() for thread in threads)

    def _torment(self, number: int) -> None:
        chance, victim = random.Random(number), self.victims[number]
        while not self.over.is_set():
            self.done = next(self.rounds)
            try:
                victim.call("evil", chance.choice(MISERY), timeout_ms=5_000)
            except SandboxError as error:
                if not str(error):
                    self.unexplained.append(repr(error))
            if victim.status is not SandboxStatus.RUNNING:
                if not victim.info().reason:
                    self.unexplained.append(f"{victim.name} {victim.status} without a reason")
                self._restart(victim.name)

    def _restart(self, name: str) -> None:
        try:
            self.arena.manager.get(name).restart()
        except SandboxError as error:
            self.unexplained.append(str(error))


def soak(arena: Arena, warm_s: float, seconds: float) -> Soak:
    """Warm up, measure, soak, measure again, soak, and measure once more; a page follows it all."""
    with loaded(arena.manager) as page:
        soaked = _soaked(arena, warm_s, seconds)
    assert page.told.total() > 0
    return soaked


def _soaked(arena: Arena, warm_s: float, seconds: float) -> Soak:
    soaked = Soak(arena)
    before_ticks = arena.ticks()
    soaked.run(warm_s)
    rest, sizes = arena.belongings(), [in_use()]
    soaked.answers_s.clear()
    soaked.too_long.clear()
    began = arena.patience.now()
    for _ in range(2):
        soaked.run(seconds / 2)
        sizes.append(in_use())
    answers_s, reference, now = sorted(soaked.answers_s), arena.patience.reference, arena.patience.now()
    others, waits_s = reference.load(began, now).others, reference.waits_s(began, now)
    usual_s, nearly_always_s = (
        of(answers_s, part) - (of(waits_s, part) if others >= ALONE else 0.0) for part in (990, 999)
    )
    longest_s = answers_s[-1]
    print(
        f"soak of {seconds:.0f} s: {soaked.done} rounds, memory of the kernel "
        f"{' -> '.join(f'{size / 1e6:.0f}' for size in sizes)} MB, the bystander answers {len(answers_s)} times, "
        f"99 of 100 times in {usual_s * 1000:.0f} ms, 999 of 1000 times in {nearly_always_s * 1000:.0f} ms, "
        f"always in {longest_s * 1000:.0f} ms, of which the manager worked {soaked.busiest_s * 1000:.0f} ms at most; "
        f"{others:.0%} of the processors went to others"
    )
    assert sizes[2] - sizes[0] < GROWTH
    # In a minute the histories are still filling.
    assert seconds < 300 or sizes[2] - sizes[1] < FLAT
    assert usual_s < USUAL_S and nearly_always_s < PATIENCE_S and soaked.busiest_s < BUSY_S
    assert soaked.too_long == [] and soaked.unexplained == []
    assert arena.ticks() > before_ticks
    # Twenty guests live, and the one that is kept for trials; whatever was there in between is gone.
    most = SANDBOXES + arena.before.processes
    arena.until(lambda: arena.belongings().processes <= most, f"{arena.belongings()} left, {rest} at the start", 30)
    return soaked


def of(ordered: list[float], part: int) -> float:
    """What so many of a thousand do not exceed."""
    return ordered[len(ordered) * part // 1000]


def in_use() -> int:
    """Bytes of this kernel's memory, without what its allocator keeps for later."""
    gc.collect()
    if (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)) is not None:
        trim(0)
    return resident()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_twenty_sandboxes_in_misery_leave_the_kernel_as_it_was(arena: Arena) -> None:
    assert soak(arena, 5, 60).done > 50


@pytest.mark.campaign
@pytest.mark.timeout(MINUTES * 60 + 600)
def test_minutes_of_misery_leave_the_kernel_as_it_was(arena: Arena) -> None:
    assert soak(arena, 20, MINUTES * 60).done > 100 * MINUTES
