"""The one manager that a kernel's magics, Lab panel and control functions share, made at its first use.

The guide's functions take no manager, so there has to be one of the kernel's;
everything else gets its manager given.
"""

from __future__ import annotations

import os
import threading

from .manager import SandboxManager


class _Shared:
    """Holds the manager, so that a closed one, or one of before a fork, is replaced by a fresh one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._manager: SandboxManager | None = None
        self._owner = 0

    def get(self) -> SandboxManager:
        with self._lock:
            if self._manager is None or self._manager.closed or self._owner != os.getpid():
                self._manager, self._owner = SandboxManager(), os.getpid()
            return self._manager

    def set(self, manager: SandboxManager | None) -> None:
        with self._lock:
            self._manager, self._owner = manager, os.getpid()


_SHARED = _Shared()


def default_manager() -> SandboxManager:
    """The kernel's manager."""
    return _SHARED.get()


def use_as_default(manager: SandboxManager | None) -> None:
    """Make ``manager`` the kernel's; None lets the next use make another one."""
    _SHARED.set(manager)
