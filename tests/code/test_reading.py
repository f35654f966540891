"""What lies in a folder that somebody else may write is a file or one clear error, and nobody waits for it."""

from __future__ import annotations

import os
import re
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from jupyter_sandbox.code import gather as gathering
from jupyter_sandbox.code import reading
from jupyter_sandbox.code.gather import gather
from jupyter_sandbox.code.git_url import parse_url
from jupyter_sandbox.code.tree import MAX_FILE_BYTES, MAX_TOTAL_BYTES
from jupyter_sandbox.model.errors import CompileError


def in_time(source: object, within_s: float = 60.0) -> str:
    """What gathering says, without waiting for ever when it waits."""
    told: list[str] = []

    def go() -> None:
        try:
            gather(source)
        except CompileError as error:
            told.append(f"{error.kind}: {error}")
        else:
            told.append("")

    thread = threading.Thread(target=go, daemon=True)
    thread.start()
    thread.join(within_s)
    assert told, "it waits"
    return told[0]


def pipe(path: Path) -> None:
    os.mkfifo(path)


def plug(path: Path) -> None:
    here = os.getcwd()
    os.chdir(path.parent)  # a name of a socket is short
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(here)


def endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def huge(path: Path) -> None:
    with path.open("wb") as stream:
        stream.truncate(1 << 40)


ODD: dict[str, tuple[Callable[[Path], None], str]] = {
    "a pipe": (pipe, "is a pipe: put a file there"),
    "a socket": (plug, "is a socket: put a file there"),
    "a link to a device": (endless, "is a symbolic link"),
    "a huge file": (huge, f"is too large .* at most .* {MAX_FILE_BYTES} each"),
}


@pytest.mark.parametrize("kind", ODD)
def test_what_is_no_file_in_a_folder_is_named_and_waited_for_by_nobody(tmp_path: Path, kind: str) -> None:
    make, text = ODD[kind]
    (tmp_path / "shop.py").write_text("n = 1\n")
    (tmp_path / "deep").mkdir()
    make(tmp_path / "deep" / "zz.py")
    assert re.search(f"load_error: {re.escape(str(tmp_path))}/deep/zz.py {text}", in_time(tmp_path))


@pytest.mark.parametrize("name", ["x.whl", "x.zip", "x.pyc", "x.py"])
def test_what_is_named_and_no_file_is_waited_for_by_nobody(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    assert in_time(tmp_path / name).startswith(("load_error: ", "invalid_code_type: "))


def test_a_folder_that_is_called_like_a_module_is_no_module(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text("n = 1\n")
    (tmp_path / "zz.py").mkdir()
    (tmp_path / "zz.py" / "inner.py").write_text("n = 2\n")
    assert [module.name for module in gather(tmp_path).modules] == ["shop"]


def test_a_link_of_the_users_own_is_followed_when_it_is_what_he_names(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "shop.py").write_text("n = 1\n")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "front.py").symlink_to("real/shop.py")
    assert [module.name for module in gather(tmp_path / "link").modules] == ["shop"]
    assert [module.name for module in gather(tmp_path / "front.py").modules] == ["front"]


def test_a_folder_that_becomes_a_link_while_it_is_read_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret, project = tmp_path / "secret", tmp_path / "project"
    for folder in (secret, project / "deep"):
        folder.mkdir(parents=True)
        (folder / "key.py").write_text("n = 1\n")
    walk = gathering._walk

    def then_swapped(root: Path) -> list[str]:
        found = walk(root)
        (project / "deep").rename(project / "gone")
        (project / "deep").symlink_to(secret)
        return found

    monkeypatch.setattr(gathering, "_walk", then_swapped)
    assert "deep/key.py is a symbolic link, or behind one" in in_time(project)


def test_a_file_that_grows_while_it_is_read_is_read_to_its_limit_only(tmp_path: Path) -> None:
    path, done = tmp_path / "log.py", threading.Event()
    path.write_bytes(b"#" * 1000)

    def grow() -> None:
        with path.open("ab") as stream:
            while not done.is_set() and stream.tell() < 100_000_000:
                stream.write(b"#" * 100_000)

    thread = threading.Thread(target=grow)
    thread.start()
    try:
        for _ in range(20):
            assert len(reading.read_file(path, 50_000)) <= 50_001
    finally:
        done.set()
        thread.join()


def test_many_large_files_are_not_all_read_before_they_are_too_large(tmp_path: Path) -> None:
    for number in range(200):
        with (tmp_path / f"m{number}.py").open("wb") as stream:
            stream.truncate(MAX_FILE_BYTES)
    read = list[int]()
    whole = reading.Folder.read

    def counted(self: reading.Folder, path: str, most: int) -> bytes:
        data = whole(self, path, most)
        read.append(len(data))
        return data

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading.Folder, "read", counted)
        assert "is too large" in in_time(tmp_path)
    assert sum(read) <= MAX_TOTAL_BYTES + MAX_FILE_BYTES


def test_folders_in_each_other_and_entries_without_end_are_one_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "deep").mkdir()
    at = os.open(tmp_path / "deep", os.O_RDONLY)
    for _ in range(150):
        os.mkdir("d", dir_fd=at)
        below = os.open("d", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    os.close(at)
    assert "holds too much to look through" in in_time(tmp_path / "deep")
    (tmp_path / "wide").mkdir()
    for number in range(50):
        (tmp_path / "wide" / f"{number}.txt").touch()
    monkeypatch.setattr(gathering, "_MOST_SEEN", 40)
    assert "load a subfolder" in in_time(tmp_path / "wide")


def test_a_work_tree_that_names_its_repository_by_a_terabyte_is_no_repository(tmp_path: Path) -> None:
    huge(tmp_path / ".git")
    with pytest.raises(CompileError, match="there is no git repository"):
        parse_url(str(tmp_path))
