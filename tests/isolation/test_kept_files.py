"""Deleted files that this OS process itself keeps, as a guest would."""

from __future__ import annotations

import errno
import mmap
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_sandbox.isolation import kept_files
from jupyter_sandbox.isolation.holdings import HoldingsMeter
from jupyter_sandbox.isolation.kept_files import _MAPS_EVERY, KeptFiles

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
SIZE = 1 << 20


def deleted(path: Path) -> int:
    """An open file that has no name any more."""
    file = os.open(path, os.O_CREAT | os.O_RDWR)
    os.write(file, bytes(SIZE))
    path.unlink()
    return file


@pytest.fixture
def maps(tmp_path: Path) -> Iterator[list[mmap.mmap]]:
    """Three hundred of two deleted files, none of them next to another one of the same."""
    files = [deleted(tmp_path / name) for name in "ab"]
    made = [mmap.mmap(files[n % 2], 4096) for n in range(300)]
    for file in files:
        os.close(file)
    yield made
    for one in made:
        one.close()


def test_each_deleted_file_is_asked_for_its_size_once_however_often_it_is_mapped(
    maps: list[mmap.mmap], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[str]()
    monkeypatch.setattr(kept_files, "_size_of", lambda pid, place: asked.append(place) or SIZE)
    seen = KeptFiles(str(tmp_path))
    seen.look(os.getpid(), filtered=True, everything=True)
    assert len(asked) == len(seen._mapped) == 2


def test_a_deleted_file_counts_once_whether_it_is_open_or_mapped(tmp_path: Path) -> None:
    seen = KeptFiles(str(tmp_path))
    file = deleted(tmp_path / "x")
    with mmap.mmap(file, 4096):
        seen.look(os.getpid(), filtered=True, everything=True)
        assert list(seen.hidden) == [os.fstat(file).st_ino] and sum(seen.hidden.values()) == SIZE
        os.close(file)
    seen.look(os.getpid(), filtered=True, everything=True)
    assert seen.hidden == {}


def test_a_file_that_was_mapped_before_it_was_deleted_is_found_though_no_map_is_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_files.brief, "read", lambda path, most: b"1 2 3")  # its size is as ever
    seen, path = KeptFiles(str(tmp_path)), tmp_path / "x"
    path.write_bytes(bytes(SIZE))
    with path.open("r+b") as file, mmap.mmap(file.fileno(), SIZE):
        number = os.fstat(file.fileno()).st_ino
        seen.look(os.getpid(), filtered=True)
        path.unlink()
        for _ in range(_MAPS_EVERY):
            assert number not in seen._mapped
            seen.look(os.getpid(), filtered=True)
        assert number in seen._mapped


@pytest.mark.parametrize("begun", [True, False])
def test_who_cannot_be_looked_into_is_told_where_that_was_once_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begun: bool
) -> None:
    """Some machines let nobody look, and no sandbox is to blame for that."""
    meter = HoldingsMeter(str(tmp_path))
    if begun:
        meter.begin(os.getpid())
    assert meter.look(os.getpid(), 100).unseen == ""

    def refused(folder: str, most: int = 0) -> list[str]:
        raise PermissionError(errno.EACCES, "Permission denied", folder)

    monkeypatch.setattr(kept_files.brief, "names", refused)
    assert meter.look(os.getpid(), 100, everything=True).unseen == "", "who is about to end refuses it, too"
    assert meter.look(os.getpid(), 100, everything=True).unseen == ("closed" if begun else "")


def test_who_has_ended_and_is_waited_for_by_nobody_hides_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(folder: str, most: int = 0) -> list[str]:
        raise PermissionError(errno.EACCES, "Permission denied", folder)

    if not (pid := os.fork()):
        os._exit(0)
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        monkeypatch.setattr(kept_files.brief, "names", refused)
        seen = KeptFiles(str(tmp_path))
        for _ in range(3):
            seen.look(pid, filtered=True)
        assert not seen.closed
    finally:
        os.waitpid(pid, 0)


@pytest.mark.parametrize("filtered", [True, False])
def test_a_program_that_cannot_be_looked_into_is_told_where_programs_are_confined(
    tmp_path: Path, filtered: bool
) -> None:
    meter = HoldingsMeter(str(tmp_path))
    meter.begin(os.getpid())
    closed = meter._programs._kept[1] = KeptFiles(str(tmp_path))
    closed.closed = True
    assert meter._unseen(filtered) == ("closed" if filtered else "")
