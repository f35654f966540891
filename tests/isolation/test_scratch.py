"""Folders of guests go away with them, whatever is inside, and nobody else's do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from jupyter_sandbox.isolation.scratch import ScratchRoot, remove_tree


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
