"""The filter of system calls, run by a machine of our own for both architectures: what is decided is what is done."""

from __future__ import annotations

import errno
import json
import os
import re
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_sandbox.isolation.bpf import Allow, Instruction, Match, Refuse, When, assemble, encode
from jupyter_sandbox.isolation.rules import filter_for, in_effect
from jupyter_sandbox.isolation.syscalls import AUDIT, NUMBERS
from jupyter_sandbox.model.openings import Openings

PID = 4321
MACHINES = sorted(NUMBERS)
ALLOW, KILL = "allow", "kill"
Answer = str | int
BEYOND = """
    execve execveat socket connect bind listen ptrace unshare setns mount umount2 pivot_root chroot bpf keyctl
    add_key request_key userfaultfd io_uring_setup personality memfd_create shmget msgget semget mq_open
    process_vm_readv process_vm_writev pidfd_open pidfd_getfd pidfd_send_signal kcmp perf_event_open setuid
    setresuid capset setsid setpriority sched_setaffinity sched_setscheduler ioprio_set inotify_add_watch
    fanotify_init open_by_handle_at process_madvise migrate_pages seccomp landlock_create_ruleset vmsplice splice
    tee memfd_secret fsopen sync setrlimit tkill syncfs sendmsg sendmmsg timer_settime
"""
NEEDED = """
    read write openat mmap futex epoll_pwait ppoll rt_sigreturn exit_group getrandom clock_gettime renameat unlinkat
    ftruncate timerfd_create sched_getaffinity sendto recvmsg rseq
"""


def run(program: bytes, number: int, arguments: tuple[int, ...] = (), *, audit: int) -> Answer:
    """What Linux would do: interpret the program over the data of a call."""
    data = struct.pack("=IIQ6Q", number, audit, 0, *(arguments + (0,) * (6 - len(arguments))))
    steps = [Instruction(c, k, t, f) for c, t, f, k in struct.iter_unpack("=HBBI", program)]
    at = word = 0
    while True:
        step = steps[at]
        at += 1
        match step.code:
            case 0x20:
                (word,) = struct.unpack_from("=I", data, step.operand)
            case 0x54:
                word &= step.operand
            case 0x15:
                at += step.if_true if word == step.operand else step.if_false
            case 0x35:
                at += step.if_true if word >= step.operand else step.if_false
            case 0x05:
                at += step.operand
            case 0x06:
                return meaning(step.operand)
            case other:
                raise AssertionError(f"no such instruction: {other}")


def meaning(value: int) -> Answer:
    if value == 0x7FFF0000:
        return ALLOW
    return KILL if value == 0x80000000 else value & 0xFFFF


def ask(machine: str, name: str, *arguments: int, openings: Openings = Openings(), landlock: int = 7) -> Answer:  # noqa: B008
    program = filter_for(machine, pid=PID, openings=openings, landlock=landlock)
    return run(program, NUMBERS[machine][name], arguments, audit=AUDIT[machine])


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("name", BEYOND.split())
def test_what_reaches_beyond_the_sandbox_is_refused(machine: str, name: str) -> None:
    assert ask(machine, name) == errno.EPERM


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("name", NEEDED.split())
def test_what_python_needs_is_allowed(machine: str, name: str) -> None:
    assert ask(machine, name) == ALLOW


@pytest.mark.parametrize("machine", MACHINES)
def test_threads_are_allowed_and_children_and_namespaces_are_not(machine: str) -> None:
    thread = 0x3D0F00
    assert ask(machine, "clone", thread) == ALLOW
    assert ask(machine, "clone", 17) == errno.EPERM
    assert ask(machine, "clone", thread | 0x10000000) == errno.EPERM
    for own in (0x100, 0x200, 0x400, 0x800):
        assert ask(machine, "clone", thread & ~own) == errno.EPERM, "memory, folder, files or signals of its own"
    for unusual in (0x1000, 0x2000, 0x4000, 0x8000, 0x80000000):
        assert ask(machine, "clone", thread | unusual) == errno.EPERM
    assert ask(machine, "clone", 0x7D0F00) == ALLOW, "as musl makes them"
    assert ask(machine, "clone3") == errno.ENOSYS


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("name", ["clock_gettime", "clock_nanosleep"])
def test_clocks_of_others_do_not_exist(machine: str, name: str) -> None:
    for own in (0, 1, 2, 3, 11, -6, -2):
        assert ask(machine, name, own & 0xFFFFFFFF) == ALLOW == ask(machine, name, own & (1 << 64) - 1)
    for other in (~PID << 3 | 2, ~1 << 3 | 2, ~1 << 3 | 6, 3 << 3 | 3, 12):
        assert ask(machine, name, other & 0xFFFFFFFF) == errno.EPERM


