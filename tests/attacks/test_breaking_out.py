"""Attacks that try to break out: calls by number and by machine code, files of others, the channels to the kernel."""

from __future__ import annotations

import errno
import os
import socket
import struct
from pathlib import Path

import pytest

from jupyter_sandbox.isolation.guest_process import NICE
from jupyter_sandbox.isolation.recheck import verify_from_outside
from jupyter_sandbox.isolation.syscalls import NUMBERS
from jupyter_sandbox.model.sandbox import SandboxStatus

from .conftest import CAMP, Arena
from .echo import read
from .tools import REFUSED, TOOLS

BY_NUMBER = {
    "the new clone": "syscall('clone3', _ctypes.create_string_buffer(88), 88)",
    "the new clone into a namespace": "syscall('clone3', (_ctypes.c_uint64 * 11)(0x10000000), 88)",
    "a child with other memory": "syscall('clone', 17, 0, 0, 0, 0)",
    "a child that shares memory": "syscall('clone', 0x4111, 0, 0, 0, 0)",
    "a thread in a new view of time": "syscall('clone', 0x10f80, 0, 0, 0, 0)",
    "the new open with all checks off": "syscall('openat2', -100, b'/etc/passwd', (_ctypes.c_uint64 * 3)(), 24)",
    "io_uring to open": "syscall('io_uring_setup', 1, _ctypes.create_string_buffer(120))",
    "io_uring to act": "syscall('io_uring_enter', 3, 1, 1, 1, 0, 0)",
    "asynchronous writing": "syscall('io_setup', 8, _ctypes.create_string_buffer(8))",
    "a file of another program": "syscall('pidfd_getfd', 0, 0, 0)",
    "advice about the memory of others": "syscall('process_madvise', 0, 0, 0, 21, 0)",
    "freeing the memory of others": "syscall('process_mrelease', 0, 0)",
    "landlock upon landlock": "syscall('landlock_restrict_self', 3, 0)",
    "a new landlock": "syscall('landlock_create_ruleset', _ctypes.create_string_buffer(24), 24, 0)",
    "another filter": "syscall('seccomp', 1, 0, _ctypes.create_string_buffer(16))",
    "another filter by prctl": "syscall('prctl', 22, 2, _ctypes.create_string_buffer(16), 0, 0)",
    "the strictest filter": "syscall('prctl', 22, 1, 0, 0, 0)",
    "more of no_new_privs": "syscall('prctl', 38, 0, 0, 0, 0)",
    "children of others": "syscall('prctl', 36, 1, 0, 0, 0)",
    "the bounds of rights": "syscall('prctl', 24, 0, 0, 0, 0)",
    "rights in the surroundings": "syscall('prctl', 47, 2, 0, 0, 0)",
    "secure bits": "syscall('prctl', 28, 0, 0, 0, 0)",
    "another program file": "syscall('prctl', 35, 13, 0, 0, 0)",
    "a scheduling cookie of others": "syscall('prctl', 62, 3, {kernel}, 0, 0)",
    "keeping rights": "syscall('prctl', 8, 1, 0, 0, 0)",
    "calls redirected": "syscall('prctl', 59, 1, 0, 0, 0)",
    "an old style of machine": "syscall('modify_ldt', 0, 0, 0) if _os.uname().machine == 'x86_64' else _os.fork()",
    "segments of the processor": (
        "syscall('arch_prctl', 0x1002, 0) if _os.uname().machine == 'x86_64' else _os.fork()"
    ),
    "ports of the machine": "syscall('iopl', 3) if _os.uname().machine == 'x86_64' else _os.fork()",
    "a shadow stack": "syscall('map_shadow_stack', 0, 4096, 0)",
    "a remapped file": "syscall('remap_file_pages', 0, 0, 0, 0, 0)",
    "pipes into memory": "syscall('vmsplice', 0, 0, 0, 0)",
    "pages between pipes": "a, b = _os.pipe(); syscall('tee', a, b, 1, 0)",
    "pages from files to pipes": "a, b = _os.pipe(); syscall('splice', a, 0, b, 0, 1, 0)",
    "the name of a file for later": "syscall('name_to_handle_at', -100, b'.', 0, 0, 0)",
    "all mounts": "syscall('listmount', _ctypes.create_string_buffer(32), 0, 0, 0)",
    "what a security module knows": "syscall('lsm_set_self_attr', 100, 0, 0, 0)",
    "attributes of files": "syscall('file_setattr', -100, b'.', 0, 0, 0)",
    "another tree of mounts": "syscall('open_tree_attr', -100, b'/', 0, 0, 0)",
    "accounting": "syscall('acct', b'here')",
    "quotas": "syscall('quotactl_fd', 0, 0, 0, 0)",
    "memory policy of others": "syscall('move_pages', {kernel}, 0, 0, 0, 0, 0)",
    "the file system user": "syscall('setfsuid', 0)",
    "disk priorities of others": "syscall('ioprio_set', 1, {kernel}, 0)",
    "notices of all files": "syscall('fanotify_init', 0, 0)",
    "a queue's notices": "syscall('mq_notify', 0, 0)",
    "waking by signals of others": (
        "syscall('rt_tgsigqueueinfo', {kernel}, {kernel}, 9, _ctypes.create_string_buffer(128))"
    ),
    "lending priority to the kernel": (
        "syscall('futex', (_ctypes.c_uint32 * 1)({kernel} | 0x80000000), 6, 0, 0, 0, 0)"
    ),
    "lending priority to the kernel, tried": "syscall('futex', (_ctypes.c_uint32 * 1)({kernel}), 0x88, 0, 0, 0, 0)",
    "waiting to lend priority": "syscall('futex', (_ctypes.c_uint32 * 2)(), 0x18b, 0, 0, 0, 0)",
    "a word in the machine's log": (
        "syscall('futex', (_ctypes.c_uint32 * 2)(), 5, 1, 1, (_ctypes.c_uint32 * 2)(), 8 << 28 | 40 << 12)"
    ),
    "moving who waits to lend priority": "syscall('futex', (_ctypes.c_uint32 * 2)(), 12, 1, 1, 0, 0)",
    "the robust futexes of the kernel": "syscall('get_robust_list', {kernel}, 0, 0)",
    "comparing itself with the kernel": "syscall('kcmp', _os.getpid(), {kernel}, 0, 0, 0)",
    "the pages of the kernel": "syscall('migrate_pages', {kernel}, 1, 0, 0)",
    "the timer slack of the kernel": "syscall('prctl', 29, 1, 0, 0, 0)",
    "which pages are in memory": "syscall('mincore', 0, 4096, 0)",
    "which pages of a file are in memory": "syscall('cachestat', 0, 0, 0, 0)",
    "a tree of mounts as a file": "syscall('open_tree', -100, b'.', 1)",
    "moving a mount": "syscall('move_mount', 0, 0, 0, 0, 0)",
    "a mount by its file": "syscall('fsmount', 0, 0, 0)",
    "the settings of a mount": "syscall('mount_setattr', -100, b'.', 0, 0, 0)",
    "the policy of its memory for others": "syscall('set_mempolicy', 0, 0, 0)",
    "the memory of another machine": "syscall('mbind', 0, 0, 0, 0, 0, 0)",
    "hanging up the terminal": "syscall('vhangup')",
    "notices of a file": "syscall('inotify_init1', 0)",
    "a listener for calls of others": "syscall('seccomp', 1, 8, _ctypes.create_string_buffer(16))",
    "what filters may do": "syscall('seccomp', 2, 0, _ctypes.create_string_buffer(8))",
    "a message queue by its name": "syscall('mq_unlink', b'evil')",
    "sending signals by a file": "syscall('pidfd_send_signal', 0, 9, 0, 0)",
    "flushing the disk of others": "syscall('syncfs', 0)",
    "sealing its memory": "syscall('mseal', 0, 4096, 0)",
    "changing the root of a thread": "syscall('chroot', b'.')",
    "a number between the tables": "_libc.syscall(400) < 0 and (_ for _ in ()).throw(OSError(_ctypes.get_errno(), ''))",
    "a number far above": "_libc.syscall(100_000) < 0 and (_ for _ in ()).throw(OSError(_ctypes.get_errno(), ''))",
    "a negative number": "_libc.syscall(-5) < 0 and (_ for _ in ()).throw(OSError(_ctypes.get_errno(), ''))",
}  # fmt: skip


