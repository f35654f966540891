"""The filter of system calls, run by a machine of our own for both architectures: what is decided is what is done."""

from __future__ import annotations

import errno
import re
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_sandbox.isolation.bpf import Allow, Instruction, Match, Refuse, When, assemble, encode
from jupyter_sandbox.isolation.rules import filter_for
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
    tee memfd_secret fsopen sync setrlimit tkill
"""
NEEDED = """
    read write openat mmap futex epoll_pwait ppoll rt_sigreturn exit_group getrandom clock_gettime renameat unlinkat
    ftruncate timer_create sched_getaffinity sendmsg recvmsg rseq
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
    assert ask(machine, "clone3") == errno.ENOSYS


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("name", ["kill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo"])
def test_signals_reach_the_sandbox_itself_alone(machine: str, name: str) -> None:
    assert ask(machine, name, PID) == ALLOW
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
    for command in (1, 3, 4, 6, 1030):
        assert ask(machine, "fcntl", 3, command) == ALLOW
    for request in (0x5412, 0x8901, 0x8902, 0x541C):
        assert ask(machine, "ioctl", 3, request) == errno.EPERM
    assert ask(machine, "ioctl", 3, 0x5412 | 1 << 32) == errno.EPERM, "Linux takes the low word alone"


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


_DECISIONS = st.one_of(
    st.just(Allow()),
    st.builds(Refuse, st.integers(0, 200)),
    st.builds(
        When,
        st.lists(
            st.builds(
                Match, st.integers(0, 5), st.lists(st.integers(0, 9), min_size=1, max_size=4).map(tuple),
                st.sampled_from([0xFFFFFFFF, 0x3]), st.booleans(),
            ),
            min_size=1, max_size=3,
        ).map(tuple),
        st.just(Allow()), st.builds(Refuse, st.integers(1, 9)),
    ),
)  # fmt: skip


@given(
    st.dictionaries(st.integers(0, 60), _DECISIONS, max_size=40),
    st.integers(0, 70),
    st.lists(st.one_of(st.integers(0, 9), st.integers(0, 9).map(lambda low: low | 1 << 32)), min_size=6, max_size=6),
)
def test_a_program_decides_as_its_decisions_say(
    decisions: dict[int, Allow | Refuse | When], number: int, words: list[int]
) -> None:
    decision = decisions.get(number, Refuse(errno.ENOSYS))
    if isinstance(decision, When):
        passed = all(
            (words[one.argument] & 0xFFFFFFFF & one.mask) in one.values
            and not (one.whole and words[one.argument] >> 32)
            for one in decision.tests
        )
        decision = decision.then if passed else decision.otherwise
    expected: Answer = ALLOW if isinstance(decision, Allow) else decision.errno
    assert run(encode(assemble(decisions, machine=1)), number, tuple(words), audit=1) == expected


@pytest.mark.parametrize(("machine", "header"), [("x86_64", "/usr/include/x86_64-linux-gnu/asm/unistd_64.h")])
def test_the_numbers_are_those_of_the_systems_own_header(machine: str, header: str) -> None:
    if not Path(header).exists():
        pytest.skip("no headers of the operating system here")
    defined = dict(re.findall(r"#define __NR_(\w+) (\d+)\n", Path(header).read_text()))
    ours = NUMBERS[machine]
    assert {name: int(number) for name, number in defined.items() if int(number) != ours.get(name)} == {}


def test_both_machines_agree_on_the_newer_numbers() -> None:
    ours, theirs = (NUMBERS[machine] for machine in MACHINES)
    assert {name: n for name, n in ours.items() if n >= 424} == {name: n for name, n in theirs.items() if n >= 424}
