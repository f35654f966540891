"""A kernel that lacks something for another sandbox: it is told in words, and nothing of the attempt stays open."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import pytest

from jupyter_sandbox import SandboxManager
from jupyter_sandbox.isolation.holdings import HoldingsMeter
from jupyter_sandbox.isolation.scratch import ScratchRoot, folder_use
from jupyter_sandbox.isolation.shortage import shortage
from jupyter_sandbox.isolation.zygote import Zygote
from jupyter_sandbox.manager.errands import GuestErrands, errands_of
from jupyter_sandbox.manager.handle import DEAF, GuestHandle
from jupyter_sandbox.manager.output import OutputPump
from jupyter_sandbox.manager.zygotes import FlavourZygote
from jupyter_sandbox.model.boot import Boot
from jupyter_sandbox.model.errors import LaunchFailed
from jupyter_sandbox.model.limits import Holdings

from ..waiting import until
from .conftest import HERE, launcher

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="open files are counted in /proc")


@contextmanager
def room_for(files: int) -> Iterator[None]:
    """So many more can be opened in this OS process."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest, free = 0, files
    while free or lowest in open_files():
        free -= lowest not in open_files()
        lowest += 1
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def open_files() -> set[int]:
    """Those of this OS process, by number."""
    with os.scandir("/proc/self/fd") as entries:
        own = {int(entry.name) for entry in entries}
    return {fd for fd in own if os.path.lexists(f"/proc/self/fd/{fd}")}


def folders_in(path: str) -> list[str]:
    """Files are there, too: the lock, and what the zygote's rehearsals make and remove at once."""
    with os.scandir(path) as entries:
        return [entry.name for entry in entries if entry.is_dir()]


@pytest.mark.parametrize("files", range(7))
def test_a_launcher_that_nothing_can_be_opened_for_is_refused_and_leaves_nothing(files: int, temporary: Path) -> None:
    async def story() -> None:
        before = open_files()
        with room_for(files), pytest.raises(LaunchFailed, match="as many files are open as may be"):
            await Zygote.start(entry="told_guest:run", sys_path=[HERE, *sys.path])
        until(lambda: open_files() <= before)

    asyncio.run(story())
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("files", range(9))
def test_a_guest_that_nothing_can_be_opened_for_is_refused_and_leaves_nothing(files: int) -> None:
    async def story() -> None:
        async with launcher() as made:
            before, around = open_files(), made.zygote._scratch.path
            with room_for(files), pytest.raises(LaunchFailed, match="as many files are open as may be"):
                await made.zygote.fork(Boot("guest"))
            until(lambda: open_files() <= before and folders_in(around) == [])
            assert await (await made.guest()).ask("answer = 1") == 1

    asyncio.run(story())


def test_a_folder_of_temporary_files_that_is_gone_is_named_and_used_again_when_it_is_back(temporary: Path) -> None:
    async def story() -> None:
        async with launcher() as made:
            shutil.rmtree(temporary)
            with pytest.raises(LaunchFailed, match=f"{temporary}, is gone: make it again"):
                await made.zygote.fork(Boot("guest"))
            temporary.mkdir()
            assert await (await made.guest()).ask("answer = 1") == 1

    asyncio.run(story())
    assert list(temporary.iterdir()) == []


def test_a_kernels_folder_that_somebody_tidied_up_is_made_anew_and_locked(tmp_path: Path) -> None:
    root = ScratchRoot(str(tmp_path))
    before = root.path
    shutil.rmtree(before)
    assert os.path.isdir(root.make()) and root.path != before
    other = ScratchRoot(str(tmp_path))  # which sweeps up after kernels that were killed
    assert os.path.isdir(root.make())
    other.close()
    root.close()
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_looked_at_for_want_of_files_is_as_it_was_seen_last(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "file").write_bytes(bytes(100_000))
    meter = HoldingsMeter(str(tmp_path))
    seen = meter.look(os.getpid(), 100)
    assert seen.disk > 0 and seen.files == 2
    (tmp_path / "inner" / "other").touch()
    for files in range(3):
        with room_for(files):
            assert meter.look(os.getpid(), 100) == seen, files
    assert meter.look(os.getpid(), 100).files == 3
    with room_for(1), pytest.raises(OSError, match="Too many open files"):
        folder_use(str(tmp_path), 100)
    assert HoldingsMeter(str(tmp_path / "gone")).look(os.getpid(), 100).files == Holdings().files


