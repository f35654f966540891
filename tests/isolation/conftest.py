"""Zygotes and guests for tests, always ended, and a count of everything the operating system could leak."""

from __future__ import annotations

import asyncio
import json
import os
import select
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from jupyter_sandbox.isolation.guest_process import GuestProcess
from jupyter_sandbox.isolation.zygote import Zygote
from jupyter_sandbox.model.boot import Boot
from jupyter_sandbox.model.limits import Limits
from jupyter_sandbox.model.openings import Openings

from ..leaving import nothing_left

HERE = str(Path(__file__).parent)
DEADLINE_S = 60.0


class Told:
    """A guest and the way to tell it what to do."""

    def __init__(self, process: GuestProcess) -> None:
        self.process = process

    async def tell(self, text: str) -> None:
        """Send a Python text without waiting."""
        await asyncio.get_running_loop().sock_sendall(self.process.control, json.dumps(text).encode() + b"\n")

    async def ask(self, text: str) -> Any:
        """Send a Python text and wait for what it left in ``answer``."""
        await self.tell(text)
        return await self.answer()

    async def answer(self) -> Any:
        """The next answer."""
        data = b""
        while not data.endswith(b"\n"):
            part = await asyncio.get_running_loop().sock_recv(self.process.control, 1 << 16)
            assert part, f"the guest is gone; it said: {read_pipe(self.process.stderr_fd)}"
            data += part
        return json.loads(data)

    async def status(self) -> str:
        """How it ended."""
        return str(await self.process.wait())


class Launcher:
    """A zygote of told guests."""

    def __init__(self, zygote: Zygote) -> None:
        self.zygote = zygote
        self.told: list[Told] = []

    async def guest(
        self, name: str = "guest", *, profile: str = "", openings: Openings | None = None, **limits: int
    ) -> Told:
        """A guest that has reached its entry."""
        boot = Boot(name, limits=Limits(**limits), profile=profile, openings=openings or Openings())
        told = Told(await self.zygote.fork(boot))
        self.told.append(told)
        await told.ask("pass")
        return told


@asynccontextmanager
async def launcher() -> AsyncIterator[Launcher]:
    """A zygote for a with-block."""
    made = Launcher(await Zygote.start(entry="told_guest:run", sys_path=[HERE, *sys.path]))
    try:
        yield made
    finally:
        for told in made.told:
            told.process.close()
        await made.zygote.close()


Story = Callable[[Launcher], Coroutine[Any, Any, None]]


@pytest.fixture
def play() -> Callable[[Story], None]:
    """Run an async story with a zygote, and see that it leaves nothing behind."""

    def play_it(story: Story) -> None:
        with nothing_left():
            asyncio.run(_limited(story))

    return play_it


async def _limited(story: Story) -> None:
    async with asyncio.timeout(DEADLINE_S), launcher() as made:
        await story(made)


def lives(pid: int) -> bool:
    """Whether this OS process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until_gone(pids: list[int]) -> None:
    """Wait for the end of OS processes that are not ours."""
    started = time.monotonic()
    for pid in pids:
        try:
            fd = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            poll = select.poll()
            poll.register(fd, select.POLLIN)
            left_ms = max(0.0, DEADLINE_S - (time.monotonic() - started)) * 1000
            assert poll.poll(left_ms) or not lives(pid), f"OS process {pid} lives after {DEADLINE_S} s"
        finally:
            os.close(fd)


def read_pipe(fd: int) -> str:
    """What is in a non-blocking pipe now."""
    try:
        return os.read(fd, 1 << 20).decode(errors="replace")
    except BlockingIOError:
        return ""


async def read_all(fd: int, until: str) -> str:
    """Read a non-blocking pipe until a text has arrived."""
    text, loop = "", asyncio.get_running_loop()
    while until not in text:
        readable = asyncio.Event()
        loop.add_reader(fd, readable.set)
        try:
            await readable.wait()
        finally:
            loop.remove_reader(fd)
        text += read_pipe(fd)
    return text


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A temporary folder that scratch folders are made in."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    yield tmp_path