@pytest.mark.parametrize("name", BY_NUMBER)
def test_no_call_by_its_number_leads_out(strict: Arena, name: str) -> None:
    strict.refuses(BY_NUMBER[name], also={"ENOSYS"})


OPENED = {
    "its own memory": "open('/proc/self/mem', 'r+b')",
    "the memory of a thread": "open(f'/proc/self/task/{_os.getpid()}/mem', 'r+b')",
    "its maps": "open('/proc/self/maps').read()",
    "its environment at the start": "open('/proc/self/environ').read()",
    "its own details of files": "_os.listdir('/proc/self/fdinfo')",
    "its view of the mounts": "open('/proc/self/mountinfo').read()",
    "its name, to be shown elsewhere": "open('/proc/self/comm', 'w').write('init')",
    "who is killed first": "open('/proc/self/oom_score_adj', 'w').write('1000')",
    "its user map": "open('/proc/self/uid_map', 'w')",
    "its core dumps": "open('/proc/self/coredump_filter', 'w')",
    "the settings of the machine": "open('/proc/sys/kernel/core_pattern').read()",
    "the keys of the machine": "open('/proc/keys').read()",
    "the symbols of the machine": "open('/proc/kallsyms').read()",
    "the interrupts of the machine": "open('/proc/interrupts').read()",
    "groups of control": "_os.listdir('/sys/fs/cgroup')",
    "devices": "_os.listdir('/sys/class')",
    "shared memory": "open('/dev/shm/evil', 'w')",
    "messages": "_os.listdir('/dev/mqueue')",
    "terminals": "_os.listdir('/dev/pts')",
    "the controlling terminal": "_os.open('/dev/tty', _os.O_RDWR)",
    "the terminal of the machine": "_os.open('/dev/console', _os.O_RDWR)",
    "a device, opened for nothing": "_os.open('/dev/ptmx', 3 | _os.O_NOCTTY)",
    "tracing": "_os.listdir('/sys/kernel/debug')",
    "the daemon of containers": "_os.listdir('/run')",
    "the temporary files": "_os.listdir('/tmp')",
    "the heartbeat by its map": "_os.listdir('/proc/self/map_files')",
    "a program without a name": (
        "f = _os.open('x', _os.O_CREAT | _os.O_RDWR, 0o700); syscall('execveat', f, b'', 0, 0, 0x1000)"
    ),
    "a program by its descriptor": "_os.execve(_os.open('/bin/sh', 0), ['sh'], {})",
    "the interpreter again": "import sys; _os.execv(sys.executable, [sys.executable, '-c', ''])",
}  # fmt: skip


