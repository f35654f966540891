"""Attacks with answers of the right kind that are full of lies: every kind, with the most extreme facts it can hold."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from jupyter_sandbox.magics.mirror import Mirror
from jupyter_sandbox.manager.control import _state
from jupyter_sandbox.manager.sandbox import Sandbox
from jupyter_sandbox.model.errors import InternalError, SandboxError
from jupyter_sandbox.model.sandbox import SandboxStatus
from jupyter_sandbox.model.views import TreeView
from jupyter_sandbox.widgets.picture import TreePicture
from jupyter_sandbox.widgets.story import Lines, Portrait, Steps, Story

from .conftest import Arena, Outcome, hearing
from .tools import CHANNEL

LIE = """
import msgspec.inspect as _look
from jupyter_sandbox.wire.connection import Connection
def _lie(kind):
    match kind:
        case _look.IntType() | _look.FloatType(): return NUMBER
        case _look.StrType(): return TEXT
        case _look.BytesType(): return TEXT.encode()
        case _look.BoolType(): return NUMBER > 0
        case _look.ListType(item_type=item) | _look.VarTupleType(item_type=item) | _look.SetType(item_type=item):
            return [_lie(item)] * COUNT
        case _look.DictType(key_type=key, value_type=value): return {_lie(key): _lie(value)} if COUNT else {}
        case _look.UnionType(types=types): return _lie(types[0])
        case _look.StructType(fields=fields) | _look.DataclassType(fields=fields):
            return {field.encode_name: _lie(field.type) for field in fields}
        case _look.EnumType(cls=cls): return list(cls)[0].value
    return None
_plain = Connection.send
def _send(self, told):
    data = _plain(self, told)
    if type(told).__name__ != WANTED: return data
    kind = getattr(m, INSTEAD)
    return frame(pack({**_lie(_look.type_info(kind)), 'type': INSTEAD, 'id': told.id}))
