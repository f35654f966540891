"""Attacks by what a sandbox calls itself and its processes: names get into cells, and those run in the kernel."""

from __future__ import annotations

import pytest

from jupyter_sandbox.magics.complete import complete
from jupyter_sandbox.magics.mirror import Mirror
from jupyter_sandbox.magics.pictures import Hands, Pictures
from jupyter_sandbox.manager.sandbox import Sandbox
from jupyter_sandbox.model.sandbox import TreePatched, TreeReplaced, Update
from jupyter_sandbox.model.typed import typable
from jupyter_sandbox.model.views import TreeDiff, TreeView

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


ANOTHER = """
from jupyter_sandbox.wire.connection import Connection
ticker = v.ProcessView('Camp/ticker', '<0.1.0>', 'evil', 'worker', '', 'waiting')
honest = Connection.send
def forged(self, told):
    data = honest(self, told)
    if type(told).__name__ == 'TreeReply':
        return frame(pack(m.TreeReply(id=told.id, tree=v.TreeView('bystander', 1, 1, (ticker,)))))
    if type(told).__name__ == 'TreeChanged':
        return frame(pack(m.TreeChanged(diff=v.TreeDiff('bystander', 2, 2, (ticker,)))))
    return data
Connection.send = forged
say(m.TreeChanged(diff=v.TreeDiff('bystander', 1, 1, (ticker,))))
answer = 1
"""


def claims(arena: Arena) -> tuple[Sandbox, Mirror, list[TreeView], list[TreeDiff]]:
    """A sandbox whose trees say that they are the bystander's: it, and what was told of it."""
    sandbox, mirror, told = arena.attacker(), Mirror(), list[Update]()

    def hear(update: Update) -> None:
        told.append(update)
        mirror.take(update)

    with hearing(arena.manager, hear):
        arena.attack(f"{CHANNEL}{ANOTHER}", sandbox)
        trees = [sandbox.tree(), sandbox.watch(50), sandbox.tree()]
        arena.watch(lambda: sandbox.call("evil", "self.spawn(lambda process: None)"))
        arena.until(lambda: any(isinstance(one, TreePatched) for one in told), "no change was told")
    trees += [one.tree for one in told if isinstance(one, TreeReplaced)]
    return sandbox, mirror, trees, [one.diff for one in told if isinstance(one, TreePatched)]


def test_a_tree_that_names_another_sandbox_is_told_as_that_of_who_sent_it(arena: Arena) -> None:
    sandbox, mirror, trees, changes = claims(arena)
    assert {tree.sandbox for tree in trees} == {change.sandbox for change in changes} == {sandbox.name}
    assert "bystander" not in mirror.trees and mirror.trees[sandbox.name].sandbox == sandbox.name


def test_a_picture_that_names_another_sandbox_acts_on_who_sent_it(arena: Arena) -> None:
    pytest.importorskip("anywidget", reason="there is no anywidget here")
    acted = list[tuple[str, str, str]]()
    sandbox, _, _, changes = claims(arena)
    pictures = Pictures(Hands(lambda *did: acted.append(did), lambda name, key: arena.manager.get(name).inspect(key)))
    picture = pictures.open(sandbox.tree())
    for change in changes:
        pictures.push(sandbox.name, change)
    picture._receive(None, {"type": "act", "verb": "kill_process", "key": "Camp/ticker"}, None)
    pictures.close("the test is over")
    assert acted == [("kill_process", sandbox.name, "Camp/ticker")]
    assert picture.view.sandbox == sandbox.name