@pytest.mark.parametrize("machine", MACHINES)
def test_memory_that_is_not_counted_is_refused(machine: str) -> None:
    assert ask(machine, "mmap", 0, 4096, 3, 0x22) == ALLOW == ask(machine, "mmap", 0, 4096, 3, 0x20022)
    assert ask(machine, "mmap", 0, 4096, 3, 0x01, 5) == ALLOW == ask(machine, "mmap", 0, 4096, 3, 0x03, 5), "of a file"
    for uncounted in (0x40022, 0x40021, 0x122, 0x40022 | 21 << 26, 0x21, 0x23, 0x31, 0x4021, 1 << 40 | 0x21):
        assert ask(machine, "mmap", 0, 4096, 3, uncounted) == errno.EPERM


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(
    ("name", "itself"),
    [("kill", ALLOW), ("tgkill", ALLOW), ("rt_sigqueueinfo", errno.EAGAIN), ("rt_tgsigqueueinfo", errno.EAGAIN)],
)
def test_signals_reach_the_sandbox_itself_alone_and_none_is_queued(machine: str, name: str, itself: int) -> None:
    assert ask(machine, name, PID) == itself
    for other in (1, PID + 1, 0, -1 & 0xFFFFFFFFFFFFFFFF, -PID & 0xFFFFFFFFFFFFFFFF):
        assert ask(machine, name, other) == errno.EPERM


@pytest.mark.parametrize("machine", MACHINES)
def test_limits_may_be_read_and_not_set(machine: str) -> None:
    assert ask(machine, "prlimit64", 0, 7, 0) == ALLOW
    assert ask(machine, "prlimit64", 0, 7, 0x7F0000000000) == errno.EPERM
    assert ask(machine, "prlimit64", 0, 7, 1 << 40) == errno.EPERM, "a pointer whose low word is zero is a pointer"
    assert ask(machine, "prlimit64", 1, 7, 0) == errno.EPERM


@pytest.mark.parametrize("machine", MACHINES)
def test_a_file_cannot_be_made_to_signal_another_program(machine: str) -> None:
    for command in (8, 10, 15, 1024, 1026, 1031):
        assert ask(machine, "fcntl", 3, command) == errno.EPERM
    for command in (1, 3, 4, 5, 1030):
        assert ask(machine, "fcntl", 3, command) == ALLOW
    for request in (0x5412, 0x8901, 0x8902, 0x541C):
        assert ask(machine, "ioctl", 3, request) == errno.EPERM
    assert ask(machine, "ioctl", 3, 0x5412 | 1 << 32) == errno.EPERM, "Linux takes the low word alone"


@pytest.mark.parametrize("machine", MACHINES)
def test_locks_are_taken_where_files_are_shared_and_else_in_pretence(machine: str) -> None:
    for alone in (Openings(), Openings(net=True)):
        assert ask(machine, "fcntl", 3, 6, openings=alone) == 0 == ask(machine, "fcntl", 3, 7, openings=alone)
        assert ask(machine, "fcntl", 3, 37, openings=alone) == errno.EPERM
        assert ask(machine, "flock", openings=alone) == errno.ENOSYS
    for shared in (Openings(read=("/a",)), Openings(write=("/a",)), Openings(subprocess=True)):
        assert ask(machine, "fcntl", 3, 6, openings=shared) == ALLOW == ask(machine, "fcntl", 3, 37, openings=shared)
        assert ask(machine, "fcntl", 3, 38, openings=shared) == errno.EPERM
        assert ask(machine, "fcntl", 3, 1024, openings=shared) == errno.EPERM
        assert ask(machine, "flock", openings=shared) == ALLOW


