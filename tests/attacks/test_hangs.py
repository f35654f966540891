"""Attacks on time: callbacks that do not end are broken alone, or the sandbox ends and says where it hung."""

from __future__ import annotations

import re
import threading
from contextlib import suppress

import pytest

from jupyter_sandbox.isolation.layers import status_of
from jupyter_sandbox.model.errors import SandboxError
from jupyter_sandbox.model.sandbox import SandboxStatus

from .conftest import CAMP, HANGING, Arena, crash_reason

BREAKABLE = {
    "an endless loop": "while True: pass",
    "an endless comprehension": "any(x for x in iter(int, 1))",
    "a sleep": "import time; time.sleep(1e6)",
    "a lock": "import threading; threading.Lock().acquire(); lock = threading.Lock(); lock.acquire(); lock.acquire()",
    "a regular expression": "import re; re.match('(a+)+$', 'a' * 40 + 'b')",
    "a power": "10 ** 10 ** 8",
    "an exception that is not the last": "try:\n    while True: pass\nexcept Exception: pass",
    "a wait for a child that is none": "import select; select.select([], [], [])",
    "a read that never comes": "import os; os.read(os.pipe()[0], 1)",
}
UNBREAKABLE = {
    "a sum in C": "sum(range(10**15))",
    "an exhausted iterator in C": "import collections, itertools; collections.deque(itertools.repeat(1), maxlen=0)",
    "a loop that catches everything": (
        "def spin():\n    while True: pass\nwhile True:\n    try: spin()\n    except BaseException: pass"
    ),
    "a signal that is ignored": "import signal; signal.signal(signal.SIGUSR1, signal.SIG_IGN)\nwhile True: pass",
    "all signals that are blocked": (
        "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\nwhile True: pass"
    ),
    "no more alarms": (
        "import signal; signal.setitimer(signal.ITIMER_REAL, 0); signal.signal(signal.SIGALRM, signal.SIG_IGN)\n"
        "signal.signal(signal.SIGUSR1, signal.SIG_IGN)\nwhile True: pass"
    ),
    "a stop of itself": "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)",
}  # fmt: skip

UNSEEN = ("all signals that are blocked", "a stop of itself")
"""Nothing can ask these where they are."""


@pytest.mark.parametrize("name", BREAKABLE)
def test_a_callback_that_hangs_crashes_alone_and_is_restarted(arena: Arena, name: str) -> None:
    sandbox = arena.attacker()
    ticks = sandbox.call("ticker", "count")
    assert ticks is not None and sandbox.call("evil", "state = 7") is None
    sandbox.limits(**HANGING)
    outcome = arena.attack(BREAKABLE[name], sandbox)
    sandbox.limits(handler_budget=5_000)
    assert outcome.error is not None and not outcome.killed
    assert arena.in_time(outcome.span, 0.3 + 0.3), "the budget, and what it takes to notice and to break it"
    assert arena.attempt("answer = state", sandbox) == 0, "it was not restarted"
    assert sandbox.call("ticker", "count") > ticks, "its neighbour was"
    assert any("longer than 300 ms" in text for text in sandbox.info().alerts)
    assert any('File "<attack>", line ' in line for told in sandbox.log() for line in told.traceback), "where it hung"


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            name, marks=() if name in ("a loop that catches everything", "a stop of itself") else pytest.mark.slow
        )
        for name in UNBREAKABLE
    ],
)
def test_a_callback_that_cannot_be_broken_ends_the_sandbox_with_the_place_in_the_reason(
    arena: Arena, name: str
) -> None:
    sandbox = arena.attacker(limits=HANGING)
    outcome = arena.attack(UNBREAKABLE[name], sandbox)
    assert outcome.killed
    assert arena.in_time(outcome.span, 0.3 + 2.0 + 1.2), "the budget, two attempts, and what it takes to notice"
    assert crash_reason(sandbox).startswith("hang: ")
    if name not in UNSEEN:
        assert "; it hangs at <attack> line " in crash_reason(sandbox)
    assert arena.works_again(sandbox)


def test_who_is_stopped_between_two_callbacks_ends_when_something_is_asked_of_it(arena: Arena) -> None:
    sandbox = arena.attacker(limits=HANGING)
    source = "import os, signal, threading\nthreading.Timer(0.2, os.kill, (os.getpid(), signal.SIGSTOP)).start()"
    assert arena.attack(source, sandbox).error is None
    os_pid = sandbox.info().os_pid
    arena.until(lambda: status_of(os_pid).get("State", "").startswith("T"), "it goes on")
    outcome = arena.watch(lambda: sandbox.call("evil", "answer = 1"))
    assert outcome.killed
    assert arena.in_time(outcome.span, 0.3 + 2.0 + 1.2), "the budget, two attempts, and what it takes to notice"
    assert crash_reason(sandbox).startswith(
        "hang: a callback of whoever answers the call to evil ran longer than 300 ms"
    )
    assert "a signal has stopped its OS process" in crash_reason(sandbox)
    assert arena.works_again(sandbox)


OUTSIDE = {
    "as it begins": "await self.outside(work)",
    "later": "await self.outside(int)\nawait self.outside(work)",
    "in a thread of its own": "import threading; threading.Timer(0.5, work).start()",
}


