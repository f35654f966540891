"""From the fork to the guest's first line: confine this OS process, test the confinement, call the entry.

Runs in the forked child only. Whatever happens, it ends in ``os._exit``: a
child must never return into the zygote's loop.
"""

from __future__ import annotations

import _thread
import faulthandler
import gc
import importlib
import io
import os
import signal
import socket
import sys
import traceback
from collections.abc import Sequence
from typing import Any, NoReturn

import msgspec

from ..model.boot import Boot
from . import at_fork, system
from .exits import CRASHED, FAILED_BEFORE_ENTRY
from .heartbeat import HeartbeatWriter
from .launch import read_boot
from .layers import SWITCH, layers_for, protect, switched_off

STACK_SIZE = 512 * 1024
"""Bytes of stack of each thread: the default of 8 MB would count against the memory limit."""
_CONTROL, _HEARTBEAT = 3, 4
_leave = os._exit
"""The system's own, whatever a guest puts in its place."""
_NO_MEMORY = b"Traceback (most recent call last):\nMemoryError: no memory was left, not even to tell where\n"


def run_child(
    told: msgspec.Raw, fds: Sequence[int], *, parent: int, environment: dict[str, str], prepared: Prepared,
    leash: int = -1,
) -> NoReturn:  # fmt: skip
    """``told`` and ``fds`` as in ``launch.Fork``; ``leash`` is for who ends its programs, see ``ender``."""
    code = FAILED_BEFORE_ENTRY
    try:
        _arrange_files(fds)
        boot = read_boot(told)
        inside = _settle(boot, environment, prepared)
        kept = {*range(_HEARTBEAT + 1), leash} - {-1}
        layers = layers_for(boot, parent=parent, keep=kept, environment=inside, leash=leash)
        protection = protect(layers, boot, switched_off(environment.get(SWITCH, "")))
        if leash >= 0:
            os.close(leash)
        if boot.openings.subprocess or not protection.has("seccomp"):
            at_fork.make_up()  # it may fork by itself
        heartbeat = HeartbeatWriter(_HEARTBEAT)
        os.close(_HEARTBEAT)
        control = socket.socket(fileno=_CONTROL)
        control.set_inheritable(False)
        code = CRASHED
        code = int(prepared.run(boot, control, heartbeat, protection) or 0)
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except MemoryError:
        os.write(2, _NO_MEMORY)
    except BaseException:
        traceback.print_exc()
    finally:
        try:
            _flush()
        finally:
            _leave(code & 0xFF)  # needs no memory: a guest without any must not return either


def _flush() -> None:
    """All that is done at the end: atexit handlers and destructors belong to the zygote or may hang."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            continue


def _arrange_files(fds: Sequence[int]) -> None:
    """stdin is empty; the guest's own files get the lowest numbers. Received ones lie above all of these."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    control, stdout, stderr, heartbeat = (_above_fixed(fd) for fd in fds)
    for fd, place in ((nothing, 0), (stdout, 1), (stderr, 2), (control, _CONTROL), (heartbeat, _HEARTBEAT)):
        os.dup2(fd, place, inheritable=place < _CONTROL)


def _above_fixed(fd: int) -> int:
    return fd if fd > _HEARTBEAT else os.dup(_above_fixed(os.dup(fd)))


class Prepared:
    """What all guests have in common, made once in the zygote: nothing of it costs a guest time, and it is shared.

    Signals: Ctrl-C is the kernel's, and the manager's two must not kill a guest before it has its handlers; the
    zygote itself gets none of them. Streams: by the time a guest prints, its pipes have these numbers. ``entry`` is
    ``module:name`` of what a guest calls: a function, or a class whose object is made here.
    """

    def __init__(self, entry: str) -> None:
        for number in (signal.SIGTERM, signal.SIGQUIT):
            signal.signal(number, signal.SIG_DFL)
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGPIPE):
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        faulthandler.register(signal.SIGUSR2, file=2, all_threads=True)
        faulthandler.enable(file=2, all_threads=False)  # below Python, a stack is all that an end can leave
        self.stdout, self.stderr = _stream(1), _stream(2)
        module, _, name = entry.partition(":")
        found: Any = getattr(importlib.import_module(module), name)
        self.run = found() if isinstance(found, type) else found


def _stream(fd: int) -> io.TextIOWrapper:
    """Made while a pipe has this number, as one will: a stream asks once whether it can be seeked in."""
    kept = os.dup(fd)
    ends = os.pipe()
    try:
        os.dup2(ends[1], fd)
        return open(fd, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)
    finally:
        os.dup2(kept, fd)
        for end in (kept, *ends):
            os.close(end)


def _settle(boot: Boot, environment: dict[str, str], prepared: Prepared) -> dict[str, str]:
    """Working folder, paths, output streams, collector; returns the environment that the guest is to have."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # its zygote is to outlive a hang-up, a guest need not
    signal.set_wakeup_fd(-1)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if system.LINUX:
        system.end_early(system.GUEST_ENDS)
    os.umask(0o077)
    os.chdir(boot.scratch)
    sys.path[:0] = [path for path in boot.sys_path if path not in sys.path]
    sys.dont_write_bytecode = True
    sys.stdout, sys.stderr = prepared.stdout, prepared.stderr
    sys.__stdout__, sys.__stderr__ = prepared.stdout, prepared.stderr  # type: ignore[misc]
    _thread.stack_size(STACK_SIZE)
    gc.enable()
    # Ten thousand, not seven hundred: starting many processes makes nothing but objects that stay.
    gc.set_threshold(10_000, 10, 10)
    return {**environment, "HOME": boot.scratch, "TMPDIR": boot.scratch}