@pytest.mark.parametrize(
    ("number", "path", "words"),
    [(errno.EAGAIN, None, "OS processes and threads run as may be"), (errno.EFBIG, None, "let files be longer"),
     (errno.ENOMEM, None, "no memory is to be had"), (errno.ENOENT, "/dev/null", "'/dev/null' is missing"),
     (errno.EILSEQ, None, "is no UTF-8: set TMPDIR"), (errno.EIO, None, "see what this machine gives"),
     (errno.ENOLCK, None, "knows no locks: set TMPDIR"), (errno.EPERM, None, "see what this machine gives"),
     (errno.EPERM, "/tmp/x", "let it be written")],
)  # fmt: skip
def test_the_advice_fits_what_is_short(number: int, path: str | None, words: str) -> None:
    text = shortage(OSError(number, os.strerror(number), path))
    assert words in text and ("destroy" in text) is (number == errno.ENOMEM)


def test_without_any_folder_for_temporary_files_that_is_the_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(tempfile, "gettempdir", nowhere)
    before = open_files()
    for profile in (None, "off"):
        with SandboxManager() as manager, pytest.raises(LaunchFailed, match="set TMPDIR to one and restart the kernel"):
            manager.create("shop", profile=profile)
    assert open_files() == before


@pytest.mark.parametrize("files", range(3))
def test_a_manager_that_nothing_can_be_opened_for_says_so_and_begins_later(files: int) -> None:
    with SandboxManager() as manager:
        before = open_files()
        with room_for(files), pytest.raises(LaunchFailed, match="manager cannot begin: as many files are open as may"):
            manager.create("shop")
        assert open_files() == before
        assert manager.create("shop").status


def test_where_nothing_can_be_opened_no_folder_is_blamed(monkeypatch: pytest.MonkeyPatch) -> None:
    with room_for(0):
        assert "as many files are open" in shortage(FileNotFoundError(errno.ENOENT, "No usable temporary directory"))


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_drive_without_locks_is_named_and_nothing_is_left_there(
    temporary: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("jupyter_sandbox.isolation.scratch.fcntl.flock", refuse)
    with SandboxManager() as manager, pytest.raises(LaunchFailed, match="knows no locks: set TMPDIR to a folder on an"):
        manager.create("shop")
    assert folders_in(str(temporary)) == []


@pytest.mark.parametrize("call", ["os.pidfd_open", "signal.pidfd_send_signal"])
def test_a_container_that_lets_no_pidfd_be_used_is_told(
    temporary: Path, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(call, refuse)
    before = open_files()
    with (
        SandboxManager() as manager,
        pytest.raises(LaunchFailed, match=r"\(pidfd\) is to be had or used here: Linux has"),
    ):
        manager.create("shop")
    until(lambda: folders_in(str(temporary)) == [] and open_files() == before, "something is left")


@pytest.mark.parametrize("which", [1, 2])
def test_a_sandbox_whose_output_cannot_be_waited_for_is_refused_whole(
    which: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = 0

    def begin(pump: OutputPump) -> None:
        nonlocal begun
        begun += 1
        if begun == which:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        really(pump)

    really = OutputPump.begin
    monkeypatch.setattr(OutputPump, "begin", begin)

    async def story() -> None:
        async with launcher() as made:
            await GuestErrands(errands_of(asyncio.get_running_loop())).fetch(lambda: None)  # its thread opens something
            before = open_files()
            with pytest.raises(LaunchFailed, match=r"another sandbox cannot be watched: .*max_user_watches"):
                await GuestHandle.launch(cast(FlavourZygote, made.zygote), Boot("shop"), DEAF, 1)
            while open_files() != before:
                await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(story(), 60))


def test_a_path_that_is_no_utf_8_is_refused_by_its_name() -> None:
    async def story() -> None:
        async with launcher() as made:
            with pytest.raises(LaunchFailed, match=r"'/srv/\\udcff' is no UTF-8: leave that path out"):
                await made.zygote.fork(Boot("guest", sys_path=("/srv/\udcff",)))
            assert await (await made.guest()).ask("answer = 1") == 1

    asyncio.run(story())
