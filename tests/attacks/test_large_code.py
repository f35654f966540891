"""Attacks by code that is large, and by a trial that tells much of it: nobody else waits meanwhile."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from jupyter_sandbox.model.errors import CompileError

from .conftest import Arena
from .tools import CHANNEL


def of_few_kinds(kinds: int, count: int, seed: int) -> str:
    """Lines of comments, of which there are so many different ones: what ``difflib`` takes longest for."""
    chance = random.Random(seed)
    return "\n".join(f"#{chance.randrange(kinds)}" for _ in range(count))


def between_markers(seed: int) -> str:
    chance = random.Random(seed)
    return "\n".join(f"#once {n}\n" + "\n".join(chance.choice(("#a", "#b")) for _ in range(9)) for n in range(6_000))


def shuffled(seed: int) -> str:
    lines = [f"#{n}" for n in range(60_000)]
    random.Random(seed).shuffle(lines)
    return "\n".join(lines)


TEXTS: dict[str, Callable[[int], str]] = {
    "two kinds of lines": lambda seed: of_few_kinds(2, 60_000, seed),
    "a hundred and thirty kinds of lines": lambda seed: of_few_kinds(130, 60_000, seed),
    "lines in another order": shuffled,
    "repetition between lines that occur once": between_markers,
    "more lines than are compared": lambda seed: of_few_kinds(9, 300_000, seed),
    "a line of megabytes": lambda seed: "#" + "x" * 3_000_000 + str(seed),
    "nothing but ends of lines": lambda seed: "\n" * 3_000_000 + f"#{seed}",
    "nothing but ends of lines of another kind": lambda seed: "\r" * 2_000_000 + f"#{seed}",
}


@pytest.mark.parametrize("name", TEXTS)
def test_loading_large_code_anew_keeps_nobody_waiting(arena: Arena, name: str) -> None:
    sandbox = arena.attacker(limits={"max_memory": 500_000_000})
    first = arena.watch(lambda: sandbox.load(TEXTS[name](1), "big"))
    again = arena.watch(lambda: sandbox.load(TEXTS[name](2), "big"))
    assert first.error is None and again.error is None
    assert 0 < len(again.value.diff) < 300_000
    assert arena.alive(sandbox)


MANY = """
from jupyter_sandbox.model.code import ClassInfo
from jupyter_sandbox.wire.connection import Connection
plain = Connection.send
def send(self, told):
    if type(told).__name__ == 'Tried':
        told = msgspec.structs.replace(told, classes=[ClassInfo(MODULE, NAME, 'server')] * COUNT)
    return plain(self, told)
Connection.send = send
"""


@pytest.mark.parametrize(
    ("count", "name", "error"),
    [
        (100_000, "'S'", "the import of the code ended the OS process (it broke the protocol: "),
        (20_000, "'S'", "20000 classes that can be started"),
        (5_000, "'S'", ""),
        (50, "'x' * 200_000", ""),
    ],
)
def test_a_trial_that_tells_of_any_number_of_classes_keeps_nobody_waiting(
    arena: Arena, count: int, name: str, error: str
) -> None:
    files = {f"m{n}.py": "" for n in range(1, 1_500)}
    files["m0.py"] = f"{CHANNEL}COUNT, NAME, MODULE = {count}, {name}, 'm1'\n{MANY}"
    sandbox = arena.attacker()
    outcome = arena.watch(lambda: sandbox.load(files))
    if error:
        assert isinstance(outcome.error, CompileError) and error in str(outcome.error)
    else:
        assert outcome.error is None
        outcome = arena.watch(lambda: sandbox.start())
        assert outcome.error is not None and len(str(outcome.error)) < 5_000