@pytest.mark.parametrize("name", OPENED)
def test_nothing_around_it_can_be_opened(strict: Arena, name: str) -> None:
    strict.refuses(OPENED[name], also={"ENOENT", "ENXIO"})


# A filter asks about all calls, whoever makes them. Written before it may run: only then aarch64 sees what was written.
MACHINE_CODE = """
import ctypes, mmap
code = mmap.mmap(-1, 4096)
code.write({code})
place = ctypes.addressof(ctypes.c_char.from_buffer(code))
assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(place), 4096, 7) == 0
answer = ctypes.CFUNCTYPE(ctypes.c_long)(place)()
"""
SYSCALLS = ("fork", "vfork", "ptrace", "setsid", "unshare", "setns")


def machine_code(name: str) -> bytes:
    """A function that makes this call: on x86-64 mov eax, number; syscall; ret, on aarch64, where all children are
    clones, mov x0, SIGCHLD; mov x8, number; svc; ret."""
    numbers = NUMBERS[os.uname().machine]
    number = numbers.get(name, numbers["clone"])
    if os.uname().machine == "x86_64":
        return b"\xb8" + number.to_bytes(4, "little") + b"\x0f\x05\xc3"
    words = (0xD2800000 | 17 << 5, 0xD2800008 | number << 5, 0xD4000001, 0xD65F03C0)
    return b"".join(word.to_bytes(4, "little") for word in words)


@pytest.mark.parametrize("name", SYSCALLS)
def test_machine_code_that_calls_by_itself_is_refused_too(strict: Arena, name: str) -> None:
    sandbox = strict.attacker()
    code = machine_code(name)
    assert strict.attack(MACHINE_CODE.format(code=code), sandbox).value == -1  # EPERM, as the machine says it
    assert strict.alive(sandbox)