@pytest.mark.parametrize("machine", MACHINES)
def test_messages_with_files_can_be_sent_where_there_is_somebody_to_send_to(machine: str) -> None:
    for alone in (Openings(), Openings(read=("/a",), write=("/a",))):
        assert ask(machine, "sendmsg", openings=alone) == errno.EPERM == ask(machine, "sendmmsg", openings=alone)
    for open_to in (Openings(net=True), Openings(subprocess=True)):
        assert ask(machine, "sendmsg", openings=open_to) == ALLOW


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("openings", [Openings(), Openings(net=True, subprocess=True, write=("/a",))])
def test_what_all_have_in_common_is_closed_whatever_is_opened(machine: str, openings: Openings) -> None:
    def answer(name: str, *arguments: int) -> Answer:
        return ask(machine, name, *arguments, openings=openings)

    assert answer("timer_create") == errno.ENOSYS
    assert answer("fadvise64", 3, 0, 0, 4) == 0 == answer("readahead")
    assert [answer("madvise", 0, 4096, advice) for advice in (4, 14, 102)] == [ALLOW] * 3
    assert [answer("madvise", 0, 4096, advice) for advice in (12, 20, 21, 25, 100)] == [errno.EINVAL] * 5
    assert [answer("close_range", 3, 9, flags) for flags in (0, 4)] == [ALLOW] * 2
    assert [answer("close_range", 3, 9, flags) for flags in (2, 6)] == [errno.EPERM] * 2


@pytest.mark.parametrize("landlock", [2, 7])
@pytest.mark.parametrize(("machine", "folder"), [("x86_64", 0o200000), ("aarch64", 0o40000)])
def test_folders_may_be_kept_without_being_opened_and_files_not(machine: str, folder: int, landlock: int) -> None:
    kept = 0o10000000
    for name, before in (("openat", (0, 0)), ("open", (0,))):
        if name in NUMBERS[machine]:
            assert ask(machine, name, *before, kept, landlock=landlock) == errno.EPERM
            assert ask(machine, name, *before, kept | folder, landlock=landlock) == ALLOW
            assert ask(machine, name, *before, folder, landlock=landlock) == ALLOW
            assert ask(machine, name, *before, 0o101, landlock=landlock) == ALLOW


@pytest.mark.parametrize("landlock", [0, 1, 2, 3, 7])
@pytest.mark.parametrize("machine", MACHINES)
def test_nothing_is_opened_for_neither_reading_nor_writing(machine: str, landlock: int) -> None:
    """Landlock asks what a file is opened for, and for nothing everything may be: devices, files of others."""
    for name, before in (("openat", (0, 0)), ("open", (0,))):
        for also in (0, 0o1000, 0o100, 0o2000000, 0o20200000, 0o20040000, 1 << 32):
            if name in NUMBERS[machine]:
                assert ask(machine, name, *before, 3 | also, landlock=landlock) == errno.EPERM


@pytest.mark.parametrize("machine", MACHINES)
def test_pairs_of_sockets_must_stay_connected_to_each_other(machine: str) -> None:
    assert ask(machine, "socketpair", 1, 1 | 0o2004000) == ALLOW
    assert ask(machine, "socketpair", 1, 2) == errno.EPERM
    assert ask(machine, "socketpair", 2, 1) == errno.EPERM


@pytest.mark.parametrize("machine", MACHINES)
def test_old_landlock_is_helped_where_it_lets_files_be_emptied(machine: str) -> None:
    assert ask(machine, "truncate", landlock=2) == errno.EPERM
    assert ask(machine, "openat", 0, 0, 0o1000, landlock=2) == errno.EACCES
    assert ask(machine, "openat", 0, 0, 0o1101, landlock=2) == ALLOW
    assert ask(machine, "truncate", landlock=3) == ALLOW == ask(machine, "openat", 0, 0, 0o1000, landlock=3)


@pytest.mark.parametrize("machine", MACHINES)
def test_named_ports_need_a_landlock_that_tells_them_apart(machine: str) -> None:
    named = Openings(net=True, ports=(443,))
    assert ask(machine, "socket", 2, 1, 6, openings=named, landlock=4) == ALLOW
    for landlock in (0, 1, 3):
        assert ask(machine, "socket", 2, 1, 6, openings=named, landlock=landlock) == errno.EPERM
        assert ask(machine, "connect", openings=named, landlock=landlock) == errno.EPERM
        assert not in_effect(named, landlock)
    for openings in (named, Openings(net=True)):
        assert in_effect(openings, 4) == openings


