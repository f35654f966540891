"""Attacks with memory that is given back and kept all the same: a page of it holds the rest, which nobody counts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .conftest import Arena

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
    assert of_the_machine("Shmem") - before < 100 * MEGABYTE, "more than the limit is kept"
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
