"""Starting plain processes: functions that run once in a process of their own. Behaviours are started by ``otp``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVarTuple

from ...model.errors import UsageError
from ...model.ids import Pid, Ref
from .. import lifecycle, names, plain, relations
from ..operations import OP_START, ask
from ..process import Process
from .waits import Waits

Args = TypeVarTuple("Args")


class Births(Waits):
    """Spawning, and coming up."""

    def spawn(self, function: Callable[[Any, *Args], Any], *args: *Args) -> Pid:
        """Run ``function(self, *args)`` in a new process, which exits when it returns."""
        return self._spawn(function, args, None).pid

    def spawn_link(self, function: Callable[[Any, *Args], Any], *args: *Args) -> Pid:
        """Spawn and link in one."""
        child = self._spawn(function, args, None)
        child.parent = self._process.pid
        relations.join(self._process, child)
        return child.pid

    def spawn_monitor(self, function: Callable[[Any, *Args], Any], *args: *Args) -> tuple[Pid, Ref]:
        """Spawn and monitor in one."""
        child = self._spawn(function, args, None)
        return child.pid, relations.monitor(self._process.node, self._process, child.pid)

    def _spawn(self, function: Callable[..., Any], args: tuple[Any, ...], name: str | None) -> Process:
        node = self._process.node
        first = (function, node.copy(args))
        child = lifecycle.spawn(node, plain.run_plain, first, parent=self._process)
        plain.prepare(child, function)
        if name is not None:
            _claim(name, child)
        node.emit("process_spawn", child, self._process.pid)
        if node.trace is not None:
            node.trace("spawn", self._process, child)
        node.ready.append(child)
        return child

    def start_plain(
        self, function: Callable[..., Any], *args: Any, relation: str = "link", timeout_ms: int | None = None
    ) -> Awaitable[Any]:
        """Start a process and wait until it calls ``self.init_ack(value)``, whose value is the result (``proc_lib``).

        Raises StartError when it exits before, CallTimeout after ``timeout_ms``.

        >>> from jupyter_sandbox.otp import Node
        >>> async def main(self):
        ...     async def opener(self, lock):
        ...         self.init_ack(f"{lock} is open, said by the child of {self.parent == boss}")
        ...     boss = self.pid
        ...     return await self.start_plain(opener, "the door")
        >>> Node().run_function(main)
        'the door is open, said by the child of True'
        """
        self._may_wait("start_plain", timeout_ms)
        first = (function, self._process.node.copy(args))
        how = (relation, lambda process, _: plain.prepare(process, function))
        return ask((OP_START, plain.run_plain, first, timeout_ms, how))

    def init_ack(self, value: Any) -> None:
        """Tell the starter that this process is up."""
        lifecycle.acknowledge(self._process.node, self._process, value)


def _claim(name: str, child: Process) -> None:
    problem = names.register(child.node, name, child)
    if problem is not None:
        lifecycle.exit_process(child.node, child, "normal")
        raise UsageError("name", name, hint=problem)