def test_machine_code_makes_calls_that_are_allowed(strict: Arena) -> None:
    """What is refused above is refused by the filter, not for being wrong."""
    sandbox = strict.attacker()
    assert strict.attack(MACHINE_CODE.format(code=machine_code("getpid")), sandbox).value == sandbox.exec(
        "import os; os.getpid()"
    )


@pytest.mark.parametrize("entry", ["0f34", "cd80"], ids=["sysenter", "int 0x80"])
def test_the_entries_of_32_bit_programs_end_the_sandbox(strict: Arena, entry: str) -> None:
    if os.uname().machine != "x86_64":
        pytest.skip("machine code of x86-64")
    code = bytes.fromhex("b80b000000" + entry + "c3")  # execve of i386
    sandbox = strict.attacker()
    assert strict.attack(MACHINE_CODE.format(code=code), sandbox).killed
    assert "signal" in sandbox.info().reason
    sandbox.restart()
    assert strict.alive(sandbox)


INHERITED = """
import os, stat
answer = sorted(
    (fd, stat.S_IFMT(os.fstat(fd).st_mode), os.readlink(f'/proc/self/fd/{fd}').split(':')[0])
    for fd in map(int, os.listdir('/proc/self/fd')) if os.path.exists(f'/proc/self/fd/{fd}')
)
"""


def test_no_file_of_the_kernel_is_inherited(strict: Arena, tmp_path: Path) -> None:
    """Neither those that the kernel has open now nor those that may be inherited by a program that is executed."""
    kept = [os.open(tmp_path / "history.sqlite", os.O_CREAT | os.O_RDWR), os.dup(1)]
    server = socket.create_server(("127.0.0.1", 0))
    for fd in (*kept, server.fileno()):
        os.set_inheritable(fd, True)
    try:
        with type(strict.manager)(store=str(tmp_path / "store.db")) as manager:
            sandbox = manager.create(code={"camp.py": CAMP}, main="camp.Camp")
            sandbox.snapshot("one")
            open_files = sandbox.call("evil", INHERITED)
    finally:
        server.close()
        for fd in kept:
            os.close(fd)
    names = [name for _, _, name in open_files]
    assert not any("history" in name or "store" in name for name in names)
    assert sum(name == "socket" for name in names) <= 3, "the channel, and the pair that wakes its loop of outside work"
    assert len(open_files) <= 8


SEARCHED = """
import gc, mmap
_libc.sbrk.restype, _libc.sbrk.argtypes = _ctypes.c_void_p, [_ctypes.c_long]
_libc.write.argtypes = [_ctypes.c_int, _ctypes.c_void_p, _ctypes.c_size_t]
_libc.memmem.restype, _libc.memmem.argtypes = _ctypes.c_void_p, [_ctypes.c_void_p, _ctypes.c_size_t] * 2
top = _libc.sbrk(0) >> 20
places = {id(one) >> 20 for one in gc.get_objects()} | {*range(top - 24, top + 1)}
reading, writing = _os.pipe()
# What is looked for is nowhere in here as it is but on one page, which is left out with the one beside it.
room = mmap.mmap(-1, 8192)
own = _ctypes.addressof(_ctypes.c_char.from_buffer(room))
wanted, answer = {wanted}, set()
for page in (page for place in places for page in range(place << 20, place + 1 << 20, 4096)):
    if page not in (own, own + 4096) and _libc.write(writing, page, 4096) == 4096:
        _os.readv(reading, [memoryview(room)[:4096]])
        for which, one in enumerate(wanted):
            for at, n in enumerate(one):
                room[4096 + at] = n ^ 1
            if _libc.memmem(own, 4096, own + 4096, len(one)):
                answer.add(which)
"""


def test_nothing_that_an_earlier_sandbox_was_told_is_in_its_memory(strict: Arena, tmp_path: Path) -> None:
    """What it was called, what was opened for it and its seed came by the zygote, of which each sandbox is a copy."""
    (tmp_path / "opened-by-canary").mkdir()
    seed = 0x7365_6564_6361_6E61
    strict.attacker(name="named-by-canary", seed=seed, allow={"read": [str(tmp_path / "opened-by-canary")]})
    wanted = [b"named-by-canary", b"opened-by-canary", seed.to_bytes(8, "big")]
    source = SEARCHED.replace("{wanted}", repr([bytes(n ^ 1 for n in one) for one in wanted]))
    for allow in (None, {"net": True}):
        assert strict.attack(TOOLS + source, strict.attacker(allow=allow)).value == set()


