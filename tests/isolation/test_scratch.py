"""Folders of guests go away with them, whatever is inside, and nobody else's do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_sandbox.isolation.scratch import ScratchRoot, folder_use, remove_tree


def test_a_folder_per_guest_that_only_its_owner_may_enter(tmp_path: Path) -> None:
    root = ScratchRoot(str(tmp_path))
    one, other = root.make(), root.make()
    assert one != other
    assert os.stat(one).st_mode & 0o777 == 0o700
    root.remove(one)
    root.remove(one)
    assert not os.path.exists(one) and os.path.exists(other)
    root.close()
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
