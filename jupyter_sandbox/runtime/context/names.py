"""How processes are found, by name or alias, and what is known of one that was found."""

from __future__ import annotations

from typing import Any

from ...model.errors import UsageError
from ...model.ids import Pid, Ref
from .. import delivery, names
from ..process_info import info
from .identity import Identity


class Names(Identity):
    """Registering and finding."""

    def register(self, name: str, target: Pid | None = None) -> None:
        """Register this process, or another one, under a name. Raises UsageError when that cannot be.

        >>> from jupyter_sandbox.otp import Node
        >>> async def main(self):
        ...     self.register("clerk")
        ...     self.send("clerk", "a letter to myself")
        ...     known = self.whereis("clerk") == self.pid
        ...     self.unregister("clerk")
        ...     return known, self.whereis("clerk"), await self.receive(str)
        >>> Node().run_function(main)
        (True, None, 'a letter to myself')
        """
        node = self._process.node
        if not isinstance(name, str):
            raise UsageError("name", name, hint="a name is a text", kind="badarg")
        process = self._process if target is None else node.processes.get(target)
        problem = "it is not alive" if process is None else names.register(node, name, process)
        if problem is not None:
            raise UsageError("name", name, hint=problem, kind="badarg")

    def unregister(self, name: str) -> None:
        """Take a name away. Raises UsageError when nobody has it."""
        if not names.unregister(self._process.node, name):
            raise UsageError("name", name, hint="nobody is registered under it", kind="badarg")

    def whereis(self, name: str) -> Pid | None:
        """The pid registered under a name."""
        return self._process.node.names.get(name)

    def alias(self) -> Ref:
        """A reference that messages can be sent to until ``unalias``.

        >>> from jupyter_sandbox.otp import Node
        >>> async def main(self):
        ...     door = self.alias()
        ...     self.send(door, "in time")
        ...     self.unalias(door)
        ...     self.send(door, "too late")
        ...     return [await self.receive(str), await self.receive(str, timeout_ms=10, default="nothing")]
        >>> Node().run_function(main)
        ['in time', 'nothing']
        """
        ref = self._process.node.new_ref()
        names.make_alias(self._process.node, self._process, ref)
        return ref

    def unalias(self, ref: Ref) -> bool:
        """Drop what is sent to the alias from now on."""
        return names.drop_alias(self._process.node, self._process, ref)

    def is_alive(self, target: Pid) -> bool:
        """Whether a process is alive and not about to die of an exit signal."""
        found = delivery.lookup(self._process.node, target)
        return found is not None and found.doom is None

    def process_info(self, target: Pid) -> dict[str, Any] | None:
        """What ``erlang:process_info`` tells; None when the process is dead.

        >>> from jupyter_sandbox.otp import GenServer, Node
        >>> class Clerk(GenServer):
        ...     def init(self, argument):
        ...         self.set_label("desk 7")
        ...         self.dictionary["luck"] = 7
        ...         return argument
        >>> async def main(self):
        ...     info = self.process_info(await self.start(Clerk, name="clerk"))
        ...     return [info[key] for key in ("registered_name", "label", "dictionary", "status")]
        >>> Node().run_function(main)
        ['clerk', 'desk 7', {'luck': 7}, 'waiting']
        """
        found = delivery.lookup(self._process.node, target)
        return None if found is None else info(found)