REOPENED = {
    "its output, to read what was printed": "_os.read(_os.open('/proc/self/fd/1', _os.O_RDONLY | _os.O_NONBLOCK), 1)",
    "its channel": "_os.open('/proc/self/fd/3', _os.O_RDWR)",
    "its input, to write": "_os.open('/proc/self/fd/0', _os.O_RDWR)",
    "the files of the zygote": "_os.open(f'/proc/{_os.getppid()}/fd/3', _os.O_RDWR)",
    "the files of the kernel": "_os.open('/proc/{kernel}/fd/1', _os.O_RDWR)",
}


@pytest.mark.parametrize("name", REOPENED)
def test_reopening_files_gives_no_more_than_there_was(strict: Arena, name: str) -> None:
    sandbox = strict.attacker()
    before = strict.bystander.output()
    answer = strict.attempt(REOPENED[name], sandbox)
    # A pipe of its own output and /dev/null may be opened again: nobody else reads or writes them.
    assert answer in REFUSED | {"ENXIO", "EAGAIN", "worked"}
    if name.startswith(("its channel", "the files")):
        assert answer != "worked"
    assert strict.alive(sandbox) and strict.bystander.output() == before


PEER = """
import socket, struct
channel = socket.socket(fileno=_os.dup(3))
pidfd = struct.unpack('i', channel.getsockopt(socket.SOL_SOCKET, 77, 4))[0]
"""
WITH_THE_PEER = {
    "kill it": "syscall('pidfd_send_signal', pidfd, 9, 0, 0)",
    "take its files": "syscall('pidfd_getfd', pidfd, 0, 0)",
    "enter its namespaces": "syscall('setns', pidfd, 0x10000000)",
    "advise its memory": "syscall('process_madvise', pidfd, 0, 0, 21, 0)",
    "ask about it": "import fcntl; fcntl.ioctl(pidfd, 0xC040FF0B, bytes(64))",
    "get its network": "import fcntl; fcntl.ioctl(pidfd, 0xFF04, 0)",
}


@pytest.mark.parametrize("name", WITH_THE_PEER)
def test_knowing_the_kernel_by_its_socket_gives_no_hold_on_it(strict: Arena, name: str) -> None:
    sandbox = strict.attacker()
    if tells_the_peer():
        assert strict.attempt(PEER, sandbox) == "worked"
        strict.refuses(PEER + WITH_THE_PEER[name], sandbox)
    else:
        assert strict.attempt(PEER, sandbox) in NOT_TOLD


NOT_TOLD = ("ENOPROTOOPT", "EOPNOTSUPP")


def tells_the_peer() -> bool:
    """Whether this Linux gives a hold on who has the other end of a socket: 6.5 and later do."""
    ends = socket.socketpair()
    try:
        os.close(struct.unpack("i", ends[0].getsockopt(socket.SOL_SOCKET, 77, 4))[0])
    except OSError as error:
        assert errno.errorcode[error.errno] in NOT_TOLD
        return False
    finally:
        for end in ends:
            end.close()
    return True


CREDENTIALS = {
    "of root": "(1, 0, 0)",
    "of the kernel": "({kernel}, 0, 0)",
    "of another user": "(_os.getpid(), 12345, 12345)",
}


@pytest.mark.parametrize("name", CREDENTIALS)
def test_credentials_cannot_be_forged(strict: Arena, name: str) -> None:
    source = f"""
    import socket, struct
    a, b = socket.socketpair()
    a.sendmsg([b'x'], [(socket.SOL_SOCKET, 2, struct.pack('3i', *{CREDENTIALS[name]}))])
    """
    strict.refuses(source, strict.attacker(allow={"net": True}), also={"ESRCH"})  # strict sends no such messages


