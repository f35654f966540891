"""What a sandbox may ask of Linux: a decision for every system call. Pure.

Everything that is not named as allowed is refused. A filter sees words, not
what pointers point to, so whatever is decided by a path is Landlock's; what
works on open files, or that Landlock does not look at (times, owners, modes,
attributes, watching, signals by file), is decided here.
"""

from __future__ import annotations

import errno
import functools
import os
import sys
from dataclasses import replace
from typing import Final

from ..model.openings import Openings
from .bpf import Allow, Decision, Match, Refuse, When, assemble, encode
from .common_goods import decide_goods, shares_files, without_bare_paths, without_locks
from .syscalls import AUDIT, FOREIGN_FROM, NUMBERS

_ALLOWED: Final = """
    read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 lseek close
    creat fstat stat lstat newfstatat statx access faccessat faccessat2 readlink readlinkat statfs fstatfs
    getdents getdents64 getcwd chdir fchdir umask ftruncate fsync fdatasync sync_file_range
    rename renameat renameat2 mkdir mkdirat rmdir unlink unlinkat link linkat symlink symlinkat mknod mknodat
    dup dup2 dup3 pipe pipe2 copy_file_range
    poll ppoll select pselect6 epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2
    eventfd eventfd2 signalfd signalfd4 timerfd_create timerfd_settime timerfd_gettime
    mprotect munmap mremap msync brk mlock munlock mlock2 munlockall membarrier
    pkey_mprotect pkey_alloc pkey_free get_mempolicy
    futex_waitv futex_wake futex_wait futex_requeue set_robust_list set_tid_address rseq
    rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait rt_sigsuspend sigaltstack pause
    alarm getitimer setitimer nanosleep
    time gettimeofday clock_getres times
    getpid gettid getppid getpgid getpgrp getsid getuid geteuid getgid getegid getresuid getresgid getgroups capget
    getrlimit getrusage getpriority sysinfo uname getrandom getcpu
    sched_yield sched_getaffinity sched_getparam sched_getscheduler sched_getattr
    sched_get_priority_max sched_get_priority_min sched_rr_get_interval
    wait4 waitid exit exit_group
    sendto recvfrom sendmsg recvmsg sendmmsg recvmmsg getsockname getpeername getsockopt shutdown
"""
_PRETENDED: Final = "chmod fchmod fchmodat fchmodat2 chown fchown lchown fchownat"
"""Answered "done" without doing anything, so that ``shutil.copy`` works: nothing else looks at modes in a scratch."""
_NO_ATTRIBUTES: Final = """
    getxattr lgetxattr fgetxattr getxattrat listxattr llistxattr flistxattr listxattrat
    setxattr lsetxattr fsetxattr setxattrat removexattr lremovexattr fremovexattr removexattrat
"""
_UNKNOWN_ON_PURPOSE: Final = "clone3 openat2 sendfile"
"""The flags of the first two lie behind a pointer; "no such call" makes the C library fall back to what a filter can
read. The third puts pages of files into pipes, and each keeps as much memory as Linux read at once: megabytes that
nobody counts, of a file that is no more. While it waits it keeps a file that is open nowhere. Who asks writes instead.
"""

_GOING_ON: Final = "restart_syscall"
"""How Linux lets a thread go on that waited and was interrupted for nothing: what it waits for would be seen no more.
"Interrupted", which a call that waits may always say, makes who asked wait anew.
"""
_WITHOUT_WRITING: Final = "fallocate"
"""Takes any amount of disk in no time, before a watchdog can look; "not supported" makes who asks write instead."""

