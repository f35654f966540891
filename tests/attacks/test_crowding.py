"""Attacks by crowding: memory that all programs share, processors that stop for it, and what other tools are shown."""

from __future__ import annotations

import mmap
import os
from pathlib import Path

import pytest

from jupyter_sandbox.isolation.system import zygote_ends

from .conftest import Arena
from .tools import REFUSED, TOOLS


def standing(pid: int | None) -> int:
    """How soon Linux ends it when no memory is left: from -1000 to 1000."""
    return int(Path(f"/proc/{pid}/oom_score_adj").read_text())


@pytest.mark.parametrize("profile", ["", "basic", "off"])
def test_sandboxes_are_ended_before_the_kernel_when_the_machine_has_no_memory_left(arena: Arena, profile: str) -> None:
    sandbox = arena.attacker(profile=profile or None)
    assert standing(sandbox.info().os_pid) == 1000 >= standing(arena.zygote) == zygote_ends()
    assert standing(os.getpid()) < 1000


@pytest.mark.parametrize("profile", ["basic", "off"])
def test_who_can_step_back_in_that_order_is_told_to_be_able_to(arena: Arena, profile: str) -> None:
    sandbox = arena.attacker(profile=profile)
    arena.attack("open('/proc/self/oom_score_adj', 'w').write('900')", sandbox)
    protection = sandbox.info().protection
    assert protection is not None and "change the order in which your OS processes end" in "; ".join(
        protection.not_stopped
    )
    assert standing(sandbox.info().os_pid) == 900


OF_PROC = [
    "oom_score_adj", "oom_adj", "timerslack_ns", "clear_refs", "coredump_filter", "comm", "autogroup", "sched",
    "attr/current", "attr/exec", "setgroups", "gid_map", "projid_map", "loginuid", "timens_offsets", "mem",
    "make-it-fail", "fail-nth", "environ", "pagemap", "smaps", "io",
]  # fmt: skip


@pytest.mark.parametrize("of", ["self", "thread-self", "{parent}", "{kernel}"])
def test_nothing_that_describes_an_os_process_can_be_written(strict: Arena, of: str) -> None:
    source = f"""
    answer = {{}}
    for name in {OF_PROC}:
        try: _os.open(f'/proc/{of.format(parent="{_os.getppid()}", kernel=os.getpid())}/{{name}}', _os.O_WRONLY)
        except OSError as error: answer[name] = error.errno
        else: answer[name] = 0
    """
    answer = strict.attempt(source)
    assert answer.keys() == set(OF_PROC)
    assert {name for name, number in answer.items() if number not in (1, 2, 13)} == set()


ADVICE = {
    "memory out to the disk": 21,
    "memory as not needed soon": 20,
    "pages gathered, which stops all processors": 25,
    "pages compared with those of others": 12,
    "a page as broken": 100,
    "a page to be moved away": 101,
}


@pytest.mark.parametrize("allow", [None, {"subprocess": True, "read": ["/usr"]}], ids=["strict", "standard"])
@pytest.mark.parametrize("name", ADVICE)
def test_advice_that_costs_others_is_not_known(strict: Arena, name: str, allow: dict[str, object] | None) -> None:
    source = (
        f"called(_libc.madvise(_ctypes.c_void_p(mapped(1 << 21, 0x22)), _ctypes.c_size_t(1 << 21), {ADVICE[name]}))"
    )
    assert strict.attempt(source, strict.attacker(allow=allow)) == "EINVAL"


def test_advice_that_programs_give_works(strict: Arena) -> None:
    source = """
    import mmap
    m = mmap.mmap(-1, 1 << 21)
    for name in ('NORMAL', 'RANDOM', 'SEQUENTIAL', 'WILLNEED', 'DONTNEED', 'HUGEPAGE', 'NOHUGEPAGE', 'DONTDUMP'):
        m.madvise(getattr(mmap, f'MADV_{name}'))
    """
    assert strict.attempt(source) == "worked"


