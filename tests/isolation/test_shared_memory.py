"""Shared memory that nobody has mapped, seen in this OS process itself."""

from __future__ import annotations

import ctypes
import mmap
import os
import sys
from collections.abc import Iterator

import pytest

from jupyter_sandbox.isolation import shared_memory, system
from jupyter_sandbox.isolation.memory_use import MemoryUse
from jupyter_sandbox.isolation.shared_memory import SharedMemory

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
SIZE = 3 << 20


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> SharedMemory:
    """Looks as often as it is asked."""
    monkeypatch.setattr(shared_memory, "_PAUSE_NS", 0)
    monkeypatch.setattr(shared_memory, "_WORTH_NS", 0)
    return SharedMemory(os.getpid())


@pytest.fixture
def file() -> Iterator[int]:
    fd = os.memfd_create("kept")
    os.write(fd, bytes(SIZE))
    yield fd
    os.close(fd)


def beyond(own: SharedMemory, counted: int = 0) -> int:
    """What is seen twice."""
    own.beyond(counted, b"1")
    return own.beyond(counted, b"2")


def test_what_is_open_and_not_mapped_comes_on_top(own: SharedMemory, file: int) -> None:
    before = own._look(b"before").known
    assert before >= SIZE and beyond(own) >= SIZE


def test_what_is_mapped_and_used_is_counted_already(own: SharedMemory, file: int) -> None:
    unmapped = beyond(own)
    with mmap.mmap(file, SIZE) as piece:
        piece[:] = bytes(SIZE)
        assert beyond(own, SIZE) == unmapped - SIZE
        assert own.beyond(2 * SIZE, b"3") == max(0, unmapped - 2 * SIZE), "more is used than at the last look"


def test_what_was_seen_once_is_on_its_way(own: SharedMemory) -> None:
    before = beyond(own)
    fd = os.memfd_create("kept")
    os.write(fd, bytes(SIZE))
    assert own.beyond(0, b"3") == before
    assert own.beyond(0, b"4") == before + SIZE
    os.close(fd)
    assert own.beyond(0, b"5") == before


def test_a_list_is_read_in_pieces_that_a_kernel_with_little_memory_has_room_for(
    own: SharedMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, read = list[int](), os.read

    def seen(fd: int, most: int) -> bytes:
        asked.append(most)
        return read(fd, most)

    monkeypatch.setattr(os, "read", seen)
    SharedMemory(os.getpid())
    assert asked and max(asked) <= 1 << 16


def test_pieces_of_system_v_are_counted_for_who_made_them_and_removed_with_it(own: SharedMemory) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.shmat.restype = ctypes.c_void_p
    number = libc.shmget(0, SIZE, 0o1600)
    try:
        place = libc.shmat(number, None, 0)
        ctypes.memset(place, 1, SIZE)
        assert own._look(b"attached").mapped >= SIZE
        libc.shmdt(ctypes.c_void_p(place))
        assert own._look(b"detached").known >= SIZE
        assert SharedMemory(os.getpid())._look(b"later").known < SIZE + own._look(b"now").known - SIZE
        own.leave_nothing()
        assert number not in {number for _, number in shared_memory._made(os.getpid())}
    finally:
        system.remove_shared(number)


def test_none_of_many_pieces_is_out_of_sight(own: SharedMemory) -> None:
    """Linux gives a page of their list at a time, which has room for some twenty."""
    libc = ctypes.CDLL(None, use_errno=True)
    numbers = [libc.shmget(0, 4096, 0o1600) for _ in range(100)]
    try:
        assert set(numbers) <= {number for _, number in shared_memory._made(os.getpid())}
        own.leave_nothing()
        assert not set(numbers) & {number for _, number in shared_memory._made(os.getpid())}
    finally:
        for number in numbers:
            system.remove_shared(number)


def test_where_a_filter_refuses_all_of_it_nobody_looks(file: int) -> None:
    filtered, free = MemoryUse(os.getpid()), MemoryUse(os.getpid(), filtered=False)
    assert filtered._apart is None and free._apart is not None
    filtered.close()
    free.close()
