"""What Python's own modules do in a fork: not when a guest is forked, which needs none of it, but when it forks."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from jupyter_sandbox.model.openings import Openings

from .conftest import Launcher, Story

Play = Callable[[Story], None]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="zygotes fork on Linux as is seen here")

FORK = """
import logging, os, random, threading
lock = threading.Lock()
held = logging.getLogger("held")
logging._acquireLock() if hasattr(logging, "_acquireLock") else logging._lock.acquire()
read, write = os.pipe()
random.seed(7)
child = os.fork()
if not child:
    free = logging._lock.acquire(timeout=5)
    os.write(write, repr([random.random(), bool(free), len(threading.enumerate())]).encode())
    os._exit(0)
os.waitpid(child, 0)
answer = [random.random(), eval(os.read(read, 200))]
"""


def test_a_guest_has_one_thread_and_locks_that_nobody_holds(play: Play) -> None:
    async def story(launcher: Launcher) -> None:
        told = await launcher.guest()
        text = "import threading, logging\nlogging.getLogger('x').error('free')\n"
        assert await told.ask(f"{text}answer = [t.name for t in threading.enumerate()]") == ["MainThread"]

    play(story)


@pytest.mark.parametrize(
    ("profile", "openings"), [("basic", Openings()), ("off", Openings()), ("standard", Openings(subprocess=True))]
)
def test_a_fork_of_a_guest_draws_numbers_of_its_own_and_has_free_locks(
    play: Play, profile: str, openings: Openings
) -> None:
    async def story(launcher: Launcher) -> None:
        told = await launcher.guest(profile=profile, openings=openings)
        ours, (theirs, free, threads) = await told.ask(FORK)
        assert ours != theirs
        assert (free, threads) == (True, 1)

    play(story)


def test_what_other_modules_ask_for_is_done_in_every_guest(play: Play) -> None:
    async def story(launcher: Launcher) -> None:
        told = await launcher.guest(profile="basic")
        text = "import os\nran = []\nos.register_at_fork(before=lambda: ran.append(1))\nchild = os.fork()\n"
        assert await told.ask(f"{text}os._exit(0) if not child else os.waitpid(child, 0)\nanswer = ran") == [1]

    play(story)
