"""Attacks on memory: an error inside, or the end of the sandbox with the reason; the kernel does not grow."""

from __future__ import annotations

import re

import pytest

from .conftest import Arena, crash_reason, growing_at_most

MEGABYTE = 1_000_000
GREED = {
    "one large block": "bytearray(10**9)",
    "a list without end": "answer = []\nwhile True: answer.append('x' * 100_000)",
    "objects without end": "answer = {}\nwhile True: answer[len(answer)] = [len(answer)]",
    "a repeated string": "'x' * 10**10",
    "memory of C": "import ctypes; m = ctypes.CDLL(None).malloc; m.restype = ctypes.c_void_p\n"
    "while True:\n    got = m(10**6)\n    if not got: raise MemoryError\n    ctypes.memset(got, 1, 10**6)",
    "private maps": "import mmap\nkeep = []\nwhile True:\n    keep.append(mmap.mmap(-1, 1 << 20, mmap.MAP_PRIVATE | "
    "mmap.MAP_ANONYMOUS)); keep[-1].write(b'x' * (1 << 20))",
    "shared maps": "import mmap\nkeep = []\nwhile True:\n    keep.append(mmap.mmap(-1, 1 << 20)); "
    "keep[-1].write(b'x' * (1 << 20))",
    "one large shared map": "import mmap\nm = mmap.mmap(-1, 500 << 20)\nwhile True: m.write(b'x' * (1 << 20))",
    "stacks of threads": "import threading\nlock = threading.Lock(); lock.acquire()\n"
    "for _ in range(1000): threading.Thread(target=lock.acquire, daemon=True).start()",
    "deep recursion": "import sys; sys.setrecursionlimit(10**9)\ndef f(): return f()\nf()",
    "deep recursion in C": "import sys; sys.setrecursionlimit(10**9)\nx = ()\nfor _ in range(10**6): x = (x,)\nrepr(x)",
    "deep data": "import json; json.loads('[' * 10**6)",
    "a list in itself": "l = []\nfor _ in range(100_000): l = [l, l]\nrepr(l)",
    "full pipes": "import os, fcntl\nfor _ in range(60):\n    r, w = os.pipe(); os.set_blocking(w, False)\n"
    "    try:\n        while True: os.write(w, b'x' * 65536)\n    except BlockingIOError: pass\nraise MemoryError",
}  # fmt: skip

AN_ERROR = {
    "one large block": "MemoryError", "a repeated string": "MemoryError", "deep data": "RecursionError",
    "a list in itself": "RecursionError", "one large shared map": "MemoryError",
}  # fmt: skip
"""Of those that ask for too much at once: the error is theirs alone."""
ANY_ERROR = "MemoryError|RecursionError|SystemError|can't start new thread"


@pytest.mark.parametrize("name", GREED)
def test_taking_memory_without_end_is_an_error_or_the_end_of_the_sandbox(arena: Arena, name: str) -> None:
    sandbox = arena.attacker(limits={"max_memory": 30 * MEGABYTE, "handler_budget": 8_000})
    with growing_at_most(20 * MEGABYTE):
        outcome = arena.attack(GREED[name], sandbox)
        if name in AN_ERROR:
            assert not outcome.killed and AN_ERROR[name] in str(outcome.error)
        elif not outcome.killed:
            assert re.search(ANY_ERROR, str(outcome.error))
        else:
            reason = crash_reason(sandbox)
            # Python itself aborts where it has no room for an error.
            assert reason.startswith("memory: ") or re.search("MemoryError|SIGSEGV|SIGABRT", reason)
        assert arena.works_again(sandbox)
    assert sandbox.info().memory_peak < (30 + 10) * MEGABYTE


def test_more_processes_than_allowed_are_refused(arena: Arena) -> None:
    sandbox = arena.attacker(limits={"max_processes": 20})
    source = """
    async def idle(self): await self.receive()
    answer = 0
    try:
        for _ in range(100_000):
            self.spawn(idle); answer += 1
    except Exception as error: answer = (answer, type(error).__name__)
    """
    outcome = arena.attack(source, sandbox)
    assert outcome.error is None and isinstance(outcome.value, tuple) and outcome.value[0] < 20
    assert any("processes" in text for text in sandbox.info().alerts)


def test_a_mailbox_that_is_flooded_is_bounded(arena: Arena) -> None:
    sandbox = arena.attacker(limits={"max_mailbox": 100, "handler_budget": 3_000})
    outcome = arena.attack("for _ in range(200_000): self.send('ticker', 'x')", sandbox)
    arena.until(lambda: any("messages waited" in text for text in sandbox.info().alerts), "nobody was told")
    assert not outcome.killed and arena.alive(sandbox)


LATE = {
    "that wants all buffers at once": "bytearray(10**9)",
    "that gives up the program": "import os; print('OpenBLAS error: Memory allocation failed'); os._exit(1)",
    "that interrupts": (
        "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(0.1)\nbytearray(10**9)"
    ),
    "that raises the interrupt itself": "raise KeyboardInterrupt",
}


@pytest.mark.parametrize("name", LATE)
def test_a_large_library_imported_late_is_an_error_and_no_interrupt_of_the_kernel(arena: Arena, name: str) -> None:
    """What numerical libraries do when they get no memory for their buffers or no threads."""
    sandbox = arena.attacker(limits={"max_memory": 20 * MEGABYTE})
    source = f"open('large.py', 'w').write({LATE[name]!r})\nimport sys; sys.path.insert(0, '.'); import large"
    outcome = arena.attack(source, sandbox)
    assert outcome.error is not None
    if outcome.killed:
        assert "exit 1" in crash_reason(sandbox)
    assert arena.works_again(sandbox)


def test_numpy_imported_late_under_a_small_limit_is_a_clear_error_and_no_interrupt_of_the_kernel(arena: Arena) -> None:
    sandbox = arena.attacker(limits={"max_memory": 20 * MEGABYTE, "handler_budget": 20_000})
    outcome = arena.attack("import numpy", sandbox)
    assert outcome.error is not None and not outcome.killed
    assert re.search("importing numpy needs .* of memory, and .* --flavour sci", str(outcome.error))
    assert arena.alive(sandbox)
