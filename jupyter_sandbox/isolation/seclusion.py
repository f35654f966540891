"""The kernel closed to guests that Landlock does not hold: they run as its user, and Linux lets a user's OS processes
read and write each other's memory, environment and open files.

What closes it is the flag *dumpable* of prctl(2), which is one for the whole OS
process, and so is its keeper here. It has a price: see "What differs" in
docs/security.md. An OS process with the powers of root is not kept out by it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import replace

from ..model.errors import Unsupported
from ..model.protection import Protection
from . import system
from .guest_process import GuestProcess

CLOSED, OPEN = 0, 1
_LEFT_OPEN = "it can read and change the memory of this kernel"
_PROGRAMS = "programs that may live on"
"""Needs the kernel closed until it ends: whatever a guest can start may outlive the guest, and nobody would know."""


class Seclusion:
    """Closed while somebody needs it; opened again after the last one, if it was open before. Safe in any thread.

    >>> flag = [OPEN]
    >>> kernel = Seclusion(lambda: flag[0], lambda value: flag.__setitem__(0, value))
    >>> kernel.begin("a guest"), flag
    (True, [0])
    >>> kernel.end("a guest"); flag
    [1]
    """

    def __init__(
        self, read: Callable[[], int] = system.dumpable, write: Callable[[int], None] = system.set_dumpable
    ) -> None:
        self._read, self._write = read, write
        self.forget()

    def forget(self) -> None:
        """After a fork: the child is as closed as it was, holds a copy of the same memory, and stays closed."""
        self._lock = threading.Lock()
        self._needs: set[object] = set()
        self._ours = False
        """Whether it was us who closed it."""

    def begin(self, need: object) -> bool:
        """Whether it is closed now, for as long as ``need`` is not ended. False where there is no such flag."""
        with self._lock:
            try:
                if self._read() == OPEN:
                    self._write(CLOSED)
                    self._ours = True
                closed = self._read() != OPEN
            except (OSError, Unsupported):
                return False
            self._needs.add(need)
            return closed

    def end(self, need: object) -> None:
        """``need`` is over. Harmless for one that never began."""
        with self._lock:
            if need not in self._needs:
                return
            self._needs.remove(need)
            if self._ours and not self._needs:
                self._write(OPEN)
                self._ours = False


KERNEL = Seclusion()
os.register_at_fork(after_in_child=KERNEL.forget)


def seclude(guest: GuestProcess, protection: Protection, kernel: Seclusion = KERNEL) -> Protection:
    """Close the kernel to a guest unless Landlock does, before it may run code of a user; the report says if it failed.

    A guest that can start programs leaves it closed for good. Programs opened by name come with Landlock only.
    """
    if protection.has("landlock"):
        return protection
    need: object = guest if protection.has("seccomp") else _PROGRAMS
    if not kernel.begin(need):
        return replace(protection, not_stopped=(*protection.not_stopped, _LEFT_OPEN))
    guest.after = lambda: kernel.end(guest)
    return protection
