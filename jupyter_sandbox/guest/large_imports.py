"""Refuses, in words, an import that the memory limit cannot hold: halfway through, some libraries end the OS process.

Measured: OpenBLAS reserves its buffers when numpy is imported, and exits or
signals when it gets none. A flavour that has the module imported is never asked.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Final

_MB: Final = 1_000_000
NEEDS: Final[Mapping[str, int]] = {"numpy": 60 * _MB, "pandas": 100 * _MB}
"""Bytes of private memory that have to be free: what the import takes (45 and 76 MB) and a little to work with."""
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


class LargeImports:
    """A finder that finds nothing: it stands before the others and raises ImportError for what would not fit."""

    def __init__(self, free: Callable[[], int | None] | None = None, needs: Mapping[str, int] = NEEDS) -> None:
        self._free, self._needs = free or free_memory, needs

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> None:
        """Always None. Raises ImportError, so that code which can do without the module does."""
        need = self._needs.get(name)
        if need is None or name in sys.modules:
            return
        free = self._free()
        if free is not None and free < need:
            raise ImportError(
                f"importing {name} needs {need // _MB} MB of memory, and {max(0, free) // _MB} MB are left of this "
                f"sandbox's max_memory. Create it with {name} imported already, which counts nothing: "
                f"%sandbox create NAME --flavour sci (or give it more: --max-memory {_ample(need) // _MB}MB)",
                name=name,
            )


def _ample(need: int) -> int:
    return 2 * need


def free_memory() -> int | None:
    """Bytes below the limit on private memory; None when there is no limit."""
    soft, _ = resource.getrlimit(resource.RLIMIT_DATA)
    if soft == resource.RLIM_INFINITY:
        return None
    try:
        with open("/proc/self/statm", "rb") as file:
            return soft - int(file.read().split()[5]) * _PAGE
    except (OSError, IndexError, ValueError):
        return None
