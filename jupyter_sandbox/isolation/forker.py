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
from collections.abc import Callable, Sequence

import msgspec

from . import launch, system
from .child import Prepared, run_child
from .confined import prepare
from .preimport import preimport as user_modules
from .private_maps import make_private
from .rehearsal import ROUNDS, rehearse

_POLL_S = 0.2
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
    if not user_modules(preimport, forker.tell):
        return
    forker.tell(launch.Hello(os.getpid()))
    if system.LINUX:
        prepare(sys.path, folder)
        system.set_name(_NAME)  # an import may have changed it, and signals
    forker.prepared = Prepared(entry)
    _freeze()
    forker.rehearsals = [lambda: rehearse(folder), *_rehearsals(preload)] * ROUNDS
    forker.run()


def _tie_to(kernel_pid: int) -> bool:
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if not system.LINUX:
        return os.getppid() == kernel_pid
    system.set_name(_NAME)
    system.adopt_orphans()
    system.end_first()
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
    """The loop: requests in, forked processes and exit statuses out."""

    prepared: Prepared

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._environment = dict(os.environ)
        self.rehearsals: list[Callable[[], None]] = []
        """To be done while nobody asks for anything: who is forked before is only slower."""
        self._parent = os.getppid()
        self._children: dict[int, int] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ)
        self._decode = msgspec.msgpack.Decoder(launch.Fork).decode
        self._encode = msgspec.msgpack.Encoder().encode

    def tell(self, message: launch.FromZygote, fds: Sequence[int] = ()) -> None:
        """To the kernel, waiting for room: the manager always reads."""
        socket.send_fds(self._control, [self._encode(message)], list(fds))

    def run(self) -> None:
        """Until the kernel closes the socket; then nobody is left."""
        while True:
            events = self._selector.select(0 if self.rehearsals else None if system.LINUX else _POLL_S)
            if not events and self.rehearsals:
                self._rehearse()
            for key, _ in events:
                if key.fileobj is self._control and not self._serve():
                    return self._end()
            self._reap()
            if not system.LINUX and os.getppid() != self._parent:
                return self._end()

    def _rehearse(self) -> None:
        self.rehearsals.pop(0)()
        if system.LINUX:
            system.set_name(_NAME)
        if not self.rehearsals:
            gc.freeze()

    def _serve(self) -> bool:
        data, fds, _, _ = socket.recv_fds(self._control, launch.MAX_PACKET, launch.GUEST_FDS)
        if not data:
            return False
        try:
            self._fork(self._decode(data), fds)
        finally:
            for fd in fds:
                os.close(fd)
        return True

    def _fork(self, request: launch.Fork, fds: Sequence[int]) -> None:
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            self.tell(launch.Refused(request.id, f"fork: {error.strerror}"))
            return
        if not pid:
            run_child(
                request.boot, fds, parent=parent, environment=self._environment, prepared=self.prepared
            )  # fmt: skip
        pidfd = os.pidfd_open(pid) if system.LINUX else -1
        self._children[pid] = pidfd
        if pidfd >= 0:
            self._selector.register(pidfd, selectors.EVENT_READ)
        self.tell(launch.Forked(request.id, pid), [pidfd] if pidfd >= 0 else [])

    def _reap(self) -> None:
        """Collect whoever ended, report guests, and end the orphans that a guest left behind."""
        ended: list[tuple[int, int]] = []
        while self._children or ended:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if not pid:
                break
            ended.append((pid, status))
        if ended:
            self._end_orphans()
        for pid, status in ended:  # told when nothing of it is left
            if (pidfd := self._children.pop(pid, None)) is not None:
                self._forget(pidfd)
                self.tell(launch.Exited(pid, status))

    def _forget(self, pidfd: int) -> None:
        if pidfd >= 0:
            self._selector.unregister(pidfd)
            os.close(pidfd)

    def _end_orphans(self) -> None:
        """Adopted children are programs that outlived the one that started them; killing one may give us its own."""
        for _ in range(100):
            orphans = [pid for pid in system.children() if pid not in self._children]
            if not orphans:
                return
            for pid in orphans:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)

    def _end(self) -> None:
        """Nobody is left, not even as a zombie that some other process would have to reap."""
        for pid in self._children:
            os.kill(pid, signal.SIGKILL)
        for pid in self._children:
            os.waitpid(pid, 0)
        self._end_orphans()


if __name__ == "__main__":  # pragma: no cover - the kernel's command line calls main
    sys.exit("this is started by jupyter_sandbox.isolation.zygote")
