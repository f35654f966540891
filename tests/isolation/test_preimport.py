"""Modules that a zygote imports beforehand are there in every guest; one that cannot be is one clear error."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from jupyter_sandbox.isolation import launch
from jupyter_sandbox.isolation import zygote as module
from jupyter_sandbox.isolation.zygote import Zygote
from jupyter_sandbox.model.errors import PreimportFailed

from ..leaving import nothing_left
from .conftest import HERE, Launcher

BAD = {
    "raises": ("raise ValueError('no luck')", "the import of bad failed: it raised ValueError: no luck"),
    "exits": ("raise SystemExit(3)", "the import of bad failed: it raised SystemExit: 3"),
    "ends": ("import os; os._exit(3)", "the import of bad ended the OS process"),
    "breaks off": ("import signal, os; os.kill(os.getpid(), signal.SIGKILL)", "the import of bad ended the OS process"),
    "starts threads": (
        "import threading\nfor _ in range(2): threading.Thread(target=threading.Event().wait, daemon=True).start()",
        "the import of bad failed: it started 2 threads, and an OS process with threads cannot be forked safely",
    ),
    "starts a program": (
        "import subprocess; program = subprocess.Popen(['sleep', '1000'])",
        "the import of bad failed: it started 1 OS process, which no sandbox could reach",
    ),
    "makes memory that all would share": (
        "import mmap, tempfile\nf = tempfile.TemporaryFile()\nf.truncate(1)\nshared = mmap.mmap(f.fileno(), 1)",
        "the import of bad failed: it made 1 piece of shared memory, which all sandboxes could change together",
    ),
    "has a mistake": ("def :", "the import of bad failed: it raised SyntaxError"),
}


async def start(folder: Path, *modules: str) -> Zygote:
    """A zygote that imports modules from a folder."""
    return await Zygote.start(
        preimport=modules, entry="told_guest:run", sys_path=[str(folder), HERE, *sys.path]
    )  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="looks in /proc")
def test_a_program_that_an_unwanted_module_started_ends_with_its_import(tmp_path: Path) -> None:
    seconds = f"1000.{os.getpid()}"
    (tmp_path / "bad.py").write_text(f"import subprocess; program = subprocess.Popen(['sleep', '{seconds}'])")

    async def story() -> None:
        with pytest.raises(PreimportFailed, match="it started 1 OS process"):
            await start(tmp_path, "bad")

    asyncio.run(story())
    assert [line for line in command_lines() if seconds in line] == []


def command_lines() -> Iterator[str]:
    """Of all OS processes that there are."""
    for entry in os.scandir("/proc"):
        with suppress(OSError):
            yield Path(entry.path, "cmdline").read_text(errors="replace")


@pytest.mark.parametrize("name", BAD)
def test_a_module_that_cannot_be_imported_is_named_with_its_reason_and_nothing_stays(tmp_path: Path, name: str) -> None:
    source, text = BAD[name]
    (tmp_path / "bad.py").write_text(source)

    async def story() -> None:
        with pytest.raises(PreimportFailed) as caught:
            await start(tmp_path, "decimal", "bad", "fractions")
        assert text in str(caught.value)
        assert caught.value.modules == ("bad",) and not caught.value.missing
        assert len(str(caught.value).splitlines()) == 1

    with nothing_left():
        asyncio.run(story())


def test_all_missing_modules_are_named_at_once_before_any_is_imported(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("raise ValueError")

    async def story() -> None:
        with pytest.raises(PreimportFailed, match="there is no module neither and no module nor") as caught:
            await start(tmp_path, "bad", "neither", "nor")
        assert caught.value.modules == ("neither", "nor") and caught.value.missing

    asyncio.run(story())


def each_import_has(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """So long, but not the start of the interpreter before it, which takes what it takes."""
    take = Zygote._take

    def take_and_set(zygote: Zygote, message: launch.FromZygote, fds: list[int]) -> None:
        if isinstance(message, launch.Importing) and seconds != module._START_S:
            assert zygote._patience is not None
            monkeypatch.setattr(module, "_START_S", seconds)
            zygote._patience.reschedule(asyncio.get_running_loop().time() + seconds)
        take(zygote, message, fds)

    monkeypatch.setattr(Zygote, "_take", take_and_set)


def test_an_import_that_does_not_end_is_told_and_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    each_import_has(1.0, monkeypatch)
    (tmp_path / "endless.py").write_text("while True: pass")

    async def story() -> None:
        with pytest.raises(PreimportFailed, match="the import of endless did not end in 1 s") as caught:
            await start(tmp_path, "endless")
        assert caught.value.modules == ("endless",)

    with nothing_left():
        asyncio.run(story())


def test_each_module_has_the_whole_time_for_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    each_import_has(4.0, monkeypatch)
    for name in ("one", "two", "three"):
        (tmp_path / f"{name}.py").write_text("import time; time.sleep(1.5)")

    async def story() -> None:
        await (await start(tmp_path, "one", "two", "three")).close()

    asyncio.run(story())


def test_a_guest_has_what_was_imported_and_is_as_every_other_guest(tmp_path: Path) -> None:
    (tmp_path / "ready_made.py").write_text(
        "import os, signal, sys\nborn = os.getpid()\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "signal.signal(signal.SIGHUP, lambda *_: None)\nos.chdir('/tmp')\nkept = open(os.devnull)\nprint('noise')\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})\n"
    )

    async def story() -> None:
        made = Launcher(await start(tmp_path, "ready_made", "decimal"))
        try:
            told = await made.guest(profile="basic")
            assert await told.ask(
                "import os, sys; answer = [sys.modules['ready_made'].born == os.getppid(), 'decimal' in sys.modules]"
            ) == [True, True]
            assert await told.ask(
                "import signal; answer = [signal.getsignal(n) == signal.SIG_DFL for n in (1, 15)]"
                " + [sorted(signal.pthread_sigmask(0, ())), os.getcwd() == boot.scratch]"
            ) == [True, True, [], True]
            assert await told.ask("answer = sorted(map(int, os.listdir('/proc/self/fd')))[:4]") == [0, 1, 2, 3]
            assert await told.ask(
                "answer = {layer.name: layer.verified for layer in protection.layers}['closed_files']"
            )
        finally:
            for one in made.told:
                one.process.close()
            await made.zygote.close()

    with nothing_left():
        asyncio.run(story())
