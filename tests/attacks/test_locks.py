"""Attacks by holding on: locks that others wait for, files and folders that others want to be rid of."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import struct
from pathlib import Path

import pytest

from .conftest import Arena
from .tools import REFUSED, TOOLS

ON_A_FILE = {
    "all of it": "fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)",
    "all of it, with others": "fcntl.flock(f, fcntl.LOCK_SH | fcntl.LOCK_NB)",
    "its bytes, with others": "fcntl.lockf(f, fcntl.LOCK_SH | fcntl.LOCK_NB)",
    "its bytes, waiting": "fcntl.lockf(f, fcntl.LOCK_SH)",
    "its bytes, by what is open": "fcntl.fcntl(f, 37, struct.pack('hhqqi4x', 0, 0, 0, 0, 0))",
    "its bytes, by what is open, waiting": "fcntl.fcntl(f, 38, struct.pack('hhqqi4x', 0, 0, 0, 0, 0))",
    "a lease on it": "fcntl.fcntl(f, 1024, 0)",
}
LIBRARY = pytest.__file__
"""A file on the search path, as a database of the user's project may be."""
TAKEN = "import builtins, fcntl, struct\nf = builtins.keep = open({path!r}, 'rb')\n"


def locked(path: str | Path) -> bool:
    """Whether this kernel would have to wait for somebody."""
    with open(path, "rb") as file:
        question = struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0)
        kind = struct.unpack_from("h", fcntl.fcntl(file, fcntl.F_GETLK, question))[0]
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return bool(kind != fcntl.F_UNLCK)


@pytest.mark.parametrize("allow", [None, {"net": True}], ids=str)
@pytest.mark.parametrize("name", ON_A_FILE)
def test_no_lock_on_a_file_that_it_can_read_is_felt_by_others(
    strict: Arena, name: str, allow: dict[str, bool] | None
) -> None:
    sandbox = strict.attacker(allow=allow)
    answer = strict.attempt(TAKEN.format(path=LIBRARY) + ON_A_FILE[name], sandbox)
    assert answer in {"worked", "ENOSYS", *REFUSED}
    # Other tests that ask this hold it for the moment that it takes to ask.
    strict.until(lambda: not locked(LIBRARY), "a lock is felt by others")
    assert strict.alive(sandbox)


MANY = """
import builtins, fcntl, struct
keep = builtins.keep = [_os.open(f'f{n}', _os.O_CREAT | _os.O_RDWR) for n in range(50)]
for n in range(1_000):
    for file in keep: fcntl.fcntl(file, 6, struct.pack('hhqqi4x', 1, 0, 2 * (1_000 - n), 1, 0))
"""


def test_locks_without_number_are_not_kept_by_the_operating_system(strict: Arena) -> None:
    """It keeps each in memory that it does not count, and whoever lists them reads them all."""
    before = len(Path("/proc/locks").read_text().splitlines())
    assert strict.attempt(MANY, strict.attacker(limits={"handler_budget": 8_000})) == "worked"
    assert len(Path("/proc/locks").read_text().splitlines()) < before + 100


def test_databases_of_its_own_are_locked_as_ever(strict: Arena) -> None:
    source = """
    import sqlite3
    first, second = sqlite3.connect('own.db'), sqlite3.connect('own.db', timeout=0.05)
    first.execute('create table t(a)'); first.commit(); first.execute('begin exclusive')
    try: second.execute('insert into t values(1)')
    except sqlite3.OperationalError as error: answer = str(error)
    first.rollback(); second.execute('insert into t values(1)'); second.commit()
    answer += str(first.execute('pragma journal_mode=wal').fetchone() + first.execute('select * from t').fetchone())
    """
    sandbox = strict.attacker(limits={"handler_budget": 8_000})
    assert strict.attempt(source, sandbox) == "database is locked('wal', 1)"


def test_a_path_that_is_opened_by_name_can_be_locked(strict: Arena, tmp_path: Path) -> None:
    """Who reads a database that somebody else writes has to: what is named for reading is shared."""
    database = tmp_path / "shared.db"
    with sqlite3.connect(database) as own:
        own.execute("create table t(a)")
    own.close()
    sandbox = strict.attacker(allow={"read": [tmp_path]})
    strict.attempt(TAKEN.format(path=str(database)) + ON_A_FILE["its bytes, with others"], sandbox)
    assert locked(database)
    sandbox.destroy()
    strict.until(lambda: not locked(database), "the lock outlived it")


KEPT = "import builtins\nbuiltins.keep = _os.open({path!r}, _os.O_PATH | {also})"


@pytest.mark.parametrize("also", ["0", "_os.O_NOFOLLOW", "_os.O_RDWR"])
@pytest.mark.parametrize(
    "allow", [None, {"net": True, "subprocess": True, "read": ["/usr/share"]}], ids=["strict", "standard"]
)
def test_a_file_of_others_cannot_be_kept_on_the_disk(
    strict: Arena, tmp_path: Path, also: str, allow: dict[str, object] | None
) -> None:
    """Neither by its path alone, for which Linux asks about no right: deleted, it would still take its room."""
    large = tmp_path / "large"
    large.write_bytes(bytes(1 << 20))
    sandbox = strict.refuses(KEPT.format(path=str(large), also=also), strict.attacker(allow=allow))
    large.unlink()
    held = [
        os.readlink(f"/proc/{sandbox.info().os_pid}/fd/{fd}") for fd in os.listdir(f"/proc/{sandbox.info().os_pid}/fd")
    ]
    assert not any("large" in name for name in held)


@pytest.mark.parametrize("how", ["_os.open('d', _os.O_PATH | _os.O_DIRECTORY)", "_os.open('.', _os.O_RDONLY)"])
def test_folders_are_opened_as_copying_and_removing_trees_needs_it(strict: Arena, how: str) -> None:
    assert strict.attempt(f"_os.mkdir('d'); _os.fchdir({how})") == "worked"


OF_ITS_OWN = """
import builtins, threading
told = builtins.told = []
def fill():
    try:
        syscall('close_range', 100, 127, {flags})
        for n in range(20):
            f = _os.open('f', _os.O_CREAT | _os.O_RDWR); _os.unlink('f'); _os.write(f, bytes(15_000_000))
        told.append('filled')
    except OSError as error: told.append(error)
    threading.Event().wait(20)
threading.Thread(target=fill, daemon=True).start()
while not told: _os.sched_yield()
if isinstance(told[0], OSError): raise told[0]
"""


@pytest.mark.parametrize("flags", [2, 6])
def test_no_thread_gets_files_of_its_own_by_closing_some(strict: Arena, flags: int) -> None:
    """A table of files of a thread is one that no watchdog reads: deleted files in it are on the disk and nowhere."""
    strict.refuses(OF_ITS_OWN.format(flags=flags))
    programs = strict.attacker(allow={"subprocess": True})
    strict.refuses(f"{TOOLS}syscall('close_range', 100, 127, {flags})", programs)


def test_ranges_of_files_are_closed_as_ever(strict: Arena) -> None:
    source = """
    f = _os.dup(1); _os.dup2(f, 100); _os.closerange(100, 110); syscall('close_range', 100, 110, 4)
    answer = _os.path.exists('/proc/self/fd/100')
    """
    assert strict.attempt(source) is False
