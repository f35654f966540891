"""Attacks on the channel: whatever a sandbox writes on it, the kernel loses nothing but that sandbox."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from jupyter_sandbox.model.sandbox import SandboxStatus

from .conftest import HANGING, Arena, crash_reason, growing_at_most
from .tools import CHANNEL, HEARTBEAT, attempt

VIOLATIONS = {
    "a length of all ones": "channel.sendall(b'\\xff' * 4)",
    "a length that is too large": "channel.sendall(struct.pack('>I', (1 << 20) + 1))",
    "empty frames": "channel.sendall(bytes(4) * 100_000)",
    "random bytes": "channel.sendall(os.urandom(100_000))",
    "no msgpack": "say_bytes(b'\\xc1' * 10)",
    "nothing but nil": "say_bytes(b'\\xc0')",
    "a map that says nothing": "say_bytes(pack({}))",
    "an unknown kind": "say_bytes(pack({'type': 'Takeover', 'id': 1}))",
    "nested arrays": "say_bytes(b'\\x91' * 1_000_000 + b'\\xc0')",
    "empty arrays": "say_bytes(b'\\xdd' + struct.pack('>I', 1_000_000) + b'\\x90' * 1_000_000)",
    "an array that claims to be huge": "say_bytes(b'\\xdd\\xff\\xff\\xff\\xff')",
    "a text that claims to be huge": "say_bytes(b'\\xdb\\xff\\xff\\xff\\xff')",
    "pieces without end": (
        "piece = struct.pack('>I', 1 << 31 | 1 << 20) + bytes(1 << 20)\nfor _ in range(200): channel.sendall(piece)"
    ),
    "pieces of news without end": (
        "piece = struct.pack('>I', 1 << 31 | 1 << 20) + pack({'type': 'TreeChanged'}).ljust(1 << 20, b'x')\n"
        "for _ in range(200): channel.sendall(piece)"
    ),
    "pieces that are not full": "channel.sendall(struct.pack('>I', 1 << 31 | 5) + b'hello')",
    "requests, which only the kernel makes": "say(m.Tree(id=1))",
    "a second Ready": "say(m.Ready(protocol=m.PROTOCOL, pid=1, protection=m.Protection('strict')))",
    "answers that nobody asked for": "for n in range(10_000, 10_100): say(m.Done(id=n))",
    "garbage in a view": "say_bytes(pack({'type': 'TreeChanged', 'diff': {'added': 5}}))",
}  # fmt: skip
TOO_LONG = r"the other side announced a frame of \d+ bytes; 1048576 are allowed"
TOLD_OF = {
    "a length of all ones": TOO_LONG,
    "a length that is too large": TOO_LONG,
    "empty frames": "the other side sent an empty frame",
    "random bytes": "the other side ",
    "pieces without end": "the other side sent a piece of no known frame",
    "pieces of news without end": r"the other side sent more than \d+ bytes in one transfer",
    "pieces that are not full": "the other side sent a piece of 5 bytes that goes on before it is full",
    "a second Ready": "Ready is not allowed while running",
    "answers that nobody asked for": "Done answers request 10000, which is not waiting for an answer",
}
"""What is said of those that can be decoded, or are not even tried."""
UNREADABLE = "the other side sent a frame that cannot be read: "


@pytest.mark.parametrize("name", VIOLATIONS)
def test_breaking_the_protocol_ends_the_sandbox_with_the_reason(arena: Arena, name: str) -> None:
    sandbox = arena.attacker(limits={"handler_budget": 5_000})
    with growing_at_most(100_000_000):
        outcome = arena.attack(f"{CHANNEL}{VIOLATIONS[name]}\ntime.sleep(20)", sandbox)
    assert outcome.error is not None
    assert sandbox.status is SandboxStatus.CRASHED
    assert re.match(f"protocol: {TOLD_OF.get(name, UNREADABLE)}", crash_reason(sandbox))
    assert arena.in_time(outcome.span, 3.0), "nobody waits for the rest of it"
    assert arena.works_again(sandbox)


INSTEAD = """
from jupyter_sandbox.wire.connection import Connection
honest = Connection.send
def send(self, told):
    data = honest(self, told)
    return FORGED if type(told).__name__ == 'Value' else data
Connection.send = send
"""
PICKLED = """
import pickle
class Evil:
    def __reduce__(self): return (open, (WHERE, 'w'))
