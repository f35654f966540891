"""Reads the pickles of a snapshot: what they name is found in the node that is being filled."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from ..model.errors import SnapshotError
from ..runtime import Node, plain
from ..runtime.context import Context
from ..runtime.process import DEAD, Process
from .snapshot_names import WRITTEN_IN
from .tracebacks import one_line


class _Unpickler(pickle.Unpickler):
    def __init__(self, data: bytes, find: Callable[..., Any], met: Sequence[Any]) -> None:
        super().__init__(io.BytesIO(data))
        self._find, self._met = find, met

    def find_class(self, module: str, name: str) -> Any:
        if name in ("named", "_named") and module in WRITTEN_IN:
            return self._find
        return super().find_class(module, name)

    def persistent_load(self, number: str) -> Any:
        return self._met[int(number)]


class Reader:
    """Reads one pickle after another: what each begins with has been read from another one."""

    def __init__(self, node: Node, processes: dict[int, Process]) -> None:
        self._node, self._processes = node, processes
        self._ended: dict[int, Process] = {}
        """Processes that somebody still holds, although they were gone when the snapshot was taken."""
        self.met: Sequence[Any] = ()

    def loads(self, data: bytes, what: str) -> Any:
        """Raises SnapshotError that says of what it was."""
        return self._read(data, self.met, what)[0]

    def loads_with(self, met: Sequence[Any], data: bytes, what: str) -> tuple[Any, dict[int, Any]]:
        """The same of a pickle that begins with these, and what it has met then, by number."""
        value, unpickler = self._read(data, met, what)
        return value, unpickler.memo.copy()

    def _read(self, data: bytes, met: Sequence[Any], what: str) -> tuple[Any, Any]:
        unpickler = _Unpickler(_meeting(len(met)) + data, self._find, met)
        try:
            if met:
                unpickler.load()
            return unpickler.load(), unpickler
        except BaseException as error:  # the user's __setstate__ may raise anything
            why = one_line(error)
            raise SnapshotError(f"{what} cannot be restored ({why}); load the code it was saved with") from None

    def _find(self, kind: str, number: int, of: type[Context] = Context) -> Any:
        """What stands for ``named``. Of which class the ``self`` of a living process is, is read later."""
        if kind == "node":
            return self._node
        process = self._processes.get(number) or self._gone(number)
        if kind == "process":
            return process
        if process.context is None:
            process.context = of(process)
        return process.context

    def _gone(self, number: int) -> Process:
        process = self._ended.get(number)
        if process is None:
            process = self._ended[number] = Process(self._node, number, plain.run_plain)
            process.status = DEAD
        return process


@lru_cache(maxsize=1)
def _meeting(count: int) -> bytes:
    """A pickle that does nothing but give their numbers to so many objects."""
    if not count:
        return b""
    each = (pickle.PERSID + str(number).encode() + b"\n" + pickle.MEMOIZE + pickle.POP for number in range(count))
    return pickle.PROTO + bytes([pickle.HIGHEST_PROTOCOL]) + b"".join(each) + pickle.NONE + pickle.STOP