def in_memory(path: Path) -> int:
    """How many pages of a file are in the memory that all programs share."""
    import ctypes

    size = path.stat().st_size
    with path.open("r+b") as file, mmap.mmap(file.fileno(), size) as mapped:
        pages = (ctypes.c_ubyte * -(-size // mmap.PAGESIZE))()
        start = ctypes.addressof(ctypes.c_char.from_buffer(mapped))
        assert ctypes.CDLL(None).mincore(ctypes.c_void_p(start), ctypes.c_size_t(size), pages) == 0
        return sum(one & 1 for one in pages)


THROWN = {
    "by advice on the file": "[_os.posix_fadvise(f, 0, 0, _os.POSIX_FADV_DONTNEED) for _ in range(20)]",
    "by advice on a map of it": (
        "called(_libc.madvise(_ctypes.c_void_p(mapped(1 << 20, 2, f, 1)), _ctypes.c_size_t(1 << 20), 21))"
    ),
    "by reading around it": "syscall('readahead', f, 0, 1 << 20)",
}


@pytest.mark.parametrize("name", THROWN)
def test_files_of_others_are_not_thrown_out_of_memory(strict: Arena, tmp_path: Path, name: str) -> None:
    """Else the next import of everybody reads the disk again."""
    file = tmp_path / "read often"
    file.write_bytes(os.urandom(1 << 20))
    with file.open("rb") as written:
        os.fsync(written.fileno())
    before = in_memory(file)
    answer = strict.attempt(
        f"f = _os.open({str(file)!r}, 0)\n{THROWN[name]}", strict.attacker(allow={"read": [tmp_path]})
    )
    assert answer in {"worked", "EINVAL", *REFUSED}
    assert in_memory(file) == before == 256


def test_another_command_line_deceives_who_reads_it_alone(arena: Arena) -> None:
    """It lies in memory of the OS process, and ``ps`` shows what is there."""
    sandbox = arena.attacker()
    pid = sandbox.info().os_pid
    source = """
    from pathlib import Path
    lines = open('/proc/self/stat').read().rsplit(')', 1)[1].split()
    start, end = int(lines[45]), int(lines[46])
    _ctypes.memset(start, 0x20, end - start); _ctypes.memmove(start, b'jupyter-lab', 11)
    syscall('prctl', 15, b'jupyter-lab', 0, 0, 0)
    """
    assert arena.attempt(source, sandbox) in ("worked", "ValueError", "IndexError")
    assert sandbox.info().os_pid == pid and arena.alive(sandbox)
    sandbox.destroy()
    arena.until(lambda: not Path(f"/proc/{pid}").exists(), "it was not found any more")


STOPPED = """
import signal, subprocess, sys, time
text = 'import os, signal, time\\n'
text += 'end = time.monotonic() + 1.5\\nwhile time.monotonic() < end:\\n'
text += '    for number in (signal.SIGSTOP, signal.SIGCONT): os.kill(%d, number)\\n' % _os.getpid()
program = subprocess.Popen([sys.executable, '-S', '-c', text])
while program.poll() is None: time.sleep(0.01)
"""


def test_stopping_and_going_on_in_turns_is_heard_by_nobody(strict: Arena) -> None:
    """Each is told to the parent, which is the one of all sandboxes."""
    sandbox = strict.attacker(allow={"subprocess": True}, limits={"handler_budget": 8_000})
    outcome = strict.attack(f"{TOOLS}{STOPPED}", sandbox)
    assert outcome.error is None
    assert strict.attacker().exec("1 + 1") == 2


OWN_PROCESSOR = {
    "an entry for old programs": b"\x48\xb8\x00\x00\x60\xff\xff\xff\xff\xff\x31\xff\xff\xd0\xc3",
    "a trap": b"\xcc\xc3",
    "a privileged instruction": b"\xf4\xc3",
    "no instruction at all": b"\x0f\x0b",
    "stepping by itself": b"\x9c\x81\x0c\x24\x00\x01\x00\x00\x9d\xc3",
}


@pytest.mark.parametrize("name", OWN_PROCESSOR)
def test_machine_code_that_traps_ends_its_own_sandbox_at_most(strict: Arena, name: str) -> None:
    if os.uname().machine != "x86_64":
        pytest.skip("machine code of x86-64")
    sandbox = strict.attacker()
    source = f"""
    import ctypes, mmap
    code = mmap.mmap(-1, 4096, prot=7); code.write({OWN_PROCESSOR[name]!r})
    ctypes.CFUNCTYPE(ctypes.c_long)(ctypes.addressof(ctypes.c_char.from_buffer(code)))()
    """
    strict.attack(source, sandbox)
    assert strict.works_again(sandbox)