@pytest.mark.parametrize("machine", MACHINES)
def test_times_are_set_in_pretence_and_now_is_refused(machine: str) -> None:
    assert ask(machine, "utimensat", 0, 0, 0) == errno.EPERM
    assert ask(machine, "utimensat", 0, 0, 4096) == 0
    assert ask(machine, "fchmodat") == 0 == ask(machine, "fchownat")


@pytest.mark.parametrize("machine", MACHINES)
def test_opening_the_network_opens_tcp_and_udp_outward_and_nothing_more(machine: str) -> None:
    net = Openings(net=True)
    assert ask(machine, "socket", 2, 1, 6, openings=net) == ALLOW == ask(machine, "socket", 10, 2, 0, openings=net)
    for family, kind, protocol in ((2, 1, 262), (2, 3, 1), (16, 3, 0), (40, 1, 0), (1, 1, 0), (17, 3, 0)):
        assert ask(machine, "socket", family, kind, protocol, openings=net) == errno.EPERM
    assert ask(machine, "bind", openings=net) == ask(machine, "execve", openings=net) == errno.EPERM


@pytest.mark.parametrize("machine", MACHINES)
def test_opening_programs_opens_no_namespace_and_no_other_parent(machine: str) -> None:
    programs = Openings(subprocess=True)
    assert ask(machine, "clone", 17, openings=programs) == ALLOW == ask(machine, "execve", openings=programs)
    assert ask(machine, "clone", 17 | 0x10000000, openings=programs) == errno.EPERM
    assert ask(machine, "clone", 17 | 0x8000, openings=programs) == errno.EPERM
    assert ask(machine, "kill", 1, openings=programs, landlock=5) == errno.EPERM, "only Landlock 6 keeps it to our own"
    assert ask(machine, "setsid", openings=programs) == errno.EPERM, "a session weighs as much as the kernel's"
    assert ask(machine, "setpgid", openings=programs) == ALLOW
    assert ask(machine, "setpgid", openings=programs, landlock=5) == errno.EPERM, "all of them end with their group"
    assert ask(machine, "ptrace", openings=programs) == ask(machine, "socket", 2, 1, openings=programs) == errno.EPERM


@pytest.mark.parametrize("machine", MACHINES)
def test_the_numbers_of_another_machine_kill(machine: str) -> None:
    program = filter_for(machine, pid=PID, openings=Openings(), landlock=7)
    for audit in (0x40000003, 0x40000028, *(AUDIT[other] for other in MACHINES if other != machine)):
        assert run(program, 0, audit=audit) == KILL


def test_x32_does_not_exist() -> None:
    program = filter_for("x86_64", pid=PID, openings=Openings(), landlock=7)
    for number in (0x40000000, 0x40000001, 0x4000003B, 0xFFFFFFFF):
        assert run(program, number, audit=AUDIT["x86_64"]) == errno.ENOSYS


@pytest.mark.parametrize("machine", MACHINES)
def test_calls_that_a_newer_linux_brings_do_not_exist(machine: str) -> None:
    program = filter_for(machine, pid=PID, openings=Openings(), landlock=7)
    last = max(NUMBERS[machine].values())
    for number in (*range(last + 1, last + 200), 5000, 1 << 20):
        assert run(program, number, audit=AUDIT[machine]) == errno.ENOSYS


_MATCHES = st.lists(
    st.builds(
        Match, st.integers(0, 5), st.lists(st.integers(0, 9), min_size=1, max_size=4).map(tuple),
        st.sampled_from([0xFFFFFFFF, 0x3]), st.booleans(),
    ),
    min_size=1, max_size=3,
).map(tuple)  # fmt: skip
_REFUSALS = st.builds(Refuse, st.integers(0, 200))
_WHENS = st.builds(When, _MATCHES, st.one_of(st.just(Allow()), _REFUSALS), st.one_of(st.just(Allow()), _REFUSALS))
_DECISIONS = st.one_of(
    st.just(Allow()), _REFUSALS, _WHENS, st.builds(When, _MATCHES, st.one_of(st.just(Allow()), _REFUSALS), _WHENS)
)


