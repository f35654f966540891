"""Calls to the operating system that Python has no function for. Linux only; elsewhere they say Unsupported."""

from __future__ import annotations

import ctypes
import functools
import os
import select
import signal
import sys
import time
from collections.abc import Collection
from contextlib import suppress

from ..model.errors import Unsupported
from . import brief

LINUX = sys.platform == "linux"
CLOSE_RANGE = 436
_LAST_FILE = (1 << 31) - 2
_WHOLE_GROUP = 1 << 2
"""Flag of pidfd_send_signal(2)."""
_ALL_THREADS = 2
"""In the number of the clock that counts an OS process's time on the processor, see clock_getcpuclockid(3)."""
_THREADS = 17
"""Where /proc/PID/stat, from its third word on, says how many threads are left."""
_SET_PDEATHSIG, _GET_PDEATHSIG = 1, 2
_GET_DUMPABLE, _SET_DUMPABLE = 3, 4
_SET_NAME = 15
_SET_SECCOMP, _SECCOMP_FILTER = 22, 2
_CAPBSET_DROP = 24
_SET_CHILD_SUBREAPER = 36
_SET_NO_NEW_PRIVS, _GET_NO_NEW_PRIVS = 38, 39
_SET_THP_DISABLE = 41
_REMOVE = 0
_CAP_VERSION_3 = 0x20080522


@functools.cache
def _libc() -> ctypes.CDLL:
    if not LINUX:
        raise Unsupported(f"this needs Linux, not {sys.platform}; use profile 'off' here")
    return ctypes.CDLL(None, use_errno=True)


def _prctl(option: int, argument: object = 0, second: object = 0) -> int:
    result: int = _libc().prctl(option, argument, second, 0, 0)
    if result < 0:
        raise OSError(ctypes.get_errno(), f"prctl {option}: {os.strerror(ctypes.get_errno())}")
    return result


