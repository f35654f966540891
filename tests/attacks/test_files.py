"""Attacks on files: what is not the sandbox's own cannot be read or changed, and its own share is bounded."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import time
from pathlib import Path

import pytest

from jupyter_sandbox.model.busy import patiently

from ..busy import is_busy, needs_busy_programs
from .conftest import Arena, crash_reason
from .tools import REFUSED

READS = {
    "directly": "answer = open({secret!r}).read()",
    "through a link of its own": "_os.symlink({secret!r}, 'link'); answer = open('link').read()",
    "through a hard link of its own": "_os.link({secret!r}, 'hard'); answer = open('hard').read()",
    "through dots": "answer = open('../../../../../../..' + {secret!r}).read()",
    "through the root of itself": "answer = open('/proc/self/root' + {secret!r}).read()",
    "through the folder of itself": "answer = open('/proc/self/cwd/../../../..' + {secret!r}).read()",
    "through the root of a thread": "answer = open('/proc/thread-self/root' + {secret!r}).read()",
    "through the root of the kernel": "answer = open('/proc/{kernel}/root' + {secret!r}).read()",
    "through a file of the kernel": "answer = _os.listdir('/proc/{kernel}/cwd')",
    "by copying it in C": (
        "a = _os.open({secret!r}, _os.O_RDONLY); b = _os.open('copy', _os.O_CREAT | _os.O_WRONLY)\n"
        "_os.copy_file_range(a, b, 100)"
    ),
    "by taking it in": "_os.rename({secret!r}, 'mine'); answer = open('mine').read()",
    "by moving in": "_os.chdir({folder!r}); answer = open('secret').read()",
    "by a path and no more": ("f = _os.open({secret!r}, _os.O_PATH); answer = open(f'/proc/self/fd/{{f}}').read()"),
    "by linking an open path": (
        "f = _os.open({secret!r}, _os.O_PATH); called(_libc.linkat(f, b'', -100, b'mine', 0x1000))\n"
        "answer = open('mine').read()"
    ),
    "by an open path of its folder": (
        "answer = _os.open('secret', 0, dir_fd=_os.open({folder!r}, _os.O_PATH | _os.O_DIRECTORY))"
    ),
    "by moving into an open path": (
        "_os.fchdir(_os.open({folder!r}, _os.O_PATH | _os.O_DIRECTORY)); answer = open('secret').read()"
    ),
    "by dots of a folder that was moved": (
        "_os.makedirs('a/b'); f = _os.open('a/b', _os.O_PATH | _os.O_DIRECTORY); _os.rename('a/b', 'c')\n"
        "answer = _os.open('../' * 20 + {secret!r}[1:], 0, dir_fd=f)"
    ),
    "by mapping it": "import mmap; answer = mmap.mmap(_os.open({secret!r}, _os.O_RDONLY), 0, prot=1)[:]",
    "by listing the folder": "answer = _os.listdir({folder!r})",
    "by an import": "import sys; sys.path.insert(0, {folder!r}); import secret_module; answer = secret_module.x",
    "by loading it as a library": "_ctypes.CDLL({secret!r})",
    "with the new open": "syscall('openat2', -100, {secret!r}.encode(), _ctypes.create_string_buffer(24), 24)",
    "by a database": (
        "import sqlite3; c = sqlite3.connect(':memory:'); c.execute('attach ? as x', ({secret!r},))\n"
        "answer = c.execute('select * from x.sqlite_master').fetchall()"
    ),
    "another sandbox's folder": "answer = _os.listdir({other!r})",
    "the folder of all sandboxes": "answer = _os.listdir(_os.path.dirname({other!r}))",
    "the extended attributes": "answer = _os.listxattr({secret!r})",
    "the log of the machine": "answer = _os.listdir('/var/log')",
    "the passwords": "answer = open('/etc/shadow').read()",
    "the users": "answer = open('/etc/passwd').read()",
    "the devices": "answer = _os.listdir('/dev')",
    "the home": "answer = _os.listdir({home!r})",
}
WRITES = {
    "by writing": "open({secret!r}, 'a').write('x')",
    "by emptying": "_os.truncate({secret!r}, 0)",
    "by emptying on opening": "_os.open({secret!r}, _os.O_RDONLY | _os.O_TRUNC)",
    "by emptying on opening for nothing": "_os.open({secret!r}, 3 | _os.O_TRUNC)",
    "by keeping it, opened for nothing": "_os.open({secret!r}, 3)",
    "by removing": "_os.unlink({secret!r})",
    "by renaming": "_os.rename({secret!r}, {secret!r} + '2')",
    "by putting another in its place": "open('x', 'w').close(); _os.rename('x', {secret!r})",
    "by exchanging": "open('x', 'w').close(); syscall('renameat2', -100, b'x', -100, {secret!r}.encode(), 2)",
    "by making one beside it": "open({folder!r} + '/new', 'w')",
    "by making a folder": "_os.mkdir({folder!r} + '/new')",
    "by making a link": "_os.symlink('/', {folder!r} + '/new')",
    "by making a pipe": "_os.mkfifo({folder!r} + '/new')",
    "by an attribute": "_os.setxattr({secret!r}, 'user.x', b'y')",
    "by allocating": "_os.posix_fallocate(_os.open({secret!r}, _os.O_RDWR), 0, 100)",
    "a package that everybody imports": "open({package!r} + '/evil.pth', 'w')",
    "a compiled module": "open({library!r} + '/__pycache__/evil.pyc', 'w')",
    "without a name": "_os.open({folder!r}, _os.O_TMPFILE | _os.O_RDWR)",
    "without a name, for nothing": "_os.open({folder!r}, _os.O_TMPFILE | 3)",
    "without a name, among the temporary files": "_os.open('/tmp', _os.O_TMPFILE | _os.O_RDWR)",
    "a library by a link of it": "_os.link({library!r} + '/os.py', 'os.py'); open('os.py', 'a').write('evil')",
    "a library by a link of its open path": (
        "f = _os.open({library!r} + '/os.py', _os.O_PATH)\n"
        "called(_libc.linkat(f, b'', -100, b'x', 0x1000)); open('x', 'a')"
    ),
    "a library in memory that is shared": ("import mmap; mmap.mmap(_os.open({library!r} + '/os.py', 0), 0)[0] = 0"),
    "where it works itself, by renaming": "_os.rename(_os.getcwd(), _os.getcwd() + '2')",
    "where it works itself, by removing": "_os.rmdir(_os.getcwd())",
    "beside where it works, by a link": "_os.symlink('/', _os.getcwd() + '2')",
    "who says that the kernel lives": "_os.open('../owner', _os.O_RDONLY)",
    "through a folder opened for reading": (
        "d = _os.open({library!r}, _os.O_RDONLY); _os.open('evil.py', _os.O_CREAT | _os.O_WRONLY, dir_fd=d)"
    ),
    "through its own file descriptor": (
        "f = _os.open({library!r} + '/os.py', _os.O_RDONLY); _os.open(f'/proc/self/fd/{{f}}', _os.O_RDWR)"
    ),
    "a device": "_os.mknod('disk', 0o60600, _os.makedev(8, 0)); open('disk')",
}
UNREAD = REFUSED | {
    "EXDEV", "ENOENT", "ENOSYS", "ENOTSUP", "EOPNOTSUPP", "OperationalError", "ModuleNotFoundError",
}  # fmt: skip
OWN_ERRORS = {"a library by a link of its open path": {"ENOENT"}}
PRETENDED = {
    "its mode": "_os.chmod({secret!r}, 0o777)",
    "its mode by file": "f = _os.open({library!r} + '/os.py', 0); _os.fchmod(f, 0o777)",
    "its owner": "_os.chown({secret!r}, 12345, 12345)",
    "its times": "_os.utime({secret!r}, (1, 1))",
}


@pytest.fixture
def outside(tmp_path: Path) -> dict[str, object]:
    """Files of the user, and what names them."""
    folder = tmp_path / "private"
    folder.mkdir()
    (folder / "secret").write_text("treasure")
    (folder / "secret_module.py").write_text("x = 'treasure'")
    library = os.path.dirname(os.__file__)
    package = os.path.dirname(os.path.dirname(pytest.__file__))
    return {
        "secret": str(folder / "secret"), "folder": str(folder), "kernel": os.getpid(), "library": library,
        "package": package, "home": os.path.expanduser("~"),
    }  # fmt: skip


@pytest.mark.parametrize("name", READS)
def test_reading_what_is_not_its_own_fails(strict: Arena, name: str, outside: dict[str, object]) -> None:
    other = str(strict.folder(strict.bystander))
    answer = strict.attempt(READS[name].format(**outside, other=other))
    assert "treasure" not in str(answer)
    assert answer in UNREAD or "Permission denied" in str(answer) or "cannot open" in str(answer)


@pytest.mark.parametrize("name", WRITES)
def test_changing_what_is_not_its_own_fails(strict: Arena, name: str, outside: dict[str, object]) -> None:
    before = picture(Path(str(outside["folder"])))
    strict.refuses(WRITES[name].format(**outside), also={"EXDEV", "ENOTSUP", *OWN_ERRORS.get(name, ())})
    assert picture(Path(str(outside["folder"]))) == before
    assert not list(Path(str(outside["package"])).glob("evil*")) + list(Path(str(outside["library"])).rglob("evil*"))


@pytest.mark.parametrize("name", PRETENDED)
def test_changing_what_describes_a_file_has_no_effect(strict: Arena, name: str, outside: dict[str, object]) -> None:
    before = picture(Path(str(outside["folder"])))
    mode = os.stat(f"{outside['library']}/os.py").st_mode
    strict.attempt(PRETENDED[name].format(**outside))
    assert picture(Path(str(outside["folder"]))) == before
    assert os.stat(f"{outside['library']}/os.py").st_mode == mode


def picture(folder: Path) -> dict[str, object]:
    """Everything of a folder that could be changed."""
    found = {path.name: path.lstat() for path in (folder, *folder.iterdir())}
    return {name: (one.st_mode, one.st_uid, one.st_mtime_ns, one.st_size) for name, one in found.items()}


def test_more_open_files_than_allowed_are_an_error_and_the_channel_works_on(arena: Arena) -> None:
    sandbox = arena.attacker()
    assert arena.attempt("keep = [open('/dev/null') for _ in range(5000)]", sandbox) == "EMFILE"
    assert arena.attempt("keep = [__import__('socket').socketpair() for _ in range(5000)]", sandbox) == "EMFILE"
    assert arena.alive(sandbox)


def test_one_huge_file_is_an_error(arena: Arena) -> None:
    sandbox = arena.attacker()
    assert arena.attempt("_os.truncate(_os.open('x', _os.O_CREAT | _os.O_RDWR), 10**9)", sandbox) == "EFBIG"
    assert arena.attempt("f = open('big', 'wb')\nfor _ in range(1000): f.write(bytes(10**6))", sandbox) == "EFBIG"
    assert arena.alive(sandbox)


DISK = {
    "many files": "n = 0\nwhile True: n += 1; open(f'f{n}', 'w').close()",
    "many folders": "import os\nn = 0\nwhile True: n += 1; os.mkdir(f'd{n}')",
    "folders in folders": "import os\nwhile True: os.mkdir('d'); os.chdir('d')",
    "long folders in folders": "import os\nwhile True: os.mkdir('d' * 250); os.chdir('d' * 250)",
    "files far below": (
        "import os\nfor _ in range(70): os.mkdir('d' * 250); os.chdir('d' * 250)\nimport time\ntime.sleep(20)"
    ),
    "many links": "import os\nn = 0\nwhile True: n += 1; os.symlink('/', f'l{n}')",
    "many large files": "n = 0\nwhile True:\n    n += 1\n    open(f'f{n}', 'wb').write(bytes(10**7))",
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name == "many folders" else ()) for name in DISK]
)
def test_filling_the_disk_ends_the_sandbox(arena: Arena, name: str) -> None:
    sandbox = arena.attacker(limits={"handler_budget": 10_000})
    folder = arena.folder(sandbox)
    outcome = arena.attack(DISK[name], sandbox)
    assert outcome.killed
    assert crash_reason(sandbox).startswith("disk: ")
    assert any("filled its folder" in text for text in sandbox.info().alerts)
    sandbox.destroy()
    arena.until(lambda: not folder.exists(), "the folder is still there")


def test_filling_the_disk_while_code_is_tried_out_ends_the_trial(arena: Arena) -> None:
    sandbox = arena.attacker()
    outcome = arena.watch(lambda: sandbox.load(DISK["many large files"], "greedy"))
    assert outcome.error is not None and "filled its folder" in str(outcome.error)
    assert arena.alive(sandbox)


@pytest.mark.parametrize("depth", [50, 1_200], ids=["and it lives on", "and it is killed for it"])
def test_whatever_is_in_its_folder_goes_with_it_and_nothing_else(arena: Arena, tmp_path: Path, depth: int) -> None:
    (tmp_path / "kept").write_text("kept")
    sandbox = arena.attacker(limits={"handler_budget": 5_000})
    folder = arena.folder(sandbox)
    outcome = arena.attack(
        f"""
        import os, time
        os.mkdir('locked'); open('locked/f', 'w').close(); os.chmod('locked', 0); os.mkdir('closed', 0)
        os.mkfifo('pipe'); os.symlink('/', 'root'); os.symlink({str(tmp_path)!r}, 'there'); os.symlink('me', 'me')
        for name in (b'\\xff\\n', b' ', b'-rf', b'$(reboot)', b'..a', b'x' * 255): open(name, 'w').close()
        for _ in range({depth}): os.mkdir('d' * 2); os.chdir('d' * 2)
        if {depth} > 64: time.sleep(4)
        """,
        sandbox,
    )
    assert outcome.killed if depth > 64 else outcome.error is None
    sandbox.destroy()
    arena.until(lambda: not folder.exists(), "the folder is still there")
    assert (tmp_path / "kept").read_text() == "kept" and stat.S_ISDIR(os.stat("/").st_mode)


BUSY = """
import os, threading
def cut():
    while True:
        try: os.truncate({path!r}, 0)
        except OSError: pass  # while it runs, "busy" is told to who cuts it
for _ in range(4): threading.Thread(target=cut, daemon=True).start()
"""


@needs_busy_programs
def test_a_program_that_it_may_not_write_is_busy_for_moments_and_is_started_all_the_same(
    strict: Arena, tmp_path: Path
) -> None:
    path = str(tmp_path / "true")
    shutil.copy(str(shutil.which("true")), path)
    before = Path(path).read_bytes()
    assert strict.attack(BUSY.format(path=path)).error is None
    strict.until(lambda: is_busy(path), "nobody finds it busy: then more can be promised")
    for _ in range(20):
        assert patiently(lambda: subprocess.run([path]), time.sleep).returncode == 0
    assert Path(path).read_bytes() == before