@pytest.mark.parametrize("when", OUTSIDE)
def test_a_thread_beside_the_processes_that_keeps_everything_waiting_ends_the_sandbox_with_the_place(
    arena: Arena, when: str
) -> None:
    """When something is asked of it; whether it hears that is seen from outside."""
    sandbox = arena.attacker(limits=HANGING)
    source = f"def work():\n    sum(range(10**15))\n{OUTSIDE[when]}"

    def run() -> None:
        with suppress(SandboxError):
            sandbox.exec(source, "<attack>")

    cell = threading.Thread(target=run, daemon=True)
    cell.start()
    # Whoever gets little of the processors beside others is ended before that, because its cell waits.
    arena.until(lambda: sandbox.info().processor_ms > 900 or bool(crash_reason(sandbox)), "it does not compute")
    outcome = arena.watch(lambda: sandbox.call("evil", "answer = 1"))
    assert outcome.killed
    assert arena.in_time(outcome.span, 0.3 + 2.0 + 1.2), "the budget, two attempts, and what it takes to notice"
    assert crash_reason(sandbox).startswith("hang: ")
    assert "; it hangs at <attack> line 2 in work" in crash_reason(sandbox)
    cell.join(60)
    assert arena.works_again(sandbox)


@pytest.mark.parametrize("then", ["", "; time.sleep(0.3)"])
def test_a_thread_that_keeps_everything_waiting_is_no_callback_that_hangs(arena: Arena, then: str) -> None:
    """Its process may be about to return from the callback that began it, or have returned."""
    sandbox = arena.attacker(limits=HANGING)
    work = "import threading, time\ndef work():\n    sum(range(10**15))\n"
    source = f"{work}threading.Thread(target=work, daemon=True).start(){then}"
    outcome = arena.watch(lambda: sandbox.exec(source, "<attack>"))
    assert outcome.killed
    assert "hang: a thread beside its processes, for which everything waits," in crash_reason(sandbox)
    assert "; it hangs at <attack> line 3 in work" in crash_reason(sandbox)
    assert arena.works_again(sandbox)


def test_a_loop_in_a_destructor_ends_in_an_error_or_the_end_of_the_sandbox(arena: Arena) -> None:
    source = "class Sticky:\n    def __del__(self):\n        while True: pass\nsticky = Sticky(); del sticky"
    sandbox = arena.attacker(limits=HANGING)
    arena.attack(source, sandbox)
    assert any("longer than 300 ms" in text for text in sandbox.info().alerts)
    assert arena.works_again(sandbox)


@pytest.mark.parametrize("place", [pytest.param("the top of a module", marks=pytest.mark.slow), "init"])
def test_code_that_hangs_while_it_is_loaded_or_started_is_given_up(arena: Arena, place: str) -> None:
    sandbox = arena.manager.create(limits={"handler_budget": 300})
    arena.attackers.append(sandbox)
    server = "from jupyter_sandbox.otp import GenServer\nclass Slow(GenServer):\n"
    source = f"{server}    def init(self, _):\n        while True: pass" if place == "init" else "while True: pass"

    def act() -> None:
        sandbox.load(source, "slow")
        sandbox.start("slow.Slow")

    outcome = arena.watch(act)
    assert re.search("did not finish in|ran longer than|interrupted", str(outcome.error))
    sandbox.restart()
    assert sandbox.exec("1 + 1") == 2


def test_code_that_hangs_when_it_is_shut_down_does_not_hold_up_the_end(arena: Arena) -> None:
    sticky = "class Sticky(GenServer):\n    def terminate(self, reason, state):\n        while True: pass\n\n"
    code = CAMP.replace("class Ticker", sticky + "class Ticker").replace("[Child(Evil", "[Child(Sticky, 0), Child(Evil")
    sandbox = arena.manager.create(code={"camp.py": code}, main="camp.Camp", limits={"handler_budget": 300})
    arena.attackers.append(sandbox)
    assert arena.alive(sandbox)
    sandbox.exec("import atexit\natexit.register(lambda: [None for _ in iter(int, 1)])")
    outcome = arena.watch(sandbox.destroy)
    assert outcome.error is None and arena.in_time(outcome.span, 4.0)


def test_threads_that_spin_do_not_keep_the_sandbox_alive(arena: Arena) -> None:
    sandbox = arena.attacker(limits={"handler_budget": 5_000})
    source = """
    import threading
    def spin():
        while True: pass
    for _ in range(4): threading.Thread(target=spin).start()
    """
    assert arena.attack(source, sandbox).error is None
    outcome = arena.watch(sandbox.destroy)
    assert outcome.error is None and arena.in_time(outcome.span, 4.0)


def test_run_time_ends_a_sandbox_that_does_nothing_wrong_but_stay(arena: Arena) -> None:
    sandbox = arena.attacker()
    sandbox.limits(max_runtime=500)
    arena.until(lambda: sandbox.status is SandboxStatus.STOPPED, "it runs on")
    assert crash_reason(sandbox) == "it ran longer than max_runtime (0.5 s)"
    with pytest.raises(SandboxError):
        sandbox.call("evil", "")