@given(
    st.dictionaries(st.integers(0, 60), _DECISIONS, max_size=40),
    st.integers(0, 70),
    st.lists(st.one_of(st.integers(0, 9), st.integers(0, 9).map(lambda low: low | 1 << 32)), min_size=6, max_size=6),
)
def test_a_program_decides_as_its_decisions_say(
    decisions: dict[int, Allow | Refuse | When], number: int, words: list[int]
) -> None:
    decision = decisions.get(number, Refuse(errno.ENOSYS))
    while isinstance(decision, When):
        passed = all(
            (words[one.argument] & 0xFFFFFFFF & one.mask) in one.values
            and not (one.whole and words[one.argument] >> 32)
            for one in decision.tests
        )
        decision = decision.then if passed else decision.otherwise
    expected: Answer = ALLOW if isinstance(decision, Allow) else decision.errno
    assert run(encode(assemble(decisions, machine=1)), number, tuple(words), audit=1) == expected


GENERIC_HEADER = Path("/usr/include/asm-generic/unistd.h")
NUMBERS_OF_LINUX: dict[str, dict[str, int]] = json.loads(Path(__file__).with_name("numbers.json").read_text())
"""What the headers of Linux 7.3 say of all calls up to the newest that we know: for machines that are not here."""
FROM_BELOW = {"uprobe", "uretprobe"}
"""Made by the kernel itself, on x86-64; who makes them by their numbers gets nothing from it."""


@pytest.mark.parametrize("machine", MACHINES)
def test_every_number_is_that_of_linux(machine: str) -> None:
    assert NUMBERS[machine] == NUMBERS_OF_LINUX[machine]


def test_the_numbers_are_those_of_the_systems_own_header() -> None:
    """Older headers have fewer, and newer ones have more behind our last."""
    if os.uname().machine != "x86_64":
        pytest.skip("the header of x86; others lead to the generic one")
    header, ours = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"), NUMBERS["x86_64"]
    if not header.exists():
        pytest.skip("no headers of the operating system here (apt-get install linux-libc-dev)")
    defined = re.findall(r"#define __NR_(\w+) (\d+)\n", header.read_text())
    assert len(defined) > 300
    known = {name: int(number) for name, number in defined if int(number) <= max(ours.values())}
    assert {name: number for name, number in known.items() if ours.get(name) != number}.keys() <= FROM_BELOW


def test_the_names_of_machines_in_a_filter_are_those_of_linux() -> None:
    """The number of the machine in a program file, with the marks for 64 bits and little end first."""
    assert AUDIT == {"x86_64": 62 | 0xC0000000, "aarch64": 183 | 0xC0000000}


def test_the_numbers_of_aarch64_are_those_of_the_generic_header() -> None:
    if not GENERIC_HEADER.exists():
        pytest.skip("no headers of the operating system here (apt-get install linux-libc-dev)")
    header, ours = GENERIC_HEADER.read_text(), NUMBERS["aarch64"]
    plain = {name: int(number) for name, number in re.findall(r"#define __NR_(\w+) (\d+)\n", header)}
    assert len(plain) > 250
    # Those that differ for 32 bits are named over their 64 bit form at the end of the header, one level further.
    both = {name: int(number) for name, number in re.findall(r"#define __NR3264_(\w+) (\d+)\n", header)}
    other = {"syscalls", "arch_specific_syscall", "sync_file_range2"} | {
        name for name, number in plain.items() if "time64" in name or number > max(ours.values())
    }
    renamed = {"fstatat": "newfstatat"}
    wrong = {name: number for name, number in plain.items() if name not in other and ours.get(name) != number}
    wrong |= {name: n for name, n in both.items() if ours.get(renamed.get(name, name)) != n}
    assert wrong == {}


def test_both_machines_agree_on_the_newer_numbers() -> None:
    ours, theirs = (NUMBERS[machine] for machine in MACHINES)
    assert {name: n for name, n in ours.items() if n >= 424} == {name: n for name, n in theirs.items() if n >= 424}
