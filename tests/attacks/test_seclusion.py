"""A guest that Landlock does not hold runs as the kernel's user, and still nothing of the kernel is open to it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .places import PROJECT, Place, contained, container, ordinary_user
from .tools import REFUSED

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")

_WORDS = """
    words = _ctypes.create_string_buffer(8)
    there = (_ctypes.c_size_t * 2)(_ctypes.addressof(words), 8)
    syscall({call!r}, {process}, there, 1, there, 1, 0)"""
LOOKS = {
    "read its memory": "open('/proc/{process}/mem', 'rb')",
    "write its memory": "_os.open('/proc/{process}/mem', _os.O_RDWR)",
    "write its memory by a thread": "_os.open('/proc/{process}/task/{process}/mem', _os.O_RDWR)",
    "read its environment": "open('/proc/{process}/environ').read()",
    "see what it maps": "open('/proc/{process}/maps').read()",
    "see where a map comes from": "_os.listdir('/proc/{process}/map_files')",
    "see its pages": "open('/proc/{process}/pagemap', 'rb')",
    "see where it was loaded": "open('/proc/{process}/auxv', 'rb').read()",
    "list its files": "_os.listdir('/proc/{process}/fd')",
    "open a file of it": "open('/proc/{process}/fd/1', 'ab')",
    "go to its folder": "_os.listdir('/proc/{process}/cwd/')",
    "go to its root": "_os.listdir('/proc/{process}/root/')",
    "count what it reads": "open('/proc/{process}/io').read()",
}
CALLS = {
    "trace it": "syscall('ptrace', 0x4206, {process}, 0, 0)",
    "read its memory by a call": _WORDS.replace("{call!r}", "'process_vm_readv'"),
    "write its memory by a call": _WORDS.replace("{call!r}", "'process_vm_writev'"),
    "take a file of it": "syscall('pidfd_getfd', _os.pidfd_open({process}), 1, 0)",
    "compare with it": "syscall('kcmp', _os.getpid(), {process}, 0, 0, 0)",
}
SETTINGS = {
    "have it end first": "open('/proc/{process}/oom_score_adj', 'r+')",
    "have it leave more in a core": "open('/proc/{process}/coredump_filter', 'r+')",
    "rename it": "open('/proc/{process}/comm', 'r+')",
}


def at_the_kernel(texts: dict[str, str]) -> dict[str, str]:
    return {name: text.replace("{process}", "{kernel}") for name, text in texts.items()}


def at_the_launcher(text: str) -> str:
    return text.replace("'/proc/{process}", "f'/proc/{_os.getppid()}")


def at_a_sibling(text: str) -> str:
    """The spares are forked from the same launcher, a moment after the first sandbox; its first child is no guest."""
    find = """
        import time
        for _ in range(1_500):
            children = open(f'/proc/{_os.getppid()}/task/{_os.getppid()}/children').read().split()
            others = [one for one in children if int(one) != _os.getpid()]
            if len(others) > 1: break
            time.sleep(0.02)
        other = others[-1]
        """
    return find + text.replace("'/proc/{process}", "f'/proc/{other}")


def memory_is_open() -> bool:
    """Some systems let only parents open the memory of a user's OS process: Yama's ptrace_scope."""
    scope = Path("/proc/sys/kernel/yama/ptrace_scope")
    return not scope.exists() or scope.read_text().strip() == "0"


OPEN = {"the environment of the launcher": at_the_launcher(LOOKS["read its environment"]),
        "the files of the launcher": at_the_launcher(LOOKS["list its files"]),
        "the environment of another sandbox": at_a_sibling(LOOKS["read its environment"])}  # fmt: skip
OPEN_MEMORY = {"the memory of the launcher": at_the_launcher(LOOKS["write its memory"]),
               "the memory of another sandbox": at_a_sibling(LOOKS["write its memory"])}  # fmt: skip


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    with ordinary_user() as found:
        yield found


def test_without_landlock_nothing_of_an_ordinary_users_kernel_can_be_read_or_changed(place: Place) -> None:
    told = contained(place, "old").told("", at_the_kernel({**LOOKS, **CALLS, **SETTINGS}))
    assert told.profile == "basic+seccomp"
    assert {name: answer for name, answer in told.answers.items() if answer not in REFUSED} == {}


@pytest.mark.parametrize("profile", ["basic", "off"])
def test_nor_in_a_profile_that_does_without_it(place: Place, profile: str) -> None:
    told = place.told(profile, at_the_kernel({**LOOKS, **CALLS, **SETTINGS}))
    assert told.profile == profile
    assert {name: answer for name, answer in told.answers.items() if answer not in REFUSED} == {}


@pytest.mark.parametrize(("age", "profile", "level"), [("old", "", "basic+seccomp"), ("new", "basic", "basic")])
def test_nor_by_whoever_runs_this(age: str, profile: str, level: str) -> None:
    told = container(age).told(profile, at_the_kernel({**LOOKS, **CALLS}))
    open_to_root = {"list its files"} if os.geteuid() == 0 else set()  # their numbers; what they are stays closed
    assert told.profile == level
    assert {name for name, answer in told.answers.items() if answer not in REFUSED} == open_to_root


def test_what_stays_open_beside_the_kernel_is_said(place: Place) -> None:
    told = contained(place, "old").told("", OPEN | OPEN_MEMORY)
    assert told.answers == dict.fromkeys(OPEN, "worked") | dict.fromkeys(
        OPEN_MEMORY, "worked" if memory_is_open() else "EACCES"
    )
    text = "; ".join(told.not_stopped)
    assert "the memory of your other OS processes, other sandboxes among them" in text
    assert "their environment and their files" in text and "this kernel" not in text


def test_with_landlock_none_of_that_is_open_and_nothing_of_it_is_said(strict_machine: None, place: Place) -> None:
    told = place.told("", OPEN | OPEN_MEMORY)
    assert told.profile == "strict" and "your other OS processes" not in "; ".join(told.not_stopped)
    assert set(told.answers.values()) <= {*REFUSED, "PermissionError"}


STORY = """
import os
from jupyter_sandbox.isolation.system import dumpable, set_dumpable
from jupyter_sandbox.manager.manager import SandboxManager
from tests.waiting import until

