"""PartitionSupervisor: the same child several times, and every key always goes to the same one. Rules: Elixir's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from zlib import crc32

import msgspec

from ..model.errors import UsageError
from ..model.ids import Pid
from ..runtime import Node
from ..runtime.context import Context
from ..runtime.process import Process
from . import restart
from .child import Child, as_child
from .supervisor import Spec, Supervisor


class Partitions(msgspec.Struct, frozen=True):
    """What a PartitionSupervisor is started with: any form of a child and how many of it.

    ``with_arguments(argument, partition)`` makes the argument of one partition from the child's own.

    >>> from jupyter_sandbox.otp import GenServer, Node, PartitionSupervisor, Partitions, Reply
    >>> class Counter(GenServer):
    ...     def handle_call(self, request, caller, n):
    ...         return Reply(n, n + 1)
    >>> async def main(self):
    ...     tens = Partitions((Counter, 10), 2, lambda start, partition: start * partition)
    ...     await self.start(PartitionSupervisor, tens, name="tens")
    ...     return [await self.call(PartitionSupervisor.via("tens", key), "next") for key in (0, 1)]
    >>> Node().run_function(main)
    [0, 10]
    """

    child: Any
    partitions: int = 8
    with_arguments: Callable[[Any, int], Any] | None = None
    strategy: str = "one_for_one"
    intensity: int = 3
    period_s: int = 5


class Partition(msgspec.Struct, frozen=True):
    """The name of the partition that a key belongs to.

    >>> from jupyter_sandbox.otp import GenServer, Node, Partition, PartitionSupervisor, Partitions, Reply
    >>> class Counter(GenServer):
    ...     def handle_call(self, request, caller, n):
    ...         return Reply(n, n + 1)
    >>> async def main(self):
    ...     await self.start(PartitionSupervisor, Partitions((Counter, 0), 4), name="counters")
    ...     return PartitionSupervisor.via("counters", 7) == Partition("counters", 7)
    >>> Node().run_function(main)
    True
    """

    supervisor: Any
    key: Any

    def whereis(self, node: Node) -> Pid | None:
        """The partition's process, None while it is not running."""
        state = _state(node, self.supervisor)
        return state.entries[_number(self.key, len(state.entries))].pid

    def claim(self, process: Process) -> str | None:
        """No process is started under such a name."""
        return "the partitions are started by their supervisor"


class PartitionSupervisor(Supervisor):
    """Spreads the work of one process over several.

    >>> from jupyter_sandbox.otp import GenServer, Node, PartitionSupervisor, Partitions, Reply
    >>> class Counter(GenServer):
    ...     def handle_call(self, request, caller, n):
    ...         return Reply(n, n + 1)
    >>> async def main(self):
    ...     await self.start(PartitionSupervisor, Partitions((Counter, 0), 4), name="counters")
    ...     keys = (1, 5, 1, 2)
    ...     return [await self.call(PartitionSupervisor.via("counters", key), "next") for key in keys]
    >>> Node().run_function(main)
    [0, 1, 2, 0]

    A whole number goes to the partition of its remainder, any other key by the checksum of its ``repr``.
    """

    def init(self, argument: Any) -> Spec:
        """One child per partition; its id is the partition's number."""
        if not isinstance(argument, Partitions):
            raise UsageError("argument", argument, hint="give Partitions(child, 4)")
        count = argument.partitions
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise UsageError("partitions", count, hint="give a whole number, 1 or more")
        child = as_child(argument.child)
        children = [_numbered(child, number, argument.with_arguments) for number in range(count)]
        return Spec(children, argument.strategy, argument.intensity, argument.period_s)

    @staticmethod
    def via(supervisor: Any, key: Any) -> Partition:
        """The name of the partition for a key, to call, cast and send to."""
        return Partition(supervisor, key)

    @staticmethod
    def partitions(ctx: Context, supervisor: Any) -> int:
        """How many partitions there are. Raises UsageError when the supervisor is not there.

        >>> from jupyter_sandbox.otp import DynamicSupervisor, Node, Partition, Partitions
        >>> async def main(self):
        ...     await self.start(PartitionSupervisor, Partitions(DynamicSupervisor, 4), name="parts")
        ...     one = PartitionSupervisor.via("parts", "ada")
        ...     return PartitionSupervisor.partitions(self, "parts"), one == Partition("parts", "ada")
        >>> Node().run_function(main)
        (4, True)
        """
        return len(_state(ctx._process.node, supervisor).entries)


def _numbered(child: Child, number: int, with_arguments: Callable[[Any, int], Any] | None) -> Child:
    argument = child.argument if with_arguments is None else with_arguments(child.argument, number)
    return msgspec.structs.replace(child, id=number, argument=argument)


def _number(key: Any, count: int) -> int:
    if isinstance(key, int) and not isinstance(key, bool):
        return abs(key) % count
    return crc32(repr(key).encode()) % count


def _state(node: Node, supervisor: Any) -> restart.State:
    process = node.lookup(supervisor)
    if process is None or not isinstance(process.state, restart.State):
        hint = "start it: (PartitionSupervisor, Partitions(child, 4)) under a name"
        raise UsageError("partition supervisor", supervisor, hint=hint)
    return process.state