"""
NOT_ASKED = r"Value answers request \d+, which is not waiting for an answer"
ANSWERS = {
    "of the wrong kind": ("frame(pack(m.Done(id=told.id)))", "Done "),
    "twice": ("data + data", NOT_ASKED),
    "to another request": ("frame(pack(m.Value(id=told.id + 1, data=told.data)))", NOT_ASKED),
    "to a request of another sandbox": ("frame(pack(m.Value(id=ANOTHER, data=told.data)))", NOT_ASKED),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_a_forged_answer_ends_the_sandbox_and_is_nobodys_answer(arena: Arena, name: str) -> None:
    """When it is the turn of an honest one."""
    forged, reason = ANSWERS[name]
    sandbox = arena.attacker()
    source = INSTEAD.replace("FORGED", forged).replace("ANOTHER", str(1 << 20))
    outcome = arena.attack(CHANNEL + source, sandbox)
    arena.until(lambda: sandbox.status is SandboxStatus.CRASHED, "it was believed")
    assert re.match(f"protocol: {reason}", crash_reason(sandbox))
    assert name == "twice" or outcome.error is not None
    assert arena.works_again(sandbox)


def test_a_pickle_in_the_place_of_a_value_is_an_error_and_never_loaded(arena: Arena, tmp_path: Path) -> None:
    """As the answer that is really waited for: with any other number it would not even be looked at."""
    sandbox, trap = arena.attacker(), tmp_path / "sprung"
    forged = PICKLED.replace("WHERE", repr(str(trap)))
    source = INSTEAD.replace("FORGED", "frame(pack(m.Value(id=told.id, data=pickle.dumps(Evil()))))")
    outcome = arena.attack(CHANNEL + forged + source, sandbox)
    assert "the other side sent " in f"{outcome.error} {crash_reason(sandbox)}"
    assert not trap.exists(), "it was loaded in the kernel"
    arena.watch(sandbox.restart)
    assert arena.alive(sandbox)


SILENT = """
import os
from jupyter_sandbox.guest.channel import Channel
os.write(3, b'\\0\\0\\x10\\0half')
Channel.flush = lambda self: None
Channel.has_output = property(lambda self: False)
answer = 'silent'
"""
"""Half a frame, and nothing more: its loop goes on and its heartbeat says that all is well."""


def test_a_frame_that_never_ends_keeps_nobody_waiting_but_its_own_sandbox(arena: Arena) -> None:
    sandbox = arena.attacker()
    assert arena.attack(SILENT, sandbox, timeout_ms=1_000).error is not None
    arena.watch(lambda: arena.until(lambda: sandbox.status is SandboxStatus.CRASHED, "it is waited for without end"))
    assert crash_reason(sandbox).startswith("protocol: it began a frame and did not end it")
    assert arena.works_again(sandbox)


def test_half_a_frame_of_a_callback_that_hangs_keeps_nobody_waiting(arena: Arena) -> None:
    sandbox = arena.attacker(limits={"handler_budget": 500})
    source = CHANNEL + "channel.sendall(struct.pack('>I', 1000) + b'half')\ntime.sleep(20)"
    assert arena.attack(source, sandbox, timeout_ms=2_000).error is not None
    arena.watch(sandbox.destroy)


FLOODS = {
    "events": "for _ in range(300_000): self.log('info', 'x' * 50)",
    "notices": "for _ in range(100_000): self.log('error', 'x' * 500)",
    "processes": "async def f(self): pass\nfor _ in range(50_000):\n    try: self.spawn(f)\n    except Exception: pass",
}


def test_a_million_small_frames_cost_the_kernel_nothing(arena: Arena) -> None:
    """Written as fast as the kernel takes them, without ever reading what it says."""
    sandbox = arena.attacker(limits={"handler_budget": 10_000})
    source = CHANNEL + (
        "body = pack(m.Notice(level='info', text='x'))\n"
        "many = (struct.pack('>I', len(body)) + body) * 1_000\nfor _ in range(1_000): channel.sendall(many)"
    )
    with growing_at_most(5_000_000):
        outcome = arena.attack(source, sandbox)
    assert outcome.killed and crash_reason(sandbox).startswith("protocol: it told 1000 things faster than 200 a second")


def test_a_pickle_is_bytes_and_never_loaded(arena: Arena) -> None:
    source = """
    import pickle
    class Trap:
        def __reduce__(self): return (open, ('/tmp/jupyter_sandbox_was_here', 'w'))
    answer = pickle.dumps(Trap())
    state = answer
    """
    sandbox = arena.attacker()
    answer = arena.attack(source, sandbox).value
    assert isinstance(answer, bytes) and answer.startswith(b"\x80")
    arena.watch(lambda: [sandbox.snapshot("pickled"), sandbox.restore("pickled"), sandbox.tree()])
    assert not Path("/tmp/jupyter_sandbox_was_here").exists()


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_of_news_does_not_reach_the_kernel_whole(arena: Arena, name: str) -> None:
    sandbox = arena.attacker(limits={"handler_budget": 10_000})
    sandbox.watch(50)
    with growing_at_most(30_000_000):
        assert arena.attack(FLOODS[name], sandbox).grown < 60_000_000
    assert sandbox.status is SandboxStatus.RUNNING and arena.alive(sandbox)


def test_an_answer_that_is_too_large_is_cut_or_an_error(arena: Arena) -> None:
    sandbox = arena.attacker(limits={"max_memory": 900_000_000, "handler_budget": 10_000})
    with growing_at_most(30_000_000):
        for large in ("b'x' * 200_000_000", "list(range(3_000_000))", "{i: 'x' * 1000 for i in range(100_000)}"):
            outcome = arena.attack(f"answer = {large}", sandbox)
            assert outcome.error is not None or ("…" in repr(outcome.value) and len(repr(outcome.value)) < 1 << 20)
    assert arena.alive(sandbox)


HEARTBEATS = {
    "garbage in it": ("for n in range(len(cells)): cells[n] = 2**64 - 1", "worked"),
    "a start far in the past": ("cells[1] = 1; time.sleep(5)", "HandlerTimeout|hang: "),
    "a start far in the future": ("cells[1] = 2**63; time.sleep(5)", "HandlerTimeout"),
    "a step that never comes": (
        "end = time.monotonic() + 5\nwhile time.monotonic() < end: cells[0] = 0", "HandlerTimeout",
    ),
}  # fmt: skip
"""Each with what has to come of it: a callback that seems to hang is ended, as one that does."""


@pytest.mark.parametrize("name", HEARTBEATS)
def test_lies_on_the_heartbeat_page_hurt_their_own_sandbox_at_most(arena: Arena, name: str) -> None:
    source, expected = HEARTBEATS[name]
    sandbox = arena.attacker(limits=None if expected == "worked" else HANGING)
    assert re.match(expected, arena.fate(arena.attack(attempt(f"{HEARTBEAT}{source}"), sandbox), sandbox))
    assert arena.works_again(sandbox)


PAGE = """
names = {n: _os.readlink(f'/proc/self/fd/{n}') for n in range(64) if _os.path.islink(f'/proc/self/fd/{n}')}
(page,) = [n for n, name in names.items() if 'heartbeat' in name]
size = _os.fstat(page).st_size
"""
SEALED = {
    "shrinking it": "_os.ftruncate(page, 0)",
    "shrinking it by a byte": "_os.ftruncate(page, size - 1)",
    "growing it": "_os.ftruncate(page, size + 1)",
    "writing behind its end": "_os.pwrite(page, b'x', size)",
    "other seals": "import fcntl; fcntl.fcntl(page, 1033, 16)",
    "shrinking it, opened again": "_os.ftruncate(_os.open(f'/proc/self/fd/{page}', _os.O_RDWR), 0)",
    "emptying it, opened again": "_os.open(f'/proc/self/fd/{page}', _os.O_RDWR | _os.O_TRUNC)",
}


@pytest.mark.parametrize("profile", ["", "off"])
@pytest.mark.parametrize("name", SEALED)
def test_the_size_of_the_heartbeat_page_cannot_be_changed(arena: Arena, name: str, profile: str) -> None:
    """Who maps it keeps its file; without any layer it is the seals alone that refuse."""
    sandbox = arena.attacker(profile=profile or None)
    arena.refuses(f"{PAGE}{SEALED[name]}", sandbox)


TAMPERING = {
    "msgspec": "import msgspec; msgspec.msgpack.encode = msgspec.msgpack.Encoder = None",
    "builtins": "import builtins; builtins.len = builtins.isinstance = builtins.print = None",
    "all modules": "import sys; sys.modules.clear()",
    "our own modules": (
        "import sys\nfor name, module in list(sys.modules.items()):\n"
        "    if name.startswith('jupyter_sandbox'): vars(module).clear()"
    ),
    "the import system": "import sys; sys.meta_path.clear(); sys.path.clear(); sys.path_hooks.clear()",
    "the streams": "import sys; sys.stdout = sys.stderr = sys.__stdout__ = sys.__stderr__ = None",
    "the exceptions": "import builtins; builtins.Exception = builtins.BaseException = int",
    "time": "import time; time.monotonic = time.time = time.monotonic_ns = lambda: -(10**30)",
    "the collector": "import gc; gc.disable(); gc.set_threshold(1); gc.callbacks.append(lambda *_: 1 / 0)",
    "tracing": "import sys; sys.settrace(lambda *a: 1 / 0); sys.setprofile(lambda *a: 1 / 0)",
    "recursion": "import sys; sys.setrecursionlimit(60)",
    "the integers": "import ctypes; ctypes.c_int.from_address(id(3) + 24).value = 4",
}


@pytest.mark.parametrize("name", TAMPERING)
def test_tampering_with_the_interpreter_breaks_its_own_sandbox_at_most(arena: Arena, name: str) -> None:
    sandbox = arena.attacker(limits=HANGING)
    arena.attack(TAMPERING[name], sandbox, timeout_ms=2_000)
    arena.watch(lambda: sandbox.call("evil", "answer = 1", timeout_ms=1_000))
    assert sandbox.status is SandboxStatus.RUNNING or crash_reason(sandbox)
    arena.watch(sandbox.restart)
    assert arena.alive(sandbox)