SIBLINGS = {
    "kill it": "_os.kill({pid}, 9)",
    "stop a thread of it": "syscall('tgkill', {pid}, {pid}, 19)",
    "trace it": "syscall('ptrace', 16, {pid}, 0, 0)",
    "read its memory": "open('/proc/{pid}/mem', 'rb')",
    "read its files": "_os.listdir('/proc/{pid}/fd')",
    "read its environment": "open('/proc/{pid}/environ').read()",
    "enter its folder": "_os.chdir('/proc/{pid}/cwd')",
    "know what it uses": "open('/proc/{pid}/status').read()",
    "limit it": "import resource; resource.prlimit({pid}, resource.RLIMIT_NOFILE, (0, 0))",
    "have it scheduled last": "_os.setpriority(_os.PRIO_PROCESS, {pid}, 19)",
    "wait for it": "_os.waitpid({pid}, 0)",
    "lead its group": "_os.setpgid({pid}, _os.getpid())",
    "hold it by a pidfd": "_os.pidfd_open({pid})",
}


@pytest.mark.parametrize("name", SIBLINGS)
def test_another_sandbox_cannot_be_reached(strict: Arena, name: str) -> None:
    pid = strict.bystander.info().os_pid
    strict.refuses(SIBLINGS[name].replace("{pid}", str(pid)), also={"ECHILD"})
    assert strict.bystander.status is SandboxStatus.RUNNING


AHEAD = {
    "by a nice value": "_os.nice(-1)",
    "by that of all its user's programs": "_os.setpriority(_os.PRIO_USER, 0, -5)",
    "by that of its session": "open('/proc/self/autogroup', 'w').write('-20')",
    "by giving its session the middle again": "open('/proc/self/autogroup', 'w').write('0')",
    "in real time": "_os.sched_setscheduler(0, _os.SCHED_FIFO, _os.sched_param(50))",
    "with a deadline": "syscall('sched_setattr', 0, (_ctypes.c_uint64 * 6)(48 | 6 << 32, 0, 0, 1, 9, 9), 0)",
    "by asking for high clock rates": "syscall('sched_setattr', 0, (_ctypes.c_uint64 * 7)(56, 0x20), 0)",
    "on all processors": "_os.sched_setaffinity(0, range(_os.cpu_count()))",
    "by disk priority": "syscall('ioprio_set', 1, 0, 1 << 13)",
    "by fewer wakings of others": "syscall('prctl', 29, 1, 0, 0, 0)",
}  # fmt: skip


@pytest.mark.parametrize("name", AHEAD)
def test_getting_ahead_of_others_on_the_processor_is_refused(strict: Arena, name: str) -> None:
    sandbox = strict.refuses(AHEAD[name])
    assert os.getpriority(os.PRIO_PROCESS, sandbox.info().os_pid or -1) == NICE


def test_every_thread_of_it_stands_behind_the_kernel(arena: Arena) -> None:
    sandbox = arena.attacker(limits={"handler_budget": 5_000})
    source = "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()"
    assert arena.attack(source, sandbox).error is None
    tasks = os.listdir(f"/proc/{sandbox.info().os_pid}/task")
    assert len(tasks) > 1
    assert {os.getpriority(os.PRIO_PROCESS, int(task)) for task in tasks} == {NICE}
    session = Path(f"/proc/{sandbox.info().os_pid}/autogroup")
    if session.exists():  # it is of who leads the session, and of all in it
        arena.until(lambda: session.read_text().endswith(f" nice {NICE}\n"), "its session stands beside the kernel's")


@pytest.mark.parametrize("profile", [None, "basic", "off"])
def test_each_sandbox_leads_a_session_of_its_own(arena: Arena, profile: str | None) -> None:
    """Also a second one, which was ready before."""
    for _ in range(2):
        pid = arena.attacker(profile=profile).info().os_pid
        assert pid is not None and os.getsid(pid) == os.getpgid(pid) == pid


AS_A_PROGRAM = """
import os, subprocess, sys, textwrap
text = textwrap.dedent('''
import os
met = []
for act in (
    lambda: os.setpriority(os.PRIO_PROCESS, 0, 0), lambda: os.setpriority(os.PRIO_PGRP, 0, 0),
    lambda: open('/proc/self/autogroup', 'w').write('-20'), lambda: os.sched_setscheduler(0, 1, os.sched_param(1)),
):
    try: act(); met.append('worked')
    except PermissionError: met.append('refused')
print(os.getpid() == os.getpgid(0), os.getsid(0), os.getpriority(os.PRIO_PROCESS, 0), *met)
''')
done = subprocess.run([sys.executable, '-I', '-S', '-c', text], {options}, capture_output=True, text=True)
answer = done.stdout or done.stderr
"""