def syscall(number: int, *arguments: object) -> int:
    """A call that the C library has no function for. Raises OSError."""
    result: int = _libc().syscall(number, *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def close_all_but(keep: Collection[int]) -> None:
    """Close all open files but those with these numbers, without a list of them, which Linux takes long to make.

    Raises OSError where there is no such call.
    """
    first = 0
    for number in sorted({*keep, _LAST_FILE + 1}):
        if number > first:
            syscall(CLOSE_RANGE, first, number - 1, 0)
        first = number + 1


def install_filter(program: bytes) -> None:
    """Have Linux ask this filter about every system call of this thread and what it will start, for ever.

    ``program`` is as ``bpf.encode`` makes it. Needs ``no_new_privs``. Raises OSError.
    """
    code = ctypes.create_string_buffer(program, len(program))
    _prctl(_SET_SECCOMP, _SECCOMP_FILTER, ctypes.byref(_Filter(len(program) // 8, ctypes.addressof(code))))


class _Filter(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_void_p))


def die_with_parent(parent: int) -> bool:
    """SIGKILL this OS process when the thread that made it ends; False when ``parent`` is already gone."""
    _prctl(_SET_PDEATHSIG, int(signal.SIGKILL))
    return os.getppid() == parent


def parent_death_signal() -> int:
    """The signal that the parent's death sends, 0 for none."""
    found = ctypes.c_int(0)
    _prctl(_GET_PDEATHSIG, ctypes.byref(found))
    return found.value


def dumpable() -> int:
    """1 when other OS processes of the user may read and write the memory of this one, else 0 or 2."""
    return _prctl(_GET_DUMPABLE)


def set_dumpable(value: int) -> None:
    """0 closes this OS process to the others of its user, 1 opens it again. Raises OSError."""
    _prctl(_SET_DUMPABLE, value)


def set_no_new_privs() -> None:
    _prctl(_SET_NO_NEW_PRIVS, 1)


def no_new_privs() -> bool:
    return _prctl(_GET_NO_NEW_PRIVS) == 1


def set_name(name: str) -> None:
    """The name that ``ps`` and ``top`` show, 15 bytes of it."""
    _prctl(_SET_NAME, ctypes.c_char_p(name.encode()[:15]))


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends."""
    _prctl(_SET_CHILD_SUBREAPER, 1)


def session_of(pid: int) -> int:
    """The session that an OS process is in; 0 when it has ended."""
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return 0


GUEST_ENDS = 1000
_KERNEL_ENDS = 800
"""Where nobody made the kernel end earlier, as some containers do."""


def zygote_ends() -> int:
    """Between the kernel, whose child it is, and guests.

    >>> zygote_ends() in range(900, 1001)
    True
    """
    inherited = 0
    with suppress(OSError, ValueError):
        inherited = int(brief.read("/proc/self/oom_score_adj", 16))
    return (max(inherited, _KERNEL_ENDS) + GUEST_ENDS) // 2


def end_early(when: int) -> None:
    """When the machine has no memory left, have Linux end this OS process and what it forks before others.

    A sandbox that is ended is told and started again; a zygote that is ended takes all of its sandboxes along, and a
    kernel the user's work. Anybody may step forward like this; where it cannot be done the size decides, as ever.
    """
    with suppress(OSError):
        file = os.open("/proc/self/oom_score_adj", os.O_WRONLY)  # not open(): a guest would copy pages for it
        try:
            os.write(file, str(when).encode())
        finally:
            os.close(file)


def no_huge_pages() -> None:
    """For this OS process and all that come from it: of a huge page that was given back but for a small one, the rest
    stays taken until the machine needs it, and is in no count of what somebody uses."""
    with suppress(OSError):
        _prctl(_SET_THP_DISABLE, 1)


def drop_capabilities() -> None:
    """Give up every power of root for good; for an ordinary user there is nothing to give up."""
    prctl = _libc().prctl
    for capability in range(64):
        if prctl(_CAPBSET_DROP, capability, 0, 0, 0) < 0:
            break
    header = (ctypes.c_uint32 * 2)(_CAP_VERSION_3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    if _libc().capset(header, nothing) < 0:
        raise OSError(ctypes.get_errno(), f"capset: {os.strerror(ctypes.get_errno())}")


def capabilities() -> int:
    """The powers of root that this OS process has, as bits."""
    header = (ctypes.c_uint32 * 2)(_CAP_VERSION_3, 0)
    found = (ctypes.c_uint32 * 6)()
    if _libc().capget(header, found) < 0:
        raise OSError(ctypes.get_errno(), f"capget: {os.strerror(ctypes.get_errno())}")
    return int(found[0]) | int(found[3]) << 32


def remove_shared(number: int) -> None:
    """A piece of System V's shared memory; who has it attached keeps it until then. Harmless when it is gone."""
    _libc().shmctl(number, _REMOVE, None)


def children() -> list[int]:
    """The OS processes that this thread started or adopted, zombies too; none where nobody tells."""
    if not brief.proc_is_ours():
        return []
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", encoding="utf-8") as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return [pid for pid in processes() if _parent_of(pid) == os.getpid()]


def processes() -> list[int]:
    """All that there are and may be seen; none where nobody tells."""
    try:
        return [int(name) for name in brief.names("/proc") if name.isdecimal()]
    except OSError:
        return []


def _parent_of(pid: int) -> int:
    try:
        return int(brief.read(f"/proc/{pid}/stat", 512).rpartition(b")")[2].split()[1])
    except (OSError, IndexError):
        return 0


def in_session(session: int) -> list[int]:
    """The OS processes of a session, its leader among them, and zombies. Costs half a microsecond for each that there
    is on the machine."""
    return [pid for pid in processes() if session_of(pid) == session]


def is_over(pid: int) -> bool:
    """Whether an OS process has ended with all of its threads, though somebody may still have to ask how."""
    try:
        words = brief.read(f"/proc/{pid}/stat", 512).rpartition(b")")[2].split()
        return words[0] in (b"Z", b"X") and int(words[_THREADS]) <= 1
    except (OSError, IndexError):
        return True


def unshare_nothing() -> None:
    """Asks for no new namespace at all: harmless, and only a filter refuses it."""
    if _libc().unshare(0) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def is_ready(fd: int, within_ms: int = 0) -> bool:
    """Whether there is something to read; of a pidfd: whether its OS process has ended, also one that is traced."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(within_ms))


def clock_of(pid: int) -> int:
    """The number of the clock for ``processor_ns``."""
    return ~pid << 3 | _ALL_THREADS


def processor_ns(clock: int) -> int:
    """Processor time that all threads of an OS process have used, also of one that is not reaped yet; -1 when it
    cannot be asked."""
    try:
        return time.clock_gettime_ns(clock)
    except (OSError, OverflowError):
        return -1


def step_back(pid: int, nice: int) -> bool:
    """Let an OS process of one thread wait for its turn behind others; False when it has to be asked again later.

    Twice, because desktops share the processor among sessions first, and then a nice value counts within a session
    only. Who is not root may change that of a session ten times a second.
    """
    try:
        os.setpriority(os.PRIO_PROCESS, pid, nice)
        brief.write(f"/proc/{pid}/autogroup", str(nice).encode())
    except BlockingIOError:
        return False
    except OSError:
        return True  # no such thing here, or it has ended
    return True


def signal_group(pidfd: int, number: signal.Signals) -> None:
    """To the group that it leads, if it leads one: at once, which no fork in it can outrun, and to exactly that one: a
    pidfd is of one OS process for ever. Nothing happens before Linux 6.9."""
    if pidfd >= 0:
        with suppress(OSError):
            signal.pidfd_send_signal(pidfd, number, None, _WHOLE_GROUP)


def stand_in(pid: int) -> int:
    """A file that stands for an OS process, and that it can be signalled by.

    Raises OSError where that cannot be had, or where a filter of system calls lets it be had and not be used.
    """
    pidfd = os.pidfd_open(pid)
    try:
        with suppress(ProcessLookupError):  # it has ended already, which the file tells, too
            signal.pidfd_send_signal(pidfd, 0)
    except OSError:
        os.close(pidfd)
        raise
    return pidfd


def send_signal(pid: int, pidfd: int, number: signal.Signals) -> None:
    """To exactly this OS process where there are pidfds. Nothing happens when it has ended."""
    try:
        if pidfd >= 0:
            signal.pidfd_send_signal(pidfd, number)
        else:
            os.kill(pid, number)
    except ProcessLookupError:
        return
