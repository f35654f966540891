"""Attacks with memory that is given back and kept all the same: a page of it holds the rest, which nobody counts."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from .conftest import Arena, crash_reason
from .tools import TOOLS

MEGABYTE = 1 << 20


def of_the_machine(name: str) -> int:
    """Bytes of one kind of memory that all programs have together."""
    (line,) = (one for one in Path("/proc/meminfo").read_text().splitlines() if one.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024


SHARED = {
    "by C": "mapped(1 << 22, 0x21)",
    "by C, with flags that are looked at": "mapped(1 << 22, 0x23)",
    "by C, without room for it": "mapped(1 << 22, 0x4021)",
    "by what Python's class is made of": "import mmap; mmap.mmap.__base__(-1, 1 << 22)",
    "by a number": "syscall('mmap', 0, 1 << 22, 3, 0x21, -1, 0)",
    "by the device of zeros": "mapped(1 << 22, 1, _os.open('/dev/zero', 2))",
    "without a name": "syscall('memfd_create', b'x', 0)",
    "of System V": "syscall('shmget', 0, 1 << 22, 0o1600)",
    "with a name": "_os.open('/dev/shm/evil', _os.O_CREAT | _os.O_RDWR)",
    "by a map that trades its pages": "syscall('remap_file_pages', mapped(1 << 22, 0x22), 1 << 22, 0, 0, 0)",
}


@pytest.mark.parametrize("allow", [None, {"subprocess": True, "net": True}], ids=["strict", "standard"])
@pytest.mark.parametrize("name", SHARED)
def test_memory_that_is_shared_cannot_be_had(strict: Arena, name: str, allow: dict[str, bool] | None) -> None:
    strict.refuses(SHARED[name], strict.attacker(allow=allow))


GIVEN_BACK = """
import builtins, mmap
keep = builtins.keep = []
for _ in range(64):
    keep.append(mmap.mmap(-1, 4 << 20)); keep[-1].write(b'x' * (4 << 20)); {back}
"""
BACK = {
    "but for a page": "keep[-1].resize(4096)",
    "by advice": "keep[-1].madvise(mmap.MADV_DONTNEED)",
}


@pytest.mark.parametrize("profile", ["", "basic"])
@pytest.mark.parametrize("name", BACK)
def test_a_map_that_is_given_back_is_given_back(arena: Arena, name: str, profile: str) -> None:
    """Two hundred and fifty megabytes go through it."""
    before = of_the_machine("Shmem")
    sandbox = arena.attacker(profile=profile or None, limits={"handler_budget": 8_000, "max_memory": 30 * MEGABYTE})
    outcome = arena.attack(GIVEN_BACK.replace("{back}", BACK[name]), sandbox)
    # Others on this machine may have shared memory of their own for a while.
    arena.until(lambda: of_the_machine("Shmem") - before < 100 * MEGABYTE, "more than the limit is kept")
    if outcome.error is None:
        assert sandbox.call("evil", "import builtins; answer = len(builtins.keep)") == 64
    assert arena.works_again(sandbox)


@pytest.mark.parametrize("profile", ["", "basic"])
def test_a_map_that_is_kept_is_counted_and_the_limit_told(arena: Arena, profile: str) -> None:
    sandbox = arena.attacker(profile=profile or None, limits={"handler_budget": 8_000, "max_memory": 30 * MEGABYTE})
    outcome = arena.attack(GIVEN_BACK.replace("{back}", "pass"), sandbox)
    assert "MemoryError: there is no memory for a map of 4194304 bytes" in str(outcome.error)
    arena.until(lambda: any("max_memory" in text for text in sandbox.info().alerts), "nobody was told")
    assert sandbox.info().memory_peak < (30 + 10) * MEGABYTE
    assert arena.works_again(sandbox)


ORDINARY = """
import mmap
from mmap import ACCESS_COPY, ACCESS_READ, ACCESS_WRITE, MAP_ANONYMOUS, MAP_PRIVATE, MAP_SHARED, PROT_READ, PROT_WRITE
told = []
for given in (
    {}, {'access': ACCESS_WRITE}, {'access': ACCESS_COPY}, {'flags': MAP_SHARED}, {'flags': MAP_SHARED | MAP_ANONYMOUS},
    {'flags': MAP_PRIVATE}, {'prot': PROT_READ | PROT_WRITE},
):
    with mmap.mmap(-1, 8192, **given) as piece:
        piece[:3] = b'abc'
        told.append((type(piece) is mmap.mmap, isinstance(piece, mmap.mmap), piece[:4], len(piece), piece.find(b'c')))
for given in ({'access': ACCESS_READ}, {'prot': PROT_READ}):
    with mmap.mmap(fileno=-1, length=4096, **given) as piece:
        try: piece[0] = 1
        except TypeError: told.append('read only')
