"""The order in which a guest is confined: what a later layer needs comes before it, and trying comes last."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable

import pytest

from jupyter_sandbox.isolation.child import STACK_SIZE
from jupyter_sandbox.isolation.layers import layers_for, protect
from jupyter_sandbox.model.boot import Boot

from .conftest import Launcher, Story

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the layers of Linux")
ORDER = (
    "parent_death", "session", "environment", "closed_files", "no_new_privs", "rlimits", "capabilities", "landlock",
    "seccomp",
)  # fmt: skip


def test_the_layers_come_in_the_order_in_which_they_allow_each_other() -> None:
    made = layers_for(Boot("x", profile="strict", scratch="/tmp"), parent=1, keep=range(5), environment={})
    wanted = [name for name in ORDER if name != "capabilities" or os.geteuid() == 0]
    assert [layer.name for layer in made] == wanted


def test_every_layer_is_in_force_before_any_is_tried() -> None:
    done: list[str] = []

    class Noted:
        def __init__(self, name: str) -> None:
            self.name = name

        def apply(self) -> None:
            done.append(f"apply {self.name}")

        def verify(self) -> str:
            done.append(f"verify {self.name}")
            return ""

    protect([Noted(name) for name in ("a", "b", "c")], Boot("x"))
    assert done == ["apply a", "apply b", "apply c", "verify a", "verify b", "verify c"]


def test_a_guest_is_confined_before_its_entry_runs(play: Callable[[Story], None]) -> None:
    async def story(launcher: Launcher) -> None:
        told = await launcher.guest(profile="strict")
        found = await told.ask("answer = [[layer.name, layer.active, layer.verified] for layer in protection.layers]")
        wanted = [name for name in ORDER if name != "capabilities" or os.geteuid() == 0]
        assert [name for name, *_ in found] == wanted
        if found[-2][1:] == [True, True]:
            assert all(active and verified for _, active, verified in found)
        assert await told.ask("import threading; answer = threading.stack_size()") == STACK_SIZE
        assert await told.ask("import os; answer = os.environ['MALLOC_ARENA_MAX']") == "1"
        assert await told.ask("import sys; answer = [sys.stdout.seekable(), sys.stdout.fileno()]") == [False, 1]

    play(story)


def test_a_guest_that_says_hello_leaves_its_zygote_with_one_thread_and_deaf_to_hang_ups(
    play: Callable[[Story], None],
) -> None:
    async def story(launcher: Launcher) -> None:
        told = await launcher.guest()
        os.kill(launcher.zygote.pid, 1)
        text = "answer = open(f'/proc/{os.getppid()}/status').read()"
        told = await launcher.guest(profile="off")
        while "\nThreads:\t1\n" not in await told.ask(f"import os; {text}"):  # it may rehearse, and forks nobody then
            await asyncio.sleep(0)

    play(story)