def test_a_program_stands_where_its_sandbox_stands(strict: Arena) -> None:
    """In its session and with its nice value, also one that leads a group."""
    sandbox = strict.attacker(allow={"subprocess": True}, limits={"handler_budget": 5_000})
    told = strict.attempt(AS_A_PROGRAM.replace("{options}", "preexec_fn=os.setpgrp"), sandbox).split()
    assert told == ["True", str(sandbox.info().os_pid), str(NICE), *["refused"] * 4]


def test_whoever_asks_for_a_session_is_told_what_to_do_instead(strict: Arena) -> None:
    sandbox = strict.attacker(allow={"subprocess": True}, limits={"handler_budget": 5_000})
    for asking in (AS_A_PROGRAM.replace("{options}", "start_new_session=True"), "import os; os.setsid()"):
        error = str(strict.attack(asking, sandbox).error)
        assert "programs of a sandbox cannot begin sessions; leave out start_new_session" in error
    assert strict.alive(sandbox)


SPINNING = """
import subprocess, sys, time
text = 'import ctypes, os\\ntry: {begin}\\nexcept OSError: pass\\nwhile True: pass'
for _ in range(24): subprocess.Popen([sys.executable, '-I', '-S', '-c', text, '{mark}'])
time.sleep(3)
"""
BEGIN = {
    "by Python": "os.setsid()",
    "by C": "ctypes.CDLL(None).setsid()",
    "as those that nobody waits for": "os.fork() and os._exit(0), os.setsid(), os.fork() and os._exit(0)",
}


@pytest.mark.parametrize("name", BEGIN)
def test_many_programs_that_compute_weigh_no_more_than_their_sandbox(strict: Arena, name: str) -> None:
    """Where Linux shares the processor among sessions first, one for each of them would leave the kernel a quarter."""
    sandbox = strict.attacker(allow={"subprocess": True}, limits={"handler_budget": 20_000})
    mark = f"spinning of {sandbox.info().os_pid}"  # others may run the same attack
    attack = SPINNING.replace("{begin}", BEGIN[name]).replace("{mark}", mark)
    assert strict.attack(attack, sandbox).error is None
    strict.until(lambda: len(sessions_of(mark)) >= 24, lambda: f"not all of them compute: {sandbox.info().reason}")
    assert set(sessions_of(mark)) == {sandbox.info().os_pid}


def sessions_of(mark: str) -> list[int]:
    """Of all programs with this word in their command line."""
    found = [session_of(pid) for pid in os.listdir("/proc") if f"\0{mark}\0" in read(f"/proc/{pid}/cmdline")]
    return [session for session in found if session is not None]


def session_of(pid: str) -> int | None:
    """None of one that has ended."""
    words = read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return int(words[3]) if words else None


def test_a_name_with_line_ends_tells_nothing_false_about_its_protection(strict: Arena) -> None:
    """The kernel reads what the operating system says of it from lines, and one of them is a name of its own choice."""
    sandbox = strict.attacker()
    handle = sandbox._unit.guest
    assert handle is not None
    before = handle.process.memory()
    source = r"syscall('prctl', 15, b'x) R 1\nThreads:\t99\nSeccomp:\t0', 0, 0, 0)"
    assert strict.attempt(source, sandbox) == "worked"
    assert handle.process.memory() > before // 2 and handle.protection is not None
    again = verify_from_outside(handle.process.pid, handle.protection)
    assert [layer.verified for layer in again.layers] == [layer.verified for layer in handle.protection.layers]