for given in ((-1, 4096, MAP_SHARED, PROT_READ, ACCESS_READ), (-1, 0), (-1,), (-1, 'x'), (-1, 4096, 'x')):
    try: mmap.mmap(*given)
    except Exception as error: told.append(type(error).__name__)
with open('file', 'w+b') as file:
    file.write(b'x' * 8192); file.flush()
    with mmap.mmap(file.fileno(), 0) as piece: piece[0:1] = b'y'
    with mmap.mmap(file.fileno(), 4096, MAP_SHARED, PROT_READ, mmap.ACCESS_DEFAULT, 4096) as piece:
        told.append(piece[0:1])
    told.append(file.seek(0) or file.read(2))
answer = told, repr(mmap.mmap)
"""


@pytest.mark.parametrize("profile", ["", "basic"])
def test_ordinary_maps_are_as_ever(arena: Arena, profile: str) -> None:
    told, name = arena.attempt(ORDINARY, profile=profile or None)
    assert told[:7] == [(True, True, b"abc\0", 8192, 2)] * 7
    assert told[7:] == ["read only"] * 2 + ["ValueError", "OSError"] + ["TypeError"] * 3 + [b"x", b"yx"]
    assert name == "<class 'mmap.mmap'>"


HUGE = """
import builtins
builtins.place = place = mapped(16 << 20, 0x22)
_libc.madvise(_ctypes.c_void_p(place), _ctypes.c_size_t(16 << 20), 14)
_ctypes.memset(_ctypes.c_void_p(place), 1, 16 << 20)
"""


@pytest.mark.parametrize("options", [{}, {"allow": {"subprocess": True}}, {"profile": "basic"}], ids=str)
def test_no_memory_comes_in_huge_pages(arena: Arena, options: dict[str, object]) -> None:
    """Given back but for a small one, a huge page stays taken until the machine needs it. Two megabytes each."""
    sandbox = arena.attacker(limits={"max_memory": 100 * MEGABYTE}, **options)
    assert arena.attempt(HUGE, sandbox) == "worked"
    about = Path(f"/proc/{sandbox.info().os_pid}")
    assert re.search(r"^THP_enabled:\s*0$", (about / "status").read_text(), re.M)
    assert re.search(r"^AnonHugePages:\s*0 kB$", (about / "smaps_rollup").read_text(), re.M)


def test_huge_pages_cannot_be_had_again(strict: Arena) -> None:
    strict.refuses("syscall('prctl', 41, 0, 0, 0, 0)")


SHRUNK = "place = mapped(4 << 20, 0x21); _ctypes.memset(_ctypes.c_void_p(place), 1, 4 << 20); {back}"
REST = "_libc.munmap(_ctypes.c_void_p(place{begin}), _ctypes.c_size_t((4 << 20) - 4096))"
SIZE_ONLY_ROOT_MAY_ASK = {
    "its first page": SHRUNK.replace("{back}", REST.replace("{begin}", " + 4096")),
    "nothing of it, by advice": SHRUNK.replace(
        "{back}", "_libc.madvise(_ctypes.c_void_p(place), _ctypes.c_size_t(4 << 20), 4)"
    ),
}
OUT_OF_SIGHT = SIZE_ONLY_ROOT_MAY_ASK | {
    "its last page": SHRUNK.replace("{back}", REST.replace("{begin}", "")),
    "an open file without a name": "_os.write(syscall('memfd_create', b'x', 0), bytes(4 << 20))",
    "a page of an open file": (
        "file = syscall('memfd_create', b'x', 0); _os.write(file, bytes(4 << 20)); mapped(4096, 1, file)"
    ),
    # It never has a name: who is killed before it deletes a file leaves that.
    "a file that is deleted": "_os.write(_os.open('/dev/shm', _os.O_TMPFILE | _os.O_RDWR), bytes(4 << 20))",
    "pieces of System V behind many small ones": (
        "for _ in range(10): syscall('shmget', 0, 1, 0o1600)\n"
        "    place = called(_libc.shmat(syscall('shmget', 0, 4 << 20, 0o1600), None, 0))\n"
        "    _ctypes.memset(_ctypes.c_void_p(place), 1, 4 << 20); _libc.shmdt(_ctypes.c_void_p(place))"
    ),
    "a page of huge ones": (
        "syscall('prctl', 41, 0, 0, 0, 0); start = mapped(6 << 20, 0x22)\n"
        "    place = start + (2 << 20) - 1 & -(2 << 20)\n"
        "    _libc.madvise(_ctypes.c_void_p(place), _ctypes.c_size_t(4 << 20), 14)\n"
        "    _ctypes.memset(_ctypes.c_void_p(place), 1, 4 << 20)\n"
        "    for begin, end in (\n"
        "        (start, place), (place + 4096, place + (2 << 20)), (place + (2 << 20) + 4096, start + (6 << 20)),\n"
        "    ): _libc.munmap(_ctypes.c_void_p(begin), _ctypes.c_size_t(end - begin))"
    ),
}
"""Of four megabytes this is kept in use."""
AGAIN = "_libc.shmat.restype = _ctypes.c_void_p\nimport time\nfor _ in range({times}):\n    {take}\ntime.sleep(20)"


def may_ask_for_sizes() -> bool:
    """Whether this kernel may know how large a piece is that is mapped and open nowhere."""
    place = next(line.split()[0] for line in Path("/proc/self/maps").read_text().splitlines() if "/" in line)
    try:
        return os.stat(f"/proc/self/map_files/{place}").st_size > 0
    except OSError:
        return False


@pytest.mark.parametrize("profile", ["basic", "off"])
@pytest.mark.parametrize("kept", OUT_OF_SIGHT)
def test_memory_that_is_kept_out_of_sight_is_counted(arena: Arena, kept: str, profile: str) -> None:
    if kept in SIZE_ONLY_ROOT_MAY_ASK and not may_ask_for_sizes():
        pytest.skip("only root can ask for the size of what is mapped in part")
    limits = {"handler_budget": 30_000, "max_memory": 40 * MEGABYTE}
    sandbox = arena.attacker(profile=profile, limits=limits)
    source = AGAIN.replace("{times}", "20").replace("{take}", OUT_OF_SIGHT[kept])
    assert arena.attack(f"{TOOLS}{source}", sandbox, timeout_ms=15_000).killed
    assert crash_reason(sandbox).startswith("memory: ")
    assert arena.works_again(sandbox)


@pytest.mark.parametrize("profile", ["basic", "off"])
def test_shared_memory_is_counted_once_and_that_of_others_is_theirs(arena: Arena, profile: str) -> None:
    sandbox = arena.attacker(profile=profile, limits={"handler_budget": 30_000, "max_memory": 40 * MEGABYTE})
    others = Path(f"/dev/shm/evil-of-others-{os.getpid()}")  # these tests run beside each other
    try:
        others.write_bytes(bytes(60 * MEGABYTE))
        source = f"""
        file = _os.open('{others}', _os.O_RDWR)
        _ctypes.c_char.from_address(mapped(60 << 20, 1, file)).value
        mine = syscall('memfd_create', b'x', 0)
        _os.write(mine, bytes(12 << 20))
        for _ in range(3):
            _ctypes.memset(_ctypes.c_void_p(mapped(12 << 20, 1, mine)), 1, 12 << 20)
        import time; time.sleep(2)
        """
        assert arena.attempt(source, sandbox) == "worked"
    finally:
        others.unlink(missing_ok=True)
    assert arena.alive(sandbox) and sandbox.info().memory_peak > 12 * MEGABYTE


TABLES = """
for _ in range({gigabytes}):
    place = mapped(1 << 30, 0x4022)
    for at in range(0, 1 << 30, 1 << 21): _ctypes.string_at(place + at, 1)
