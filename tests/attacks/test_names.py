"""Attacks by what a sandbox calls itself and its processes: names get into cells, and those run in the kernel."""

from __future__ import annotations

import pytest

from jupyter_sandbox.magics.complete import complete
from jupyter_sandbox.magics.mirror import Mirror
from jupyter_sandbox.magics.words import typable

from .conftest import CAMP, Arena, hearing
from .tools import CHANNEL

CODE = "print('RAN IN THE KERNEL', __import__('os').getpid())"
NAMES = {
    "a line end": f"front\\n{CODE}",
    "a return": f"front\\r{CODE}",
    "another line end": f"front\\u2028{CODE}",
    "a shell": "front\\n!id",
    "an expansion": "front{__import__('os').getpid()}",
    "a question": "front?",
    "an option": "--reason=front",
    "unseen characters": "front\\u200b\\u202e",
    "two words": "front --reason=x",
}


def offered(mirror: Mirror, sandbox: str) -> list[str]:
    """All that Tab can put into a cell about this sandbox."""
    lines = [f"{verb} {sandbox} " for verb in ("kill", "state", "start", "restore", "events")]
    return [word for line in lines for word in complete(line, mirror.known()).words]


@pytest.mark.parametrize("name", NAMES)
def test_code_in_the_name_of_a_process_is_not_offered_by_tab(arena: Arena, name: str) -> None:
    mirror = Mirror()
    code = CAMP.replace('Child(Ticker, 0, name="ticker")', f'Child(Ticker, 0, name="front"), Child(Ticker, 1, '
                        f'id=2, name="{NAMES[name]}")')  # fmt: skip
    with hearing(arena.manager, mirror.take):
        sandbox = arena.manager.create(code={"camp.py": code}, main="camp.Camp")
        arena.attackers.append(sandbox)
        arena.watch(lambda: sandbox.watch(50))
    keys = {process.registered for process in mirror.trees[sandbox.name].processes}
    assert "front" in keys and len(keys) >= 4, "the process of that name runs"
    assert "front" in offered(mirror, sandbox.name)
    assert all(map(typable, offered(mirror, sandbox.name)))


FORGED = """
names = ["ticker\\nprint('RAN')", "front {x}", "--help", "good"]
told = tuple(v.ProcessView(name, None, 'evil', 'worker', 'b', 'running', registered=name) for name in names)
say(m.TreeChanged(diff=v.TreeDiff('bystander', 1, 1, told, ('Camp', 'Camp/evil', 'Camp/ticker'))))
answer = 1
"""


def test_code_in_a_forged_tree_is_not_offered_by_tab(arena: Arena) -> None:
    mirror = Mirror()
    sandbox = arena.attacker()
    with hearing(arena.manager, mirror.take):
        sandbox.watch(50)
        arena.attack(f"{CHANNEL}{FORGED}", sandbox)
        arena.until(lambda: "good" in offered(mirror, sandbox.name), "the forged change was not taken")
    words = complete(f"kill {sandbox.name} ", {sandbox.name: mirror.known()[sandbox.name]}).words
    assert words and all(map(typable, words))
    assert arena.alive(sandbox)
