"""Watches of epoll that this OS process itself has, as a guest would."""

from __future__ import annotations

import os
import select
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_sandbox.isolation import waited_for, watches
from jupyter_sandbox.isolation.kept_files import KeptFiles
from jupyter_sandbox.isolation.programs_kept import Programs
from jupyter_sandbox.isolation.waited_for import Waited
from jupyter_sandbox.model.limits import HIDDEN_WATCHES, WATCHES

from ..waiting import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
FOLDER = f"/proc/{os.getpid()}/fd"


@pytest.fixture
def epoll() -> Iterator[select.epoll]:
    with select.epoll() as made:
        yield made


@pytest.fixture
def files() -> Iterator[list[int]]:
    made = [os.eventfd(0) for _ in range(20)]
    yield made
    for one in made:
        os.close(one)


def test_each_watch_counts(epoll: select.epoll, files: list[int], tmp_path: Path) -> None:
    seen = KeptFiles(str(tmp_path))
    seen.look(os.getpid(), filtered=False)
    before = seen.watches
    assert f"{FOLDER}/{epoll.fileno()}" in seen.epolls
    for one in files:
        epoll.register(one)
    seen.look(os.getpid(), filtered=False)
    assert seen.watches == before + 20


def test_a_file_counts_for_each_number_that_it_was_watched_under(epoll: select.epoll, files: list[int]) -> None:
    for place in range(900, 910):
        os.dup2(files[0], place)
        epoll.register(place)
        os.close(place)
    assert watches.of_open([f"{FOLDER}/{epoll.fileno()}"]) == 10


def test_no_more_is_read_than_is_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is one that was closed meanwhile in the way."""
    read = list[str]()

    def lines(path: str, most: int) -> bytes:
        read.append(path)
        if path.endswith("/1"):
            raise FileNotFoundError
        longest = b"\ntfd: 12345678 events: ffffffff data: ffffffffffffffff  pos:18446744073709551615 ino:"
        return ((longest + b"f" * 16 + b" sdev:ffffffff") * 3 * WATCHES)[:most]

    monkeypatch.setattr(watches.long_list, "read", lines)
    assert WATCHES < watches.of_open([f"{FOLDER}/{number}" for number in (1, 2, 3)]) < 2 * WATCHES
    assert read == [f"/proc/{os.getpid()}/fdinfo/{number}" for number in (1, 2)]


def test_an_epoll_that_was_closed_counts_while_a_thread_waits_for_it(epoll: select.epoll, tmp_path: Path) -> None:
    goes_on, end = os.pipe()
    epoll.register(goes_on, select.EPOLLIN)
    number = epoll.fileno()
    thread = threading.Thread(target=epoll.poll, args=(60,))
    thread.start()
    until(lambda: number in waited_for.look(os.getpid()).epolls)
    seen = KeptFiles(str(tmp_path))

    def assumed() -> int:
        seen.look(os.getpid(), filtered=False)
        return seen.watches_of_closed(waited_for.look(os.getpid()))

    assert assumed() == 0
    epoll.close()
    assert assumed() == HIDDEN_WATCHES
    os.write(end, b"x")
    thread.join(60)
    assert assumed() == 0
    for one in (goes_on, end):
        os.close(one)


def test_many_threads_that_wait_for_one_may_wait_for_others() -> None:
    assert watches.of_closed(Waited(epolls=(5,) * 9), ["/proc/1/fd/5"], 0) == 8 * HIDDEN_WATCHES


def test_closed_files_that_poll_waits_for_are_epolls_where_there_was_one(tmp_path: Path) -> None:
    """Who never had one has closed sockets there, which are counted as open files."""
    seen = KeptFiles(str(tmp_path))
    seen.open_files = 4
    assert seen.watches_of_closed(Waited(files=9)) == 0
    with select.epoll():
        seen.look(os.getpid(), filtered=False)
    seen.look(os.getpid(), filtered=False)
    seen.open_files = 4
    assert seen.watches_of_closed(Waited(files=9)) == 5 * HIDDEN_WATCHES
    assert seen.watches_of_closed(Waited(files=4)) == 0


def test_those_of_programs_count_as_well(files: list[int], tmp_path: Path) -> None:
    told, tell = os.pipe()
    ends, end = os.pipe()
    child = os.fork()
    if child == 0:
        with select.epoll() as own:
            for one in files:
                own.register(one)
            os.write(tell, b"x")
            os.close(end)
            os.read(ends, 1)
        os._exit(0)
    os.read(told, 1)
    programs = Programs(str(tmp_path))
    programs._look_at_some([child], filtered=False)
    seen = programs.watches
    for one in (told, tell, ends, end):
        os.close(one)
    os.waitpid(child, 0)
    assert seen >= 20
