"""Attacks on what is left behind: folders that are filled while they are removed, and what could hide in them."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from jupyter_sandbox.model.sandbox import SandboxStatus

from .conftest import Arena, crash_reason
from .tools import TOOLS

BUSY = """
for name in [f'{{n}}' for n in range({many})]:
    {begin}
        n = 0
        while True:
            n += 1
            try:
                _os.mkdir(f'd{{name}}-{{n % 5}}'); open(f'd{{name}}-{{n % 5}}/x', 'w').close()
                _os.rename(f'd{{name}}-{{n % 5}}', f'e{{name}}')
            except OSError: pass
            try: _os.unlink(f'e{{name}}/x'); _os.rmdir(f'e{{name}}')
            except OSError: pass
    {go_on}
answer = 'left'
"""
WHO = {
    "programs": ({"allow": {"subprocess": True}}, "if _os.fork() == 0:", "pass"),
    "programs in groups of their own": (
        {"allow": {"subprocess": True}}, "if _os.fork() == 0:\n        _os.setpgid(0, 0)", "pass",
    ),
    "threads": ({}, "def work(name=name):", "import threading; threading.Thread(target=work, daemon=True).start()"),
}  # fmt: skip


@pytest.mark.parametrize("name", WHO)
def test_a_folder_that_is_filled_while_it_is_removed_goes_all_the_same(strict: Arena, name: str) -> None:
    options, begin, go_on = WHO[name]
    sandbox = strict.attacker(**options, limits={"handler_budget": 5_000})  # type: ignore[arg-type]
    folder = strict.folder(sandbox)
    assert strict.attempt(BUSY.format(many=12, begin=begin, go_on=go_on), sandbox) == "left"
    strict.watch(sandbox.destroy)
    strict.until(lambda: not folder.exists(), "the folder is still there")


TRACER = """
import os, ctypes, time
guest, (heard, told), (waits, begin) = os.getpid(), os.pipe(), os.pipe()
if not os.fork():
    os.setsid()
    if os.fork(): os._exit(0)
    trace = ctypes.CDLL(None).ptrace
    trace.argtypes = [ctypes.c_long] * 4
    os.read(waits, 1)
    seized = trace(0x4206, guest, 0, 0)
    os.write(told, f'{os.getpid()} {seized}'.encode())
    time.sleep(1000)
os.wait()  # first: a signal that comes while it is traced stops it
os.write(begin, b'x')
answer = os.read(heard, 100).decode()
"""
"""Linux tells the end of who is traced to the tracer alone, and this one does not ask."""


@pytest.mark.parametrize("end", ["destroyed", "killed"])
@pytest.mark.parametrize("profile", ["basic", "off"])
def test_who_has_itself_traced_ends_with_all_that_it_started(arena: Arena, profile: str, end: str) -> None:
    patient = {"handler_budget": 20_000}
    other, sandbox = (arena.attacker(profile=profile, limits=patient) for _ in range(2))
    folder, guest = arena.folder(sandbox), sandbox.info().os_pid
    tracer, seized = str(arena.attack(TRACER, sandbox).value).split()
    assert guest is not None and seized == "0"
    if end == "killed":
        os.kill(guest, signal.SIGKILL)
        arena.until(lambda: sandbox.status is SandboxStatus.CRASHED, "its end is not told")
        assert "signal 9" in crash_reason(sandbox)
    arena.watch(sandbox.destroy)
    arena.until(lambda: not Path(f"/proc/{tracer}").exists(), "who traced it lives")
    arena.until(lambda: not Path(f"/proc/{guest}").exists() and not folder.exists(), "it is still there")
    assert other.status is SandboxStatus.RUNNING


ABSENT = """
import time
look, until, n = _libc.access, time.monotonic() + 50, 0
_os.chdir({place!r})
while n < 1_000_000 and time.monotonic() < until:
    for n in range(n + 1, n + 10_001): look(b'%d' % n, 0)
answer = n
"""
"""Linux remembers each name that was looked for and is not there, and forgets them one by one when the folder goes."""


@pytest.mark.campaign
@pytest.mark.parametrize("place", [".", ".."])
def test_nobody_waits_for_a_folder_in_which_a_million_names_were_looked_for(strict: Arena, place: str) -> None:
    sandbox = strict.attacker(limits={"handler_budget": 60_000})
    folder = strict.folder(sandbox)
    assert strict.attack(TOOLS + ABSENT.format(place=place), sandbox, timeout_ms=60_000).value >= 1_000_000
    strict.watch(sandbox.destroy)
    strict.until(lambda: not folder.exists(), "the folder is still there")
    strict.watch(strict.attacker)


OUT_OF_SIGHT = {
    "attributes of a file": "_os.setxattr('x', 'user.x', b'y' * 4096)",
    "attributes of an open file": "_os.setxattr(_os.open('x', _os.O_RDWR), 'user.x', b'y' * 4096)",
    "attributes by their new call": "syscall('setxattrat', -100, b'x', 0, b'user.x', 0, 0)",
    "rights in a list": "_os.setxattr('x', 'system.posix_acl_access', b'y' * 64)",
    "flags that keep a file": (
        "import fcntl, struct; fcntl.ioctl(_os.open('x', _os.O_RDWR), 0x40086602, struct.pack('i', 0x10))"
    ),
    "a share of the extents of another": "import fcntl; fcntl.ioctl(_os.open('x', _os.O_RDWR), 0x40049409, 1)",
    "room beyond its end": "syscall('fallocate', _os.open('x', _os.O_RDWR), 1, 0, 10**7)",
    "a device": "_os.mknod('null', 0o20666, _os.makedev(1, 3))",
    "a socket": "_os.mknod('socket', 0o140666)",
    "a link to a file of others": "_os.link(_os.__file__, 'library')",
}


@pytest.mark.parametrize("name", OUT_OF_SIGHT)
def test_nothing_hides_in_a_folder_where_it_is_not_counted(strict: Arena, name: str) -> None:
    source = f"open('x', 'w').close()\n{OUT_OF_SIGHT[name]}"
    strict.refuses(source, also={"ENOTSUP", "EOPNOTSUPP", "EXDEV", "ENOSYS"})


LINKS = "for n in range(300): _os.symlink(f'l{(n + 1) % 300}', f'l{n}'); _os.symlink('/' * 4000, f'm{n}')"


def test_links_in_circles_cost_who_follows_them_alone(strict: Arena) -> None:
    sandbox = strict.attacker(limits={"handler_budget": 8_000})
    folder = strict.folder(sandbox)
    assert strict.attempt(LINKS, sandbox) == "worked"
    assert strict.attempt("open('l0')", sandbox) == "ELOOP"
    strict.until(lambda: sandbox.info().open_files_peak > 0, "nobody looked")
    assert strict.alive(sandbox)
    strict.watch(sandbox.destroy)
    strict.until(lambda: not folder.exists(), "the folder is still there")


def test_the_folder_that_is_removed_is_never_one_that_took_its_place(strict: Arena, tmp_path: Path) -> None:
    """Nobody who is confined can put one there; here the user does, and loses nothing."""
    sandbox = strict.attacker()
    folder = strict.folder(sandbox)
    (tmp_path / "kept").write_text("kept")
    os.rename(folder, folder.with_name("aside"))
    folder.symlink_to(tmp_path)
    strict.watch(sandbox.destroy)
    assert (tmp_path / "kept").read_text() == "kept"
    folder.unlink()
    os.rmdir(folder.with_name("aside"))
