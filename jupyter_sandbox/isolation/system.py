"""Calls to the operating system that Python has no function for. Linux only; elsewhere they say Unsupported."""

from __future__ import annotations

import ctypes
import functools
import os
import signal
import sys
from collections.abc import Collection
from contextlib import suppress

from ..model.errors import Unsupported

LINUX = sys.platform == "linux"
CLOSE_RANGE = 436
_LAST_FILE = (1 << 31) - 2
_SET_PDEATHSIG, _GET_PDEATHSIG = 1, 2
_GET_DUMPABLE, _SET_DUMPABLE = 3, 4
_SET_NAME = 15
_SET_SECCOMP, _SECCOMP_FILTER = 22, 2
_CAPBSET_DROP = 24
_SET_CHILD_SUBREAPER = 36
_SET_NO_NEW_PRIVS, _GET_NO_NEW_PRIVS = 38, 39
_SET_THP_DISABLE = 41
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


def end_first() -> None:
    """When the machine has no memory left, have Linux end this OS process and what it forks before all others.

    A sandbox that is ended is told and started again; a kernel that is ended takes the user's work and its sandboxes
    along. Anybody may step forward like this; where it cannot be done the size decides, as ever.
    """
    try:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write("1000")
    except OSError:
        return


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


def children() -> list[int]:
    """The OS processes that this thread started or adopted, zombies too; none where Linux does not tell."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", encoding="utf-8") as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return []


def unshare_nothing() -> None:
    """Asks for no new namespace at all: harmless, and only a filter refuses it."""
    if _libc().unshare(0) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def step_back(pid: int, nice: int) -> bool:
    """Let an OS process of one thread wait for its turn behind others; False when it has to be asked again later.

    Twice, because desktops share the processor among sessions first, and then a nice value counts within a session
    only. Who is not root may change that of a session ten times a second.
    """
    try:
        os.setpriority(os.PRIO_PROCESS, pid, nice)
        with open(f"/proc/{pid}/autogroup", "w") as file:
            file.write(str(nice))
    except BlockingIOError:
        return False
    except OSError:
        return True  # no such thing here, or it has ended
    return True


def send_signal(pid: int, pidfd: int, number: signal.Signals) -> None:
    """To exactly this OS process where there are pidfds. Nothing happens when it has ended."""
    try:
        if pidfd >= 0:
            signal.pidfd_send_signal(pidfd, number)
        else:
            os.kill(pid, number)
    except ProcessLookupError:
        return