_NEW_NAMESPACES: Final = 0x7E020080
_THREAD: Final = 0x00010F00
"""A thread as C libraries make them. With open files of its own, one could hold files where no watchdog looks."""
_OTHER_PARENT: Final = 0x00008000
_NOT_OF_A_THREAD: Final = 0x8000F000
"""Who makes one waits for its end (such a wait is load of the machine, which others go by), has it traced, is given a
file for it, or shares its turns at the disk."""
_PRCTL: Final = (2, 3, 15, 16, 21, 23, 30, 39, 40, 0x53564D41)
"""Reading one's own settings, and naming threads and memory."""
_IOCTL: Final = (0x5401, 0x802C542A, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
"""Is it a terminal, how large is its window, bytes waiting, blocking or not, close on exec."""
_CLONE_FILE: Final = 0x40049409
"""Copying a file by sharing its blocks. From Python 3.14 on ``pathlib`` asks for it first, and takes "not supported"
alone for a reason to copy otherwise."""
_FCNTL: Final = (0, 1, 2, 3, 4, 5, 6, 7, 36, 37, 1030, 1032, 1034)
"""Duplicates, flags, locks and questions. Owners, signals, leases, notices and larger pipes reach beyond. Waiting for a
lock of an open file (38) goes on when the file is closed, and keeps it on disk where nobody looks."""
_FCNTL_ON_FILES: Final = When((Match(1, _FCNTL),))
_OPENING: Final = {"open": 1, "openat": 2}
"""Where the flags are."""
_FUTEX_OPERATION = 0x7F
_FUTEX: Final = (0, 1, 3, 4, 9, 10)
"""Waiting, waking and moving who waits. Not those that lend their priority to the thread whose number a word names:
that is any thread of the machine, and nothing asks whose. Nor the one that computes before it wakes (5), of which Linux
writes into the machine's log what it does not like, with the name of who asked."""
_CLOCKS: Final = (*range(12), *(0xFFFFFFF8 | kind for kind in (0, 1, 2, 4, 5, 6)))
"""Those of the machine, of this OS process and of this thread. Every other number is the processor time of somebody
else."""
_UNCOUNTED: Final = 0x40000 | 0x100
"""Memory in huge pages is in no count of what somebody uses; a map that grows down passes for a stack in one of two."""
_SHARED, _OF_NO_FILE = 0x01, 0x20
"""Together they make memory whose size nobody sees: given back but for one page, all of it is kept."""
_PLACE: Final = 0x7FEDCBA9
"""Stands for the guest's own number in a template: larger than any, and nothing else in a filter."""
_PROGRAMS: Final = "fork vfork execve arch_prctl pidfd_open"
"""Not setsid: Linux may share the processor among sessions first, and each new one would weigh as much as the kernel's.
"""
_SIGNALS: Final = "kill tgkill tkill pidfd_send_signal setpgid"
"""A group is there to be signalled together. Where its programs may signal nobody, all of them stay in that of their
guest, which ends them together."""
_QUEUED: Final = "rt_sigqueueinfo rt_tgsigqueueinfo"
"""Whoever signals himself by these says what the signal tells of itself. Told as from Linux, one with a name waits
whatever the limit is, thirty for each thread, and all count for the user. "No room" is what sigqueue(3) says."""
_NO_ROOM_TO_WAIT: Final = Refuse(errno.EAGAIN)
_ACCESS, _TRUNCATE = os.O_ACCMODE, os.O_TRUNC
_UNIX, _STREAM, _DATAGRAM, _PACKETS, _KIND = 1, 1, 2, 5, 0xF
_INET: Final = (2, 10)
_TCP_OR_UDP: Final = (0, 6, 17)
_FASTOPEN: Final = 0x20000000
_SOCKET, _TCP, _IPV6 = 1, 6, 41
_LINGER: Final = 13
_BUFFERS: Final = (7, 8)
_USER_TIMEOUT: Final = 18
_JOIN: Final = 20
_OPTIONS: Final = tuple(range(1, 26))
"""What clients set. Above are filters and programs in the network, other protocols on top of TCP, and fast open."""


def filter_for(machine: str, *, pid: int, openings: Openings, landlock: int) -> bytes:
    """The filter for one guest, ready to install. Raises KeyError for a machine that we have no numbers for.

    ``landlock`` is the version of Landlock that is in force beside it, 0 for none: what that does not cover is
    refused here.
    """
    own, place = (number.to_bytes(4, sys.byteorder) for number in (pid, _PLACE))
    return _template(machine, openings, landlock).replace(place, own)


@functools.cache
def _template(machine: str, openings: Openings, landlock: int) -> bytes:
    """Made once per zygote: it is the same for all its guests but for their own number."""
    decisions = decide(machine, pid=_PLACE, openings=openings, landlock=landlock)
    return encode(assemble(decisions, machine=AUDIT[machine], foreign_from=FOREIGN_FROM.get(machine, 0)))


def tells_ports(landlock: int) -> bool:
    """Whether Landlock of this version keeps TCP to named ports: a filter does not see them."""
    return landlock >= 4


def in_effect(openings: Openings, landlock: int) -> Openings:
    """What of it is really open: the network stays closed to who named ports that nobody here can tell apart.

    >>> in_effect(Openings(net=True, ports=(443,)), landlock=3).net
    False
    """
    return openings if not openings.ports or tells_ports(landlock) else replace(openings, net=False, ports=())


def decide(machine: str, *, pid: int, openings: Openings, landlock: int) -> dict[int, Decision]:
    """A decision for every call that the machine has.

    >>> decide("x86_64", pid=7, openings=Openings(), landlock=7)[NUMBERS["x86_64"]["execve"]]
    Refuse(errno=1)
    """
    named = _named(pid, landlock) | decide_goods(openings)
    if not shares_files(openings):
        named |= {"fcntl": without_locks(_FCNTL_ON_FILES), "flock": Refuse(errno.ENOSYS)}
    if openings.subprocess:
        named |= _programs(landlock)
    if in_effect(openings, landlock).net:
        named |= _network()
    named |= {name: without_bare_paths(machine, at, named[name]) for name, at in _OPENING.items()}
    named["ioctl"] = When((Match(1, (_CLONE_FILE,)),), Refuse(errno.EOPNOTSUPP), named["ioctl"])
    return {number: named.get(name, Refuse()) for name, number in NUMBERS[machine].items()}


def _named(pid: int, landlock: int) -> dict[str, Decision]:
    named: dict[str, Decision] = dict.fromkeys(_ALLOWED.split(), Allow())
    named |= dict.fromkeys(_PRETENDED.split(), Refuse(0))
    named |= dict.fromkeys(_NO_ATTRIBUTES.split(), Refuse(errno.ENOTSUP))
    named |= dict.fromkeys(_UNKNOWN_ON_PURPOSE.split(), Refuse(errno.ENOSYS))
    named |= dict.fromkeys(_WITHOUT_WRITING.split(), Refuse(errno.EOPNOTSUPP))
    named[_GOING_ON] = Refuse(errno.EINTR)
    return named | _times() | _to_itself(pid) | _with_arguments() | _files(landlock)


def _times() -> dict[str, Decision]:
    """Setting a given time is pretended. "Now" is refused: ``Path.touch`` then opens the file, which makes it."""
    now = Match(2, (0,), whole=True)
    return {
        "utimensat": When((now,), Refuse(), Refuse(0)),
        "futimesat": When((now,), Refuse(), Refuse(0)),
        "utimes": When((Match(1, (0,), whole=True),), Refuse(), Refuse(0)),
        "utime": When((Match(1, (0,), whole=True),), Refuse(), Refuse(0)),
    }


def _to_itself(pid: int) -> dict[str, Decision]:
    """Signals and limits of this OS process alone; 0 is itself too where Linux says so."""
    itself = When((Match(0, (pid,)),))
    return {
        "kill": itself,
        "tgkill": itself,
        **dict.fromkeys(_QUEUED.split(), replace(itself, then=_NO_ROOM_TO_WAIT)),
        "prlimit64": When((Match(0, (0, pid)), Match(2, (0,), whole=True))),
    }


def _with_arguments() -> dict[str, Decision]:
    return {
        "clone": When((Match(0, (_THREAD,), _THREAD | _NEW_NAMESPACES | _NOT_OF_A_THREAD),)),
        "prctl": When((Match(0, _PRCTL),)),
        "mmap": When((Match(3, (0, _SHARED, _OF_NO_FILE), _UNCOUNTED | _SHARED | _OF_NO_FILE),)),
        **dict.fromkeys(("clock_gettime", "clock_nanosleep"), When((Match(0, _CLOCKS),))),
        "ioctl": When((Match(1, _IOCTL),)),
        "fcntl": _FCNTL_ON_FILES,
        "flock": Allow(),
        "futex": When((Match(1, _FUTEX, _FUTEX_OPERATION),), Allow(), Refuse(errno.ENOSYS)),
        # Pairs that stay connected to each other; a datagram socket could still be aimed at somebody else.
        "socketpair": When((Match(0, (_UNIX,)), Match(1, (_STREAM, _PACKETS), _KIND))),
    }


def _files(landlock: int) -> dict[str, Decision]:
    """Landlock before version 3 lets files be emptied that may only be read."""
    if landlock >= 3 or not landlock:
        # By path, both keep others from starting a program for the moment until Landlock refuses them. To refuse this
        # one would take it from honest code, and opening for writing does the same.
        return {"open": Allow(), "openat": Allow(), "truncate": Allow()}
    emptied = Refuse(errno.EACCES)
    return {
        "open": When((Match(1, (_TRUNCATE,), _TRUNCATE | _ACCESS),), emptied, Allow()),
        "openat": When((Match(2, (_TRUNCATE,), _TRUNCATE | _ACCESS),), emptied, Allow()),
    }


def _programs(landlock: int) -> dict[str, Decision]:
    """Starting programs and leading them. Signals to others only where Landlock keeps them among our own."""
    opened: dict[str, Decision] = {
        "clone": When((Match(0, (0,), _NEW_NAMESPACES | _OTHER_PARENT),)),
        "ioctl": When((Match(1, (*_IOCTL, 0x540F, 0x5410)),)),
    }
    opened |= dict.fromkeys(_PROGRAMS.split(), Allow())
    opened |= dict.fromkeys(_QUEUED.split(), _NO_ROOM_TO_WAIT)
    if landlock >= 6:
        opened |= dict.fromkeys(_SIGNALS.split(), Allow())
    return opened


def _network() -> dict[str, Decision]:
    """Connections outward over TCP and UDP. Landlock's list of ports sees neither MPTCP nor data that opens a
    connection by itself."""
    kinds = Match(1, (_STREAM, _DATAGRAM), _KIND)
    return {
        "socket": When((Match(0, _INET), kinds, Match(2, _TCP_OR_UDP))),
        "connect": Allow(),
        "setsockopt": _options(),
        "sendto": When((Match(3, (0,), _FASTOPEN),)),
        "sendmsg": When((Match(2, (0,), _FASTOPEN),)),
        "sendmmsg": When((Match(3, (0,), _FASTOPEN),)),
    }


def _options() -> When:
    """What clients set on a socket. What would keep memory or others is answered "done", or told not to be there."""
    decided = When((Match(1, (_SOCKET, _TCP, 0, _IPV6)), Match(2, _OPTIONS)))
    for level, names, answer in (
        # Larger buffers are many megabytes for each pair of sockets, in no count. Who sets a size takes what there is.
        (_SOCKET, _BUFFERS, Refuse(0)),
        # Who closes such a connection waits until all of it was taken: Linux itself, where it does.
        (_SOCKET, (_LINGER,), Refuse(errno.ENOPROTOOPT)),
        # So long, weeks if it says so, Linux keeps what is to be sent to who does not answer, also after our end.
        (_TCP, (_USER_TIMEOUT,), Refuse(0)),
        # Linux keeps any number of groups, for the machine, and looks through all of them for each that comes or goes.
        (_IPV6, (_JOIN,), Refuse()),
    ):
        decided = When((Match(1, (level,)), Match(2, names)), answer, decided)
    return decided