def opened():
    until(lambda: dumpable() == 1, "still closed")
    return 1

def child():
    if not (pid := os.fork()):
        os._exit(10 + dumpable())
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

with SandboxManager(store=":memory:") as one, SandboxManager(store=":memory:") as other:
    print(dumpable(), child())
    a, b = one.create(), other.create()
    print(dumpable(), child())
    a.destroy()
    one.close()
    print(dumpable())
    b.restart()
    print(dumpable())
    b.destroy()
    print(opened())
    set_dumpable(0)
    other.create().destroy()
print(dumpable())
"""
ONE_SANDBOX = """
import sys
from jupyter_sandbox.isolation.system import dumpable
from jupyter_sandbox.manager.manager import SandboxManager
with SandboxManager(store=":memory:") as manager:
    manager.create(profile=sys.argv[1] or None).destroy()
print(dumpable())
"""

FORGED = """
import os
from jupyter_sandbox.isolation.system import dumpable
from jupyter_sandbox.manager.manager import SandboxManager
from jupyter_sandbox.model.errors import SandboxError
from tests.waiting import until

FORGE = '''
import os, socket, stat, msgspec
from jupyter_sandbox.isolation import launch
for fd in range(3, 256):
    try:
        if stat.S_ISSOCK(os.fstat(fd).st_mode):
            found = socket.socket(fileno=os.dup(fd))
            if found.type == socket.SOCK_SEQPACKET:
                found.send(msgspec.msgpack.encode(launch.Exited(os.getpid(), 9)))
    except OSError:
        pass
while True: pass
'''

def lives(pid):
    try:
        return open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False

with SandboxManager(store=":memory:") as manager:
    sandbox = manager.create()
    pid = sandbox.info().os_pid
    print(dumpable(), lives(pid))
    try:
        sandbox.exec(FORGE)
    except SandboxError as error:
        print("9" in str(error) or str(error))
    sandbox.destroy()
    until(lambda: dumpable() == 1, "still closed")
    print(lives(pid))
"""


def played(story: str, *arguments: str, without: str = "landlock") -> list[str]:
    environment = {**os.environ, "JUPYTER_SANDBOX_WITHOUT": without, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", story, *arguments], capture_output=True, text=True, timeout=90, env=environment,
        cwd=PROJECT, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.splitlines()


def test_the_kernel_is_open_again_after_the_last_guest_that_needed_it_closed() -> None:
    before, during, still, again, after, was_closed = played(STORY)
    assert (before, during, still, again) == ("1 11", "0 10", "0", "0")
    assert after == "1", "opened again"
    assert was_closed == "0", "what somebody else closed is not opened"


def test_a_guest_that_has_its_own_end_told_is_dead_before_the_kernel_is_open_again() -> None:
    assert played(FORGED, without="landlock,closed_files") == ["0 True", "True", "False"]


@pytest.mark.parametrize(("profile", "left"), [("off", "0"), ("basic", "0"), ("", "1")])
def test_a_guest_that_can_leave_programs_behind_leaves_the_kernel_closed(profile: str, left: str) -> None:
    assert played(ONE_SANDBOX, profile) == [left]


def test_what_the_kernel_can_still_read_of_itself_and_of_its_children(place: Place) -> None:
    done = contained(place, "old").run([str(place.project / "tests/attacks/looking.py")], 60)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout) == {
        "profile": "basic+seccomp",
        "itself": ["environ", "auxv", "io", "mem", "pagemap"],
        "another": ["environ", "auxv", "io", "mem", "pagemap", "maps", "smaps", "fd", "exe", "cwd", "root"],
        "guest": [],
    }
