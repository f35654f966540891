"""The program of the zygote: a single thread with everything preloaded that forks guests when the kernel asks.

Runs no code of a sandbox and stays single-threaded; it holds nothing that a
guest must not inherit, except its own files, which each child closes. It ends when
the kernel does: by the parent-death signal, or at the end of the socket.
"""

from __future__ import annotations

import gc
import importlib
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import msgspec

from . import at_fork, launch, sweeper, system
from .child import Prepared, run_child
from .confined import prepare
from .ender import Leash
from .forked import Forked, Guests
from .preimport import preimport as user_modules
from .private_maps import make_private
from .rehearsal import ROUNDS, rehearse

_POLL_S = 0.2
_TURN_S = 0.01
"""Between two looks at programs that are being ended."""
_REAP_S = 0.05
"""Between two looks at programs that ended by themselves, of which there may be thousands a second."""
_AN_END = (signal.SIGCHLD,)
_CLOSE_S = 0.7
"""For the end of all guests; what is left then is the kernel's to find."""
_NAME = "sbx-zygote"


def main(
    control_fd: int, kernel_pid: int, entry: str, preload: Sequence[str], preimport: Sequence[str], folder: str
) -> None:  # fmt: skip
    """Called by the kernel's command line; returns when the kernel closes the socket.

    ``preload`` are modules of our own, ``preimport`` those that the user named. What is rehearsed works in ``folder``.
    """
    control = socket.socket(fileno=control_fd)
    control.set_inheritable(False)
    if not _tie_to(kernel_pid):
        return
    make_private()
    forker = Forker(control)
    try:
        for name in (*preload, entry.partition(":")[0]):
            importlib.import_module(name)
    except Exception as error:
        forker.tell(launch.Refused(0, f"cannot import {name}: {type(error).__name__}: {error}"[:1000]))
        return
    at_fork.let_go()
    if not user_modules(preimport, forker.tell):
        _end_programs()
        return
    forker.tell(launch.Hello(os.getpid()))
    if system.LINUX:
        prepare(sys.path, folder)
        system.set_name(_NAME)  # an import may have changed it, and signals
    forker.prepared = Prepared(entry)
    _freeze()
    forker.rehearsals = [lambda: rehearse(folder), *_rehearsals(preload)] * ROUNDS
    sweeping = sweeper.begin(folder)
    forker.run(sweeping)
    sweeper.wait(sweeping)


def _end_programs() -> None:
    """Those that a module started which is not wanted then."""
    for pid in system.children():
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _tie_to(kernel_pid: int) -> bool:
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if not system.LINUX:
        return os.getppid() == kernel_pid
    system.set_name(_NAME)
    system.adopt_orphans()
    system.end_early(system.zygote_ends())
    system.no_huge_pages()
    return system.die_with_parent(kernel_pid)


def _rehearsals(preload: Sequence[str]) -> list[Callable[[], None]]:
    """What our modules have to be run again and again before guests are forked."""
    found = (getattr(sys.modules[name], "rehearse", None) for name in preload)
    return [one for one in found if one is not None]


def _freeze() -> None:
    """Nothing loaded so far is looked at by a child's collector, so its pages stay shared."""
    gc.collect()
    gc.disable()
    gc.freeze()


