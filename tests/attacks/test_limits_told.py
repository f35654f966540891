"""Every limit is told when it is exceeded: as a reason or an error where it happens, as an alert, with its peak."""

from __future__ import annotations

import re
import resource

import pytest

from jupyter_sandbox.isolation.layers import processor_seconds
from jupyter_sandbox.isolation.system import clock_of, processor_ns
from jupyter_sandbox.magics.commands.life import card_of
from jupyter_sandbox.model.errors import LimitExceeded, SandboxError
from jupyter_sandbox.model.limits import OPEN_FILES, Limits
from jupyter_sandbox.model.sandbox import AlertRaised, SandboxStatus, Update

from .conftest import Arena, crash_reason, growing_at_most, hearing
from .tools import CHANNEL

EXCEEDED: dict[str, tuple[dict[str, int], str, str]] = {
    "memory": ({"max_memory": 20_000_000, "handler_budget": 8_000}, (
        "import mmap\nkeep = []\nwhile True:\n    keep.append(mmap.mmap(-1, 1 << 20)); keep[-1].write(b'x' * (1 << 20))"
    ), "memory_limit"),
    "processes": ({"max_processes": 10}, (
        "async def idle(self): await self.receive()\nfor _ in range(50): self.spawn(idle)"
    ), "process_limit"),
    "run time": ({"max_runtime": 3_000, "handler_budget": 15_000}, "while True: pass", "runtime_limit"),
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
    "memory in one piece": ({"max_memory": 20_000_000}, "bytearray(60_000_000)", "memory_limit"),
    "mailbox of who waits for something else": ({"max_mailbox": 50}, (
        "async def picky(self): await self.receive(lambda message: message == 'never')\n"
        "who = self.spawn(picky)\n"
        "async def sender(self):\n    for _ in range(200): self.send(who, 'x'); await self.yield_()\n"
        "self.spawn(sender)"
    ), "mailbox_limit"),
    "open files for a moment": ({}, "keep = []\nwhile True: keep.append(open('/dev/null'))", "files_limit"),
    "one file": ({}, "open('f', 'wb').write(bytes(20_000_000))", "file_limit"),
    "one file, without an error": ({"handler_budget": 9_000}, (
        "with open('f', 'wb') as file: file.write(bytes(16_000_000))\nimport time; time.sleep(3)"
    ), "file_limit"),
    "files in its folder": ({"handler_budget": 9_000}, (
        "for n in range(3_000): open(f'f{n}', 'wb').close()\nimport time; time.sleep(5)"
    ), "disk_limit"),
    "a reply": ({"max_message": 1_000}, "answer = 'x' * 10_000", "message_limit"),
    "news": ({"handler_budget": 9_000}, (
        f"{CHANNEL}for _ in range(3_000): say(m.Notice(level='info', text='x'))\nimport time; time.sleep(5)"
    ), "news_limit"),
    "the protocol": ({"handler_budget": 9_000}, "import os, time; os.write(3, b'x' * 64); time.sleep(5)", "protocol"),
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
    assert message in info.alerts and any(
        str(fact.value).endswith(f" {message}") for fact in card_of(info).facts if fact.name == "alert"
    )
    assert message in [notice.text for notice in sandbox.log(limit=2_000)], "the log has the alerts among all else"
    if outcome.killed:
        assert info.reason and info.status is not SandboxStatus.RUNNING


def test_a_cell_that_meets_the_limit_of_memory_is_told_with_its_peak(arena: Arena) -> None:
    """It gives all of it back before the watchdog looks, and its error goes to who ran it."""
    sandbox = arena.attacker(limits={"max_memory": 40_000_000, "handler_budget": 9_000})
    outcome = arena.watch(lambda: sandbox.exec("keep = []\nwhile True: keep.append(bytearray(10**6))"))
    assert "MemoryError" in str(outcome.error)
    words = "the cell <exec> raised MemoryError: it needed more memory than max_memory leaves"
    assert any(words in alert for alert in sandbox.info().alerts)
    arena.until(lambda: sandbox.info().memory_peak > 30_000_000, f"the peak is not known: {sandbox.info()}")
    assert sandbox.info().memory_peak <= 50_000_000 and arena.alive(sandbox)


CAUGHT = """
import threading
def take():
    keep = []
    try:
        while True: keep.append(bytearray({size}))
    except MemoryError:
        if {silent}: return
        raise
{run}
"""


@pytest.mark.parametrize("size", [1_000, 1_000_000])
@pytest.mark.parametrize("run", ["take()", "t = threading.Thread(target=take); t.start(); t.join()"])
def test_who_has_had_all_of_its_memory_is_told_though_its_code_catches_the_error(
    arena: Arena, run: str, size: int
) -> None:
    """What was refused is gone before anybody looks."""
    sandbox = arena.attacker(limits={"max_memory": 50_000_000, "handler_budget": 9_000})
    source = CAUGHT.format(size=size, silent=run == "take()", run=run)
    assert arena.attack(source, sandbox).error is None
    arena.until(lambda: sandbox.info().alerts != (), "nobody was told")
    told = re.compile(
        r"it has had (4[789]\.\d|50\.0) of the 50 MB of max_memory; what it asks for above that is refused|"
        r"it uses 50\.\d MB, more than max_memory \(50 MB\)"  # where somebody looked in time
    )
    assert told.match(sandbox.info().alerts[0]) and sandbox.info().memory_peak > 47_000_000


def test_who_merely_uses_much_memory_or_reads_large_files_is_told_nothing(arena: Arena) -> None:
    sandbox = arena.attacker(limits={"max_memory": 50_000_000, "handler_budget": 9_000})
    source = """
    import builtins, mmap, os, time
    for number in range(5):
        with open(f'f{number}', 'wb') as file: file.write(bytes(10**7))
    mapped = [mmap.mmap(os.open(f'f{number}', os.O_RDONLY), 0, access=mmap.ACCESS_READ) for number in range(5)]
    assert sum(len(one[::4096]) for one in mapped)
    time.sleep(0.5)
    del mapped
    builtins.keep = bytearray(44_000_000)
    builtins.keep[::4096] = bytes(len(builtins.keep[::4096]))
    """
    assert arena.attack(source, sandbox).error is None
    arena.until(lambda: sandbox.info().memory_peak > 43_000_000, "nobody looked")
    assert arena.attack("keep.clear()", sandbox).error is None
    arena.until(lambda: sandbox.info().memory < 5_000_000, "nobody looked again")
    assert sandbox.info().alerts == ()


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


def test_open_files_that_nobody_saw_count_among_the_most_that_it_had(arena: Arena) -> None:
    sandbox = arena.attacker()
    outcome = arena.attack("keep = []\nwhile True: keep.append(open('/dev/null'))", sandbox)
    assert "Too many open files" in str(outcome.error)
    arena.until(lambda: sandbox.info().alerts != (), "nobody was told")
    assert (sandbox.info().open_files_peak, sandbox.info().most_files) == (OPEN_FILES, OPEN_FILES)


def test_threads_that_there_is_no_memory_for_are_told_as_that(arena: Arena) -> None:
    sandbox = arena.attacker(limits={"handler_budget": 9_000, "max_memory": 20_000_000})
    source = (
        "import threading as t\nfor _ in range(200): t.Thread(target=t.Event().wait, args=(9,), daemon=True).start()"
    )
    assert "can't start new thread" in str(arena.attack(source, sandbox).error)
    arena.until(lambda: sandbox.info().alerts != (), "nobody was told")
    told = sandbox.info().alerts[0]  # its end may be told, too: there is no memory left for anything
    assert f"no memory left for another thread; `%sandbox limits {sandbox.name} --max-memory SIZE`" in told


PEAKS: dict[str, tuple[dict[str, int], str, str, str]] = {
    "threads": ({"handler_budget": 9_000}, (
        "import threading as t\nfor _ in range(20): t.Thread(target=t.Event().wait, args=(60,), daemon=True).start()"
    ), "threads", r"at most 2[1-9] of 250 so far"),
    "processes that are gone": ({}, (
        "async def brief(self): pass\nfor _ in range(30): self.spawn(brief)"
    ), "processes", r"3 of 100, at most 33 so far"),
    "messages that are handled": ({}, (
        "for _ in range(200): self.send('ticker', 'x')"
    ), "longest queue", r"\d+ of 10000 messages, at most 20\d so far"),
    "a reply": ({}, "answer = 'x' * 5_000", "largest message", r"5,0\d\d of 1,048,576 bytes"),
    "output": ({"max_output": 100}, "print('x' * 999)", "output", "at most 1,000 of 100 bytes in a cell"),
    "a long callback": ({"handler_budget": 9_000}, (
        "import time\ntime.sleep(0.6)"
    ), "longest callback", r"([3-9]\d\d|[1-8],\d{3}) of 9,000 ms"),
    "processor time": ({"handler_budget": 60_000}, (
        "import time\nuntil = time.process_time() + 0.5\nwhile time.process_time() < until: pass"
    ), "processor time", r"(0\.[5-9]|[1-9]\.\d) of 302 s"),
    "files": ({"handler_budget": 9_000}, (
        "for n in range(40): open(f'f{n}', 'w').write('x')"
    ), "disk", r"at most 0\.2 of 100 MB in 40 of 2000 files"),
}  # fmt: skip


@pytest.mark.parametrize("name", PEAKS)
def test_the_peak_of_every_limit_is_shown_and_outlives_the_os_process(arena: Arena, name: str) -> None:
    limits, source, fact, figure = PEAKS[name]
    sandbox = arena.attacker(limits=limits)
    arena.attack(source, sandbox)

    def shown() -> bool:
        arena.manager.refresh(sandbox.name)
        (value,) = [one.value for one in card_of(sandbox.info()).facts if one.name == fact]
        return re.fullmatch(figure, value) is not None

    arena.until(shown, f"{fact} is not shown: {card_of(sandbox.info()).text()}")
    arena.attack("import os; os._exit(3)", sandbox)
    told = [one.value for one in card_of(sandbox.info()).facts if one.name == fact]
    assert re.fullmatch(figure.replace(r"3 of 100", r"0 of 100"), told[0])


def test_a_peak_that_nobody_could_look_at_is_not_shown_as_nothing(arena: Arena) -> None:
    """It ended before the first look; what the node counts is read from the page that it left."""
    sandbox = arena.attacker()
    arena.attack("async def brief(self): pass\nfor _ in range(30): self.spawn(brief)", sandbox)
    arena.attack("import os; os.abort()", sandbox)
    info = sandbox.info()
    assert info.processes_peak == 33
    facts = {fact.name: fact.value for fact in card_of(info).facts}
    assert facts["threads"] in ("of 250: not counted yet", "at most 1 of 250 so far")


def test_what_a_sandbox_counts_of_itself_is_a_claim_and_hurts_nobody(arena: Arena) -> None:
    source = """
    import gc
    from jupyter_sandbox.isolation.heartbeat import HeartbeatWriter
    for page in [one for one in gc.get_objects() if type(one) is HeartbeatWriter]:
        page._map[:] = b"\\xff" * len(page._map)
        page._map[264:464] = b"\\x1b[31m<b>" + b"\\n" * 192
        page._map[512:] = (b"\\x1b]0;x\\x07" * 4096)[: len(page._map) - 512]
    import ctypes; ctypes.CDLL(None).abort()
    """
    sandbox = arena.attacker()
    assert arena.attack(source, sandbox).killed
    info = sandbox.info()
    assert info.reason.isprintable() and len(info.reason) < 500 and info.reason.startswith("its OS process ended with")
    assert 0 <= info.processes_peak <= 1 << 53 and card_of(info).html()
    assert arena.works_again(sandbox)


def test_a_message_that_is_too_large_is_an_error_of_who_sends_it_and_an_alert(arena: Arena) -> None:
    sandbox = arena.attacker(limits={"max_message": 1_000})
    told: list[Update] = []
    with hearing(arena.manager, told.append), pytest.raises(SandboxError, match="max_message"):
        sandbox.call("evil", "x" * 10_000)
    (alert,) = [one.message for one in told if isinstance(one, AlertRaised) and one.limit == "message_limit"]
    assert "%sandbox limits" in alert and alert in sandbox.info().alerts and sandbox.info().message_peak > 10_000
    assert arena.alive(sandbox)


MIB = 1 << 20
REPLIES: dict[str, tuple[str, int, int, str]] = {
    "bytes that just fit": ("b'x' * 1_040_000", MIB, 1_040_000, ""),
    "bytes": ("b'x' * 1_500_000", MIB, 1_500_000, "max_message is 1048576: %sandbox limits {name} --max-message 15000"),
    "many bytes": ("b'x' * 5_000_000", MIB, 5_000_000, "it has 50000.. bytes, max_message is 1048576"),
    "many bytes that may come": ("b'x' * 5_000_000", 10_000_000, 5_000_000, ""),
    "text in a list": ("['x' * 100_000] * 50", MIB, 5_000_000, "it has 5000... bytes, max_message is 1048576"),
    "text in a list that may come": ("['x' * 100_000] * 50", 10_000_000, 5_000_000, ""),
    "more than any reply has": ("b'x' * 9_000_000", 10_000_000, 9_000_000, "no reply can have more than 8384512"),
    "more than any reply has, in parts": ("[b'x' * 10**6] * 20", 30_000_000, 8_384_513, "no reply can have more than"),
    "many numbers": ("list(range(50_000))", MIB, 149_000, ""),
    "many keys": ("{str(n): n for n in range(40_000)}", MIB, 300_000, ""),
    "too many numbers": ("[0] * 100_001", MIB, 0, "more than the 100000 items that a reply can have"),
    "too many keys that are numbers": ("dict.fromkeys(range(10_001))", MIB, 0, "more than the 10000 keys"),
}


@pytest.mark.parametrize("name", REPLIES)
def test_a_reply_comes_whole_or_is_an_error_of_who_asks_and_an_alert(arena: Arena, name: str) -> None:
    reply, most, size, why = REPLIES[name]
    sandbox = arena.attacker(limits={"max_message": most, "max_memory": 100_000_000})
    if not why:
        assert sandbox.call("evil", f"answer = {reply}") == eval(reply)
        assert not sandbox.info().alerts
    else:
        words = why.replace("{name}", sandbox.name)
        with pytest.raises(LimitExceeded, match=words) as caught:
            sandbox.call("evil", f"answer = {reply}")
        assert caught.value.limit == "message_limit"
        (alert,) = sandbox.info().alerts
        assert re.search(words, alert) and alert.startswith("the reply was refused: ")
    assert size <= sandbox.info().message_peak <= max(1.1 * size, 2 * MIB)
    assert arena.alive(sandbox)


FORGED_REPLIES = {
    "a size below nothing": "m.Oversized(id=told.id, size=-5)",
    "a size beyond all numbers": "m.Oversized(id=told.id, size=2**64 - 1)",
    "too much of it for this sandbox": "m.Value(id=told.id, data=bytes(2_000_000))",
    "millions of empty lists": "m.Value(id=told.id, data=b'\\xdd\\x00\\x20\\x00\\x00' + b'\\x92\\x02\\x90' * 300_000)",
    "millions of empty lists in a list": (
        "m.Value(id=told.id, data=b'\\x92\\x02\\xdd\\x00\\x04\\x93\\xe0' + b'\\x92\\x02\\x90' * 300_000)"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FORGED_REPLIES)
def test_a_forged_reply_is_an_error_of_who_asks_and_costs_the_kernel_little(arena: Arena, name: str) -> None:
    sandbox = arena.attacker()
    arena.attack(
        f"{CHANNEL}from jupyter_sandbox.wire.connection import Connection\nhonest = Connection.send\n"
        "def send(self, told):\n"
        "    data = honest(self, told)\n"
        f"    return frame(pack({FORGED_REPLIES[name]})) if type(told) is m.Value else data\n"
        "Connection.send = send",
        sandbox,
    )
    with growing_at_most(10_000_000), pytest.raises(SandboxError):
        sandbox.call("ticker", "count")
    assert 0 <= sandbox.info().message_peak <= 1 << 53


def test_a_limit_that_ends_a_sandbox_names_the_process_that_was_at_work(arena: Arena) -> None:
    limits, source, _ = EXCEEDED["threads"]
    sandbox = arena.attacker(limits=limits)
    assert arena.attack(source, sandbox).killed
    assert re.search(r"; 250 are allowed \(in a callback of evil <0\.\d+\.0>\)", crash_reason(sandbox))


def test_processor_time_is_limited_by_the_operating_system_too(arena: Arena) -> None:
    limits = {"max_runtime": 60_000}
    sandbox = arena.attacker(limits=limits)
    seconds = processor_seconds(Limits.merged(limits))
    pid = sandbox.info().os_pid
    assert pid is not None and resource.prlimit(pid, resource.RLIMIT_CPU) == (seconds, seconds + 1)


def test_too_much_processor_time_is_told_as_what_it_is(arena: Arena) -> None:
    """The signal that the operating system sends then."""
    sandbox = arena.attacker()
    outcome = arena.attack("import signal; signal.raise_signal(signal.SIGXCPU)", sandbox)
    assert outcome.killed and "more processor time than max_runtime allows" in crash_reason(sandbox)
    assert any("more processor time" in text for text in sandbox.info().alerts)


def test_processor_time_that_is_really_used_up_ends_the_sandbox(arena: Arena) -> None:
    """Lowered from outside, as no run time of the tests is long enough."""
    sandbox = arena.attacker(limits={"handler_budget": 80_000})
    pid = sandbox.info().os_pid
    assert pid is not None
    resource.prlimit(pid, resource.RLIMIT_CPU, (1, 2))
    outcome = arena.attack("while True: pass", sandbox, timeout_ms=80_000)
    assert outcome.killed and "SIGXCPU" in crash_reason(sandbox)
    used_up = processor_seconds(sandbox.info().limits) * 1_000
    assert sandbox.info().processor_ms >= used_up, "less is told than what it was ended for"


THREADS_IN_C = """
import hashlib, threading
data = b'x' * 10_000_000
def compute():
    while True: hashlib.sha256(data).digest()
for _ in range(2): threading.Thread(target=compute, daemon=True).start()
"""


def test_processor_time_of_threads_beside_processes_that_rest_is_told(arena: Arena) -> None:
    """Nothing else of it changes: no callback runs, and it takes no more memory."""
    sandbox = arena.attacker(limits={"max_memory": 100_000_000})
    assert arena.attack(THREADS_IN_C, sandbox).error is None
    clock = clock_of(sandbox.info().os_pid or 0)
    arena.until(lambda: processor_ns(clock) > 2 * 10**9, "it computes")
    counted = processor_ns(clock) // 1_000_000
    arena.until(lambda: sandbox.info().processor_ms >= counted, "what the machine counts is not told")
    assert arena.attack("import os; os._exit(3)", sandbox).killed
    assert sandbox.info().processor_ms >= counted
