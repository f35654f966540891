"""Tables of open files: which threads share one, asked of Linux."""

from __future__ import annotations

import errno
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from jupyter_sandbox.isolation import brief, file_tables

from ..waiting import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
UNSHARED_FILES = 0x400


@contextmanager
def threads(count: int, begin: Callable[[int], object] = lambda _: None) -> Iterator[None]:
    """So many more, each of which did that before."""
    ready, go, before = threading.Barrier(count + 1), threading.Event(), len(os.listdir("/proc/self/task"))

    def wait(number: int) -> None:
        begin(number)
        ready.wait(10)
        go.wait(30)

    made = [threading.Thread(target=wait, args=(number,)) for number in range(count)]
    for thread in made:
        thread.start()
    ready.wait(10)
    try:
        yield
    finally:
        go.set()
        for thread in made:
            thread.join()
        until(lambda: len(os.listdir("/proc/self/task")) <= before)  # Linux has them a moment longer than Python


def unshare(_: int) -> None:
    """Files of its own from now on, the same at first."""
    if brief.libc().unshare(UNSHARED_FILES):
        raise OSError("unshare")


def unshare_and_open(number: int) -> None:
    unshare(number)
    for _ in range(number + 2):  # who looks at itself has one more open
        os.open("/dev/null", os.O_RDONLY)


def test_threads_that_share_their_files_are_one_table() -> None:
    first = f"/proc/{os.getpid()}/fd"
    with threads(5):
        assert file_tables.folders(os.getpid(), filtered=False) == [first]


def test_each_thread_with_files_of_its_own_is_another_table_though_their_numbers_are_the_same() -> None:
    with threads(3, unshare):
        found = file_tables.folders(os.getpid(), filtered=False)
        assert len(found) == 4 and found[0] == f"/proc/{os.getpid()}/fd"
        assert file_tables.folders(os.getpid(), filtered=True) == found[:1]


def test_where_linux_does_not_say_it_other_numbers_are_another_table(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(one: int, other: int) -> int:
        raise OSError(errno.EPERM, "not permitted")

    monkeypatch.setattr(file_tables, "_order", refuse)
    with threads(3, unshare_and_open):
        assert len(file_tables.folders(os.getpid(), filtered=False)) == 4
    with threads(3):
        assert len(file_tables.folders(os.getpid(), filtered=False)) == 1