class Forker:
    """The loop: requests in, forked processes and exit statuses out. It waits for nothing else."""

    prepared: Prepared

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._environment = dict(os.environ)
        self.rehearsals: list[Callable[[], None]] = []
        """To be done while nobody asks for anything: who is forked before is only slower."""
        self._parent = os.getppid()
        self._guests = Guests()
        self._woken, self._wakes = socket.socketpair()
        self._reaped_s = 0.0
        self._to_reap = False
        """Whether somebody has ended since programs were looked at."""
        self._closing_s = 0.0
        """When all has to be over, once the kernel has closed the socket."""
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ)
        self._packet = bytearray(launch.MAX_PACKET)
        """All that holds what a guest is told, and is made empty before the next one is forked."""
        self._decode = msgspec.msgpack.Decoder(launch.ToZygote).decode
        self._encode = msgspec.msgpack.Encoder().encode

    def tell(self, message: launch.FromZygote, fds: Sequence[int] = ()) -> None:
        """To the kernel, waiting for room: the manager always reads."""
        if not self._closing_s:
            socket.send_fds(self._control, [self._encode(message)], list(fds))

    def run(self, aside: int = 0) -> None:
        """Until the kernel has closed the socket and nobody is left but ``aside``, a child that is no guest."""
        self._guests.aside = aside
        self._wake_for_ends()
        while True:
            self._turn(self._selector.select(self._wait_s()))
            if self._closing_s and (not self._guests or time.monotonic() > self._closing_s):
                return

    def _wake_for_ends(self) -> None:
        for end in (self._woken, self._wakes):
            end.setblocking(False)
        signal.set_wakeup_fd(self._wakes.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._selector.register(self._woken, selectors.EVENT_READ)

    def _wait_s(self) -> float | None:
        if self._guests.ending or self._closing_s:
            return _TURN_S
        if self._to_reap:
            return max(0.0, self._reaped_s + _REAP_S - time.monotonic())
        return 0 if self.rehearsals else None if system.LINUX else _POLL_S

    def _turn(self, events: list[tuple[selectors.SelectorKey, int]]) -> None:
        if not events and self.rehearsals and not self._guests.ending:
            self._rehearse()
        for key, _ in events:
            if key.fileobj is self._control and not self._serve():
                self._begin_to_close()
            elif key.fileobj is self._woken:
                self._hear_of_an_end()
        if not system.LINUX and os.getppid() != self._parent and not self._closing_s:
            self._begin_to_close()
        self._look_after_guests()

    def _hear_of_an_end(self) -> None:
        """And of no other until this one has been looked after: who stops and goes on in turns sends thousands."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _AN_END)
        self._to_reap = True
        with suppress(BlockingIOError):
            self._woken.recv(1 << 12)

    def _begin_to_close(self) -> None:
        """Nobody is to be left, not even as a zombie that some other process would have to reap."""
        self._selector.unregister(self._control)
        self._closing_s = time.monotonic() + _CLOSE_S
        self._guests.kill()

    def _rehearse(self) -> None:
        self.rehearsals.pop(0)()
        if system.LINUX:
            system.set_name(_NAME)
        if not self.rehearsals:
            gc.freeze()

    def _serve(self) -> bool:
        size, fds = launch.received_into(self._control, self._packet, launch.GUEST_FDS)
        if not size:
            return False
        try:
            match self._read(memoryview(self._packet)[:size]):
                case launch.Fork() as request:
                    self._fork(request, fds)
                case launch.End(pid):
                    self._guests.end(pid)
                case None:
                    pass  # who asked for it has been told
        finally:
            self._packet[:size] = bytes(size)
            for fd in fds:
                os.close(fd)
        return True

    def _read(self, data: memoryview) -> launch.ToZygote | None:
        """What cannot be read is answered: all guests would end with a zygote that ends for one request."""
        try:
            return self._decode(data)
        except (msgspec.MsgspecError, ValueError) as error:
            number = _number_of(data)
            if number is not None:
                self.tell(launch.Unreadable(number, str(error)[:1000]))
            return None

    def _fork(self, request: launch.Fork, fds: Sequence[int]) -> None:
        parent, leash = os.getpid(), None
        try:
            leash = Leash() if system.LINUX and request.programs else None
            pid = os.fork()
        except OSError as error:
            self.tell(launch.Refused(request.id, f"fork: {error.strerror}"))
            if leash is not None:
                leash.let_go()
                leash.given()
            return
        if not pid:
            theirs = leash.theirs if leash is not None else -1
            run_child(
                request.boot, fds, parent=parent, environment=self._environment, prepared=self.prepared, leash=theirs
            )  # fmt: skip
        if leash is not None:
            leash.given()
        self._keep(request.id, pid, leash)

    def _keep(self, request: int, pid: int, leash: Leash | None) -> None:
        guest = None
        try:
            guest = Forked(pid, leash)
            if guest.pidfd >= 0:
                self._selector.register(guest.pidfd, selectors.EVENT_READ)
        except OSError as error:  # it may not open one file more, nor can it watch over this guest
            os.kill(pid, signal.SIGKILL)
            if leash is not None:
                leash.let_go()
            os.waitpid(pid, 0)
            if guest is not None and guest.pidfd >= 0:
                os.close(guest.pidfd)
            self.tell(launch.Refused(request, f"fork: {error.strerror}"))
            return
        self._guests.add(guest)
        self.tell(launch.Forked(request, pid), [guest.pidfd] if guest.pidfd >= 0 else [])

    def _look_after_guests(self) -> None:
        """See who has ended, end what those leave behind, and tell of each when nothing of it is left."""
        for guest in self._guests.look():
            if guest.pidfd >= 0:
                self._selector.unregister(guest.pidfd)  # it says so for as long as it is not reaped
        now_s = time.monotonic()
        if self._guests.ending or (self._to_reap and now_s - self._reaped_s >= _REAP_S):
            self._to_reap, self._reaped_s = False, now_s
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _AN_END)
            self._guests.look_after_adopted()
        for guest in self._guests.gone():
            self.tell(launch.Exited(guest.pid, guest.status, guest.ran_ns))


def _number_of(data: memoryview) -> int | None:
    """The id in a request that is none, if it is a map and has one."""
    try:
        number = msgspec.msgpack.decode(data)["id"]
    except Exception:  # it may be anything
        return None
    return number if type(number) is int else None


if __name__ == "__main__":  # pragma: no cover - the kernel's command line calls main
    sys.exit("this is started by jupyter_sandbox.isolation.zygote")
