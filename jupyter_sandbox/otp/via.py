"""Names that another process keeps, usable wherever a process is meant: call, cast, send, start. Elixir's ``via``.

A via name is plain data, looked up at every use.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from ..model.errors import UsageError
from ..model.ids import Pid
from ..model.text import short_text
from ..runtime import Node, delivery, names
from ..runtime.exceptions import StartError
from ..runtime.process import Process


@runtime_checkable
class Name(Protocol):
    """What a via name can do."""

    def whereis(self, node: Node) -> Pid | None:
        """The process that has the name now. Raises UsageError when nobody keeps such names."""

    def claim(self, process: Process) -> str | None:
        """Give the name to a process; why not, if that cannot be."""


def check_free(node: Node, name: Any) -> None:
    """Raise StartError when a process has the name, UsageError when it can be none."""
    if not isinstance(name, (str, Name)):
        raise UsageError("name", name, hint="give a text or a via name, such as Registry.via(registry, key)")
    if not isinstance(name, str):
        node.copy(name)  # what cannot be copied is refused here, where there is a caller to be told
    taken = delivery.lookup(node, name)
    if taken is not None:
        raise StartError(("already_started", taken.pid), name if isinstance(name, str) else short_text(name, 80))


def claim(name: Any, process: Process) -> str | None:
    """Give a process a name that was checked; why not, if that cannot be."""
    if isinstance(name, str):
        return names.register(process.node, name, process)
    found: str | None = name.claim(process)
    return found