TO_PORTS = {
    "with the first data": "s.sendto(b'x', 0x20000000, ('127.0.0.1', {port}))",
    "with the first data of a message": "s.sendmsg([b'x'], [], 0x20000000, ('127.0.0.1', {port}))",
    "with many messages": (
        "import ctypes, struct\n"
        "addr = ctypes.create_string_buffer(struct.pack('=HH4s8x', 2, socket.htons({port}), b'\\x7f\\0\\0\\1'))\n"
        "data = ctypes.create_string_buffer(b'x')\n"
        "iov = (ctypes.c_uint64 * 2)(ctypes.addressof(data), 1)\n"
        "vec = (ctypes.c_uint64 * 8)(ctypes.addressof(addr), 16, ctypes.addressof(iov), 1, 0, 0, 0, 0)\n"
        "syscall('sendmmsg', s.fileno(), vec, 1, 0x20000000)"
    ),
    "later": "s.setsockopt(6, 30, 1); s.connect(('127.0.0.1', {port})); s.send(b'x')",
    "after a listener": "s.bind(('127.0.0.1', 0))",
    "by listening": "s.listen()",
    "by a filter": "s.setsockopt(1, 26, b'x' * 16)",
    "by a program in the network": "s.setsockopt(1, 50, b'x' * 4)",
    "by another protocol on top": "s.setsockopt(6, 31, b'smc'); s.connect(('127.0.0.1', {port}))",
    "over IPv6": "socket.create_connection(('::ffff:127.0.0.1', {port}), 2)",
}  # fmt: skip


@pytest.mark.parametrize("name", TO_PORTS)
def test_no_way_around_the_named_ports(strict: Arena, name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as named, socket.create_server(("127.0.0.1", 0)) as other:
        other.setblocking(False)
        sandbox = strict.attacker(allow={"ports": [named.getsockname()[1]]})
        source = "import socket; s = socket.socket(); s.settimeout(2)\n" + TO_PORTS[name]
        strict.refuses(source.replace("{port}", str(other.getsockname()[1])), sandbox, also={"ENOPROTOOPT"})
        with pytest.raises(BlockingIOError):
            other.accept()


GROWN = {
    "a program that is made here": (
        "import subprocess\nopen('tool', 'w').write('#!/bin/sh\\ncat /etc/passwd\\n'); _os.chmod('tool', 0o700)\n"
        "answer = subprocess.run(['/bin/sh', 'tool'], capture_output=True).returncode or 'worked'"
    ),
    "a program with the rights of its owner": (
        "import subprocess\nanswer = subprocess.run(['su', '-c', 'id'], capture_output=True).returncode or 'worked'"
    ),
    "the debugger of programs": (
        "import subprocess\np = subprocess.Popen(['sleep', '5'])\nsyscall('ptrace', 16, p.pid, 0, 0)"
    ),
    "signals from a program": (
        "import subprocess\n"
        "answer = subprocess.run(['kill', '-9', '{kernel}'], capture_output=True).returncode or 'worked'"
    ),
    "outliving by a parent of its own": "syscall('clone', 0x8011, 0, 0, 0, 0)",
    "leaving by a namespace": "syscall('clone', 0x10000011, 0, 0, 0, 0)",
    "the memory of the parent": "open('/proc/{kernel}/mem')",
    "joining the group of the kernel": "_os.setpgid(0, _os.getpgid({kernel}))",
    "holding the kernel": "answer = syscall('pidfd_send_signal', _os.pidfd_open({kernel}), 9, 0, 0)",
    "holding files of the kernel": "syscall('pidfd_getfd', _os.pidfd_open({kernel}), 0, 0)",
    "stopping another sandbox": "_os.kill({other}, 19)",
    "a socket of a program": (
        "import subprocess, sys\nanswer = subprocess.run([sys.executable, '-S', '-c', "
        "'import socket; socket.socket(socket.AF_UNIX)'], capture_output=True).returncode or 'worked'"
    ),
}


@pytest.mark.parametrize("name", GROWN)
def test_programs_opened_by_name_do_not_lead_further(strict: Arena, name: str) -> None:
    sandbox = strict.attacker(allow={"subprocess": True}, limits={"handler_budget": 5_000})
    answer = strict.attempt(GROWN[name].replace("{other}", str(strict.bystander.info().os_pid)), sandbox)
    assert answer in REFUSED or (isinstance(answer, int) and answer != 0)
    assert strict.alive(sandbox)


def test_a_signal_to_everybody_from_a_program_reaches_its_own_alone(strict: Arena) -> None:
    sandbox, other = strict.attacker(allow={"subprocess": True}), strict.attacker(allow={"subprocess": True})
    strict.attack("import subprocess; subprocess.run(['/bin/sh', '-c', 'kill -9 -1'])", sandbox, timeout_ms=3_000)
    assert strict.alive(other)
    assert strict.works_again(sandbox)
