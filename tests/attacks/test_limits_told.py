"""Every limit is told when it is exceeded: as a reason or an error where it happens, as an alert, with its peak."""

from __future__ import annotations

import resource

import pytest

from jupyter_sandbox.isolation.layers import processor_seconds
from jupyter_sandbox.magics.commands.life import card_of
from jupyter_sandbox.model.errors import SandboxError
from jupyter_sandbox.model.limits import Limits
from jupyter_sandbox.model.sandbox import AlertRaised, SandboxStatus, Update

from .conftest import Arena, crash_reason, hearing

EXCEEDED: dict[str, tuple[dict[str, int], str, str]] = {
    "memory": ({"max_memory": 20_000_000, "handler_budget": 8_000}, (
        "import mmap\nkeep = []\nwhile True:\n    keep.append(mmap.mmap(-1, 1 << 20)); keep[-1].write(b'x' * (1 << 20))"
    ), "memory_limit"),
    "processes": ({"max_processes": 10}, (
        "async def idle(self): await self.receive()\nfor _ in range(50): self.spawn(idle)"
    ), "process_limit"),
    "run time": ({"max_runtime": 700, "handler_budget": 5_000}, "while True: pass", "runtime_limit"),
    "mailbox length": ({"max_mailbox": 50}, "for _ in range(1_000): self.send('ticker', 'x')", "mailbox_limit"),
    "open files": ({"handler_budget": 3_000}, (
        "import builtins, time\nbuiltins.keep = []\ntry:\n    while True: builtins.keep.append(open('/dev/null'))\n"
        "finally: time.sleep(2)"
    ), "files_limit"),
    "threads": ({"handler_budget": 9_000, "max_memory": 500_000_000}, (
        "import threading as t, time\n"
        "for _ in range(400): t.Thread(target=time.sleep, args=(20,), daemon=True).start()\n"
        "time.sleep(9)"
    ), "threads_limit"),
    "scratch disk": ({"handler_budget": 9_000}, (
        "n = 0\nwhile True:\n    n += 1\n    open(f'f{n}', 'wb').write(bytes(10**7))"
    ), "disk_limit"),
    "output": ({"max_output": 100}, "print('x' * 1_000)", "output_limit"),
    "time of a callback": ({"handler_budget": 200}, "while True: pass", "hang"),
}  # fmt: skip


@pytest.mark.parametrize("name", EXCEEDED)
def test_exceeding_a_limit_raises_its_alert_and_is_shown(arena: Arena, name: str) -> None:
    limits, source, kind = EXCEEDED[name]
    told: list[Update] = []
    with hearing(arena.manager, told.append):
        sandbox = arena.attacker(limits=limits)
        outcome = arena.attack(source, sandbox)
        arena.until(lambda: any(isinstance(one, AlertRaised) and one.limit == kind for one in told), f"no {kind}")
    info = sandbox.info()
    (message, *_) = [one.message for one in told if isinstance(one, AlertRaised) and one.limit == kind]
    assert message in info.alerts and message in [fact.value for fact in card_of(info).facts if fact.name == "alert"]
    if outcome.killed:
        assert info.reason and info.status is not SandboxStatus.RUNNING


def test_peaks_are_kept_after_the_end(arena: Arena) -> None:
    sandbox = arena.attacker(limits={"handler_budget": 9_000})
    source = """
    import builtins
    builtins.block, builtins.keep = bytearray(20_000_000), [open(f'f{n}', 'wb') for n in range(30)]
    for file in builtins.keep: file.write(bytes(10**6)); file.flush()
    """
    assert arena.attack(source, sandbox).error is None
    arena.until(lambda: sandbox.info().disk_peak >= 30_000_000 and sandbox.info().open_files_peak > 30, "nobody looked")
    assert arena.attack("import os; os._exit(3)", sandbox).killed
    info = sandbox.info()
    assert info.memory_peak > 15_000_000 and info.disk_peak >= 30_000_000 and info.open_files_peak > 30
    facts = {fact.name: fact.value for fact in card_of(info).facts}
    assert "at most" in facts["memory"] and "at most 3" in facts["disk"] and "at most" in facts["open files"]


def test_a_message_that_is_too_large_is_an_error_of_who_sends_it(arena: Arena) -> None:
    sandbox = arena.attacker(limits={"max_message": 1_000})
    with pytest.raises(SandboxError, match="max_message"):
        sandbox.call("evil", "x" * 10_000)
    assert arena.alive(sandbox)


def test_processor_time_is_limited_by_the_operating_system_too(arena: Arena) -> None:
    limits = {"max_runtime": 60_000}
    sandbox = arena.attacker(limits=limits)
    seconds = processor_seconds(Limits.merged(limits))
    pid = sandbox.info().os_pid
    assert pid is not None and resource.prlimit(pid, resource.RLIMIT_CPU) == (seconds - 1, seconds)


def test_too_much_processor_time_is_told_as_what_it_is(arena: Arena) -> None:
    """The signal that the operating system sends then."""
    sandbox = arena.attacker()
    outcome = arena.attack("import signal; signal.raise_signal(signal.SIGXCPU)", sandbox)
    assert outcome.killed and "more processor time than max_runtime allows" in crash_reason(sandbox)
    assert any("more processor time" in text for text in sandbox.info().alerts)


def test_processor_time_that_is_really_used_up_ends_the_sandbox(arena: Arena) -> None:
    """Lowered from outside, as no run time of the tests is long enough."""
    sandbox = arena.attacker(limits={"handler_budget": 20_000})
    pid = sandbox.info().os_pid
    assert pid is not None
    resource.prlimit(pid, resource.RLIMIT_CPU, (1, 2))
    outcome = arena.attack("while True: pass", sandbox)
    assert outcome.killed and "SIGXCPU" in crash_reason(sandbox)