Connection.send = _send
"""
HOSTILE = "'<script>alert(1)</script>\\x1b]0;owned\\x07\\u202e[ok]\\r' * 3"
LIES = {
    "less than nothing": (-1, HOSTILE, 1),
    "all that fits": ("2**64 - 1", "'x' * 5_000", 3),
    "what fits no other language": ("-2**63", "''", 0),
    "many of everything": ("2**53 + 1", "'<b>'", 50),
}


def paused(sandbox: Sandbox) -> object:
    at, told = sandbox.pause(), sandbox.step(2)
    return [at, told, Steps(told.steps, told.step, told.waiting).text(), sandbox.resume()]


ASKED: dict[str, Callable[[Sandbox], object]] = {
    "Value": lambda sandbox: sandbox.call("ticker", "count"),
    "Sent": lambda sandbox: [sandbox.send("ticker", "x"), sandbox.cast("ticker", "x")],
    "Done": lambda sandbox: [sandbox.suspend("ticker"), sandbox.unsuspend("ticker")],
    "TreeReply": lambda sandbox: [sandbox.tree(), sandbox.watch(50), json.dumps(_state(sandbox), default=str)],
    "InspectReply": lambda sandbox: [sandbox.inspect("ticker"), Portrait(sandbox.inspect("ticker")).text()],
    "EventList": lambda sandbox: [sandbox.events(10), sandbox.metrics()],
    "WhyList": lambda sandbox: [sandbox.why("evil"), Story(sandbox.why("evil"), "evil").text()],
    "WaitList": lambda sandbox: [(wait, Lines([wait.line()]).text()) for wait in sandbox.waits()],
    "VersionList": lambda sandbox: sandbox.versions(),
    "PausedAt": paused,
    "Stepped": paused,
    "Brought": lambda sandbox: sandbox.load({f"m{n}.py": f"# {'x' * 700_000}\n" for n in range(3)}),
    "Loaded": lambda sandbox: [sandbox.load("x = 1", "more"), sandbox.versions()],
    "SnapshotBlob": lambda sandbox: [sandbox.snapshot("lie"), sandbox.snapshots(), sandbox.restore("lie")],
}


def asked(arena: Arena, sandbox: Sandbox, ask: Callable[[Sandbox], object]) -> Outcome:
    """What comes of it, with all that anybody would look at afterwards."""
    mirror = Mirror()

    def look() -> object:
        given = ask(sandbox)
        seen = [given, sandbox.info(), sandbox.log(20), sandbox.events(5), sandbox.metrics()]
        return [str(seen), json.dumps(seen, default=str), TreePicture(tree_of(mirror, sandbox), None).html()]

    with hearing(arena.manager, mirror.take):
        return arena.watch(look)


def tree_of(mirror: Mirror, sandbox: Sandbox) -> TreeView:
    return mirror.trees.get(sandbox.name, TreeView(sandbox.name, 0, 0))


TOLD = [*(("itself", lie) for lie in LIES), ("Failed", "less than nothing"), ("Failed", "all that fits")]


@pytest.mark.parametrize(("instead", "lie"), TOLD)
@pytest.mark.parametrize("wanted", ASKED)
def test_an_answer_full_of_lies_is_an_error_or_shown_as_what_it_says(
    arena: Arena, wanted: str, instead: str, lie: str
) -> None:
    sandbox = arena.attacker()
    number, text, count = LIES[lie]
    names = f"NUMBER, TEXT, COUNT, WANTED = {number}, {text}, {count}, {wanted!r}\n"
    names += f"INSTEAD = {(wanted if instead == 'itself' else instead)!r}\n"
    arena.attack(f"{CHANNEL}{names}{LIE}", sandbox)
    outcome = asked(arena, sandbox, ASKED[wanted])
    assert not isinstance(outcome.error, InternalError)
    shown = str(outcome.error) if outcome.error is not None else "".join(outcome.value)
    assert "\x1b" not in shown and "\u202e" not in shown and len(shown) < 3_000_000
    arena.watch(sandbox.restart)
    assert arena.alive(sandbox)


@pytest.mark.parametrize("lie", LIES)
def test_a_trial_that_lies_about_what_it_found_hurts_its_own_sandbox_at_most(arena: Arena, lie: str) -> None:
    number, text, count = LIES[lie]
    sandbox = arena.attacker()
    names = f"NUMBER, TEXT, COUNT, WANTED, INSTEAD = {number}, {text}, {count}, 'Tried', 'Tried'\n"
    outcome = arena.watch(lambda: sandbox.load(f"{CHANNEL}{names}{LIE}", "liar"))
    assert outcome.error is None or isinstance(outcome.error, SandboxError)
    assert not isinstance(outcome.error, InternalError)
    arena.watch(sandbox.restart)
    assert outcome.error is None or arena.alive(sandbox)


REFUSING = """
channel.settimeout(15)
told, answer = b"", 0
while answer < 3:
    told += channel.recv(1 << 16)
    while len(told) >= 4 and len(told) >= 4 + (size := struct.unpack(">I", told[:4])[0]):
        request, told = msgspec.msgpack.decode(told[4:4 + size], type=m.KernelFrame), told[4 + size:]
        if type(request) is m.Flush:
            say(m.Failed(id=request.id, kind="raised", message="all sandboxes were lost"))
            answer += 1
"""


def test_a_sandbox_that_refuses_to_tell_its_counters_keeps_nobody_from_looking_at_all(arena: Arena) -> None:
    sandbox = arena.attacker(limits={"handler_budget": 60_000})
    with ThreadPoolExecutor(1) as pool:
        attack = pool.submit(arena.attack, CHANNEL + REFUSING, sandbox)
        while not attack.done():
            arena.manager.refresh()
            assert sandbox.metrics() and sandbox.info().status is SandboxStatus.RUNNING
        assert attack.result().value == 3
