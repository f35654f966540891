"""Folders of guests go away with them, whatever is inside, and nobody else's do."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_sandbox.isolation import scratch
from jupyter_sandbox.isolation.removal import remove_tree
from jupyter_sandbox.isolation.scratch import ScratchRoot, folder_use

from ..waiting import until


def test_a_folder_per_guest_that_only_its_owner_may_enter(tmp_path: Path) -> None:
    root = ScratchRoot(str(tmp_path))
    one, other = root.make(), root.make()
    assert one != other
    assert os.stat(one).st_mode & 0o777 == 0o700
    root.remove(one)
    until(lambda: not os.path.exists(one))
    assert os.path.exists(other)
    root.close()
    root.close()
    assert list(tmp_path.iterdir()) == []


class SlowRemovals:
    """Linux takes its time for the removal of each folder, until ``go_on`` is set; where those lay."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.go_on, self.begun = threading.Event(), threading.Event()
        self.around: list[tuple[str, str]] = []
        self._rmdir = os.rmdir
        monkeypatch.setattr(os, "rmdir", self._slow)

    def _slow(self, name: str | Path, *, dir_fd: int | None = None) -> None:
        around = os.path.dirname(name) if dir_fd is None else os.readlink(f"/proc/self/fd/{dir_fd}")
        self.around.append((around, os.path.basename(name)))
        self.begun.set()
        assert self.go_on.wait(60)
        self._rmdir(name, dir_fd=dir_fd)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowRemovals]:
    made = SlowRemovals(monkeypatch)
    yield made
    made.go_on.set()


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="where a removed folder lay is read in /proc")
def test_nobody_waits_for_the_removal_of_a_folder_that_takes_long(tmp_path: Path, slow: SlowRemovals) -> None:
    """As of one in which millions of names were looked for that do not exist. Nobody makes or removes anything beside
    it meanwhile, so it lies in a folder of its own by then."""
    root = ScratchRoot(str(tmp_path))
    folder = root.make()
    root.remove(folder)
    assert slow.begun.wait(60)
    assert not os.path.exists(folder)
    assert os.path.exists(root.make())
    assert [around for around, _ in slow.around] == [str(next(root.path.glob("jupyter_sandbox-*")))]
    slow.go_on.set()
    until(lambda: not list(root.path.glob("jupyter_sandbox-*")))
    root.close()
    assert not [name for around, name in slow.around if around == str(tmp_path) and name == root.path.name]
    assert list(tmp_path.iterdir()) == []


def test_an_end_waits_for_a_moment_only_and_the_removal_goes_on_behind_it(
    tmp_path: Path, slow: SlowRemovals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scratch, "CLOSE_S", 0.01)
    root = ScratchRoot(str(tmp_path))
    root.make()
    root.close()
    assert list(tmp_path.iterdir())
    slow.go_on.set()
    until(lambda: list(tmp_path.iterdir()) == [])


def test_what_somebody_sweeps_up_already_is_left_to_him(tmp_path: Path) -> None:
    root = ScratchRoot(str(tmp_path))
    with open(root.path / "owner", "rb") as swept:
        root.release()
        fcntl.flock(swept, fcntl.LOCK_EX)
        root.close()
        assert root.path.exists()
    root.close()
    assert list(tmp_path.iterdir()) == []


def test_its_folder_is_open_to_the_guest_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o777)
    try:
        root = ScratchRoot(str(tmp_path))
        folder = root.make()
    finally:
        os.umask(before)
    modes = [os.stat(path).st_mode & 0o777 for path in (folder, root.path, root.path / "owner")]
    root.close()
    assert modes == [0o700, 0o700, 0o600]


def test_links_are_removed_and_not_followed(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("mine")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link").symlink_to(kept)
    (folder / "up").symlink_to("..")
    remove_tree(folder)
    assert (kept / "file").read_text() == "mine"
    assert not folder.exists()


@pytest.mark.skipif(not hasattr(os, "O_NOATIME"), reason="only Linux looks into a folder without a note of it")
def test_a_look_into_a_folder_writes_nothing_to_the_drive(tmp_path: Path) -> None:
    """Else it would wait for the drive, and the kernel with it, while a sandbox fills its folder."""
    (tmp_path / "file").write_text("x")
    long_ago = 1_000_000_000 * 10**9
    os.utime(tmp_path, ns=(long_ago, tmp_path.stat().st_mtime_ns))  # it changed since it was read: to be noted
    assert folder_use(str(tmp_path), 10)[1] == 1
    assert tmp_path.stat().st_atime_ns == long_ago


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_folder_of_somebody_else_is_counted_all_the_same(tmp_path: Path) -> None:
    """As what a program with the rights of another user leaves; who looks has no right to do so without a note."""
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    for name in "abc":
        (theirs / name).write_text("x")
    theirs.chmod(0o777)
    os.chown(theirs, 1, 1)
    os.chown(tmp_path, 2, 2)
    code = """
import os
from jupyter_sandbox.isolation.scratch import folder_use
os.setuid(2)
print(folder_use(".", 10)[1])
"""
    environment = os.environ | {"PYTHONPATH": ":".join(sys.path)}
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=tmp_path, check=False
    )  # fmt: skip
    assert said.stdout == "4\n", said.stderr


def test_a_file_with_several_names_takes_its_room_once(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(bytes(1_000_000))
    for name in ("two", "three"):
        (tmp_path / name).hardlink_to(tmp_path / "one")
    (tmp_path / "other").write_bytes(bytes(1_000_000))
    used, files, largest, deep = folder_use(str(tmp_path), 10)
    assert not deep
    assert (files, largest) == (4, 1_000_000) and 2_000_000 <= used < 3_000_000


def test_folders_that_lie_too_deep_are_told_as_that(tmp_path: Path) -> None:
    deepest = tmp_path
    for _ in range(70):
        deepest = deepest / "d"
    deepest.mkdir(parents=True)
    found = folder_use(str(tmp_path), 100)
    assert found.deep and found.files <= 70


def test_a_living_kernels_folder_is_not_swept(tmp_path: Path) -> None:
    living = ScratchRoot(str(tmp_path))
    code = f"from jupyter_sandbox.isolation.scratch import ScratchRoot; ScratchRoot({str(tmp_path)!r}).close()"
    environment = os.environ | {"PYTHONPATH": ":".join(sys.path)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
    assert living.path.exists()
    living.close()


def test_folders_that_are_not_ours_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "jupyter_sandbox-notes").mkdir()
    target = tmp_path / "target"
    target.mkdir()
    (target / "owner").touch()
    (tmp_path / "jupyter_sandbox-link").symlink_to(target)
    ScratchRoot(str(tmp_path)).close()
    assert (tmp_path / "jupyter_sandbox-notes").exists()
    assert (target / "owner").exists()