import time; time.sleep(3)
"""
"""A page of zeros is read in every two megabytes of maps that hold nothing."""


@pytest.mark.parametrize("profile", ["off", "basic"])
def test_the_tables_of_maps_that_hold_nothing_are_counted(arena: Arena, profile: str) -> None:
    sandbox = arena.attacker(profile=profile, limits={"handler_budget": 20_000})
    outcome = arena.attack(TOOLS + TABLES.replace("{gigabytes}", "100"), sandbox)
    assert outcome.error is not None
    if profile == "off":
        assert crash_reason(sandbox).startswith("memory: ")
    else:  # the operating system gives out no such maps
        assert "Error" in str(outcome.error)
    assert arena.works_again(sandbox)


SMALL_MAPS = """
for number in range(12_000):
    place = mapped(8192, 0x100022, -1, 1, (0x20 << 40) + (2 * number << 30) - 4096)
    _ctypes.string_at(place, 1); _ctypes.string_at(place + 4096, 1)
import time; time.sleep(3)
"""
"""Two pages on both sides of each second gigabyte, which are read and take four tables; of memory they take nothing."""


@pytest.mark.parametrize("profile", ["strict", "standard", "basic", "off"])
def test_the_tables_of_small_maps_far_from_each_other_are_counted(arena: Arena, profile: str) -> None:
    rights: dict[str, Any] = {"allow": {"subprocess": True}} if profile == "standard" else {"profile": profile}
    sandbox = arena.attacker(**rights, limits={"handler_budget": 20_000})
    assert arena.attack(TOOLS + SMALL_MAPS, sandbox).killed
    assert crash_reason(sandbox).startswith("memory: ")
    assert arena.works_again(sandbox)
