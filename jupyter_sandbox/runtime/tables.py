"""The tables of a node (ETS): who owns them, who may use them, who inherits them. They die with their owner.

Values are copied in and out, so that no two processes share one. Rules: Erlang's ``ets``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn

import msgspec

from ..model.errors import UsageError
from ..model.ids import Pid
from . import delivery
from .crashes import exit_reason
from .process import DEAD, Process
from .signals import INFO
from .table import KINDS, Table

if TYPE_CHECKING:
    from .node import Node

ACCESS: Final = ("public", "protected", "private")


class TableId(msgspec.Struct, frozen=True):
    """Names one table of a node for ever.

    >>> from jupyter_sandbox.otp import Node
    >>> async def main(self):
    ...     table = self.ets.new("seats")
    ...     self.ets.insert(table, ("window", "ada"))
    ...     return self.ets.lookup(table, "window"), type(table).__name__
    >>> Node().run_function(main)
    ([('window', 'ada')], 'TableId')
    """

    number: int

    def __repr__(self) -> str:
        return f"#Table<{self.number}>"


class Transfer(NamedTuple):
    """The message to a table's new owner: Erlang's ``{'ETS-TRANSFER', Table, From, Data}``.

    >>> from jupyter_sandbox.otp import Node, Transfer
    >>> async def main(self):
    ...     async def owner(self, heir):
    ...         self.ets.give_away(self.ets.new("seats"), heir, "yours")
    ...     self.spawn(owner, self.pid)
    ...     match await self.receive():
    ...         case Transfer(table, _, data):
    ...             self.ets.insert(table, ("window", "ada"))
    ...             return data, self.ets.lookup(table, "window")
    >>> Node().run_function(main)
    ('yours', [('window', 'ada')])
    """

    table: object
    sender: Pid
    data: object


class Held:
    """A table and who has to do with it."""

    __slots__ = ("access", "fixers", "heir", "heir_data", "id", "name", "named", "owner", "table")

    def __init__(self, id: TableId, name: str, owner: Pid, table: Table, *, access: str, named: bool) -> None:
        self.id, self.name, self.owner, self.table = id, name, owner, table
        self.access, self.named = access, named
        self.heir: Pid | None = None
        self.heir_data: Any = None
        self.fixers: dict[Pid, int] = {}
        """Who keeps it fixed for a traversal, and how many times over."""

    @property
    def handle(self) -> TableId | str:
        """What programs know it by: its name if it is a named table."""
        return self.name if self.named else self.id


class Tables:
    """All tables of one node."""

    __slots__ = ("by_id", "fixing", "names", "number", "owned")

    def __init__(self) -> None:
        self.by_id: dict[TableId, Held] = {}
        self.names: dict[str, TableId] = {}
        self.owned: dict[Pid, dict[TableId, None]] = {}
        self.fixing: dict[Pid, dict[TableId, None]] = {}
        self.number = 0

    def new(self, owner: Process, name: str, kind: str, access: str, key: int, named: bool) -> Held:
        """Create a table. Raises UsageError for a bad option or a name that is taken."""
        if kind not in KINDS:
            raise UsageError("kind of table", kind, allowed=KINDS, kind="badarg")
        if access not in ACCESS:
            raise UsageError("access", access, allowed=ACCESS, kind="badarg")
        if isinstance(key, bool) or not isinstance(key, int) or key < 0:
            raise UsageError("key position", key, hint="give a number, 0 or more", kind="badarg")
        if named and name in self.names:
            raise UsageError("table name", name, hint="there is a table of that name", kind="badarg")
        self.number += 1
        held = Held(TableId(self.number), name, owner.pid, Table(kind, key), access=access, named=named)
        self.by_id[held.id] = held
        self.owned.setdefault(owner.pid, {})[held.id] = None
        if named:
            self.names[name] = held.id
        return held

    def find(self, handle: TableId | str) -> Held | None:
        """The table behind an id or a name, None when there is none."""
        id = self.names.get(handle) if isinstance(handle, str) else handle
        return None if id is None else self.by_id.get(id)

    def readable(self, process: Process, handle: TableId | str) -> Held:
        """A table that ``process`` may read. Raises UsageError."""
        held = self.find(handle) or _no_table(handle)
        if held.access == "private" and held.owner != process.pid:
            _refused(held, "read")
        return held

    def writable(self, process: Process, handle: TableId | str) -> Held:
        """A table that ``process`` may change. Raises UsageError."""
        held = self.find(handle) or _no_table(handle)
        if held.access != "public" and held.owner != process.pid:
            _refused(held, "change")
        return held

    def own(self, process: Process, handle: TableId | str) -> Held:
        """A table that belongs to ``process``. Raises UsageError."""
        held = self.find(handle) or _no_table(handle)
        if held.owner != process.pid:
            _refused(held, "pass on")
        return held

    def fix(self, process: Process, held: Held) -> None:
        """Keep a table fixed for a traversal, until as many ``unfix`` or the death of the process."""
        held.fixers[process.pid] = held.fixers.get(process.pid, 0) + 1
        self.fixing.setdefault(process.pid, {})[held.id] = None
        held.table.fix(True)

    def unfix(self, pid: Pid, held: Held, times: int = 1) -> None:
        """End ``fix``; without one it does nothing."""
        left = held.fixers.get(pid, 0) - times
        if left > 0:
            held.fixers[pid] = left
            return
        if held.fixers.pop(pid, None) is not None:
            self._forget(self.fixing, pid, held)
        if not held.fixers:
            held.table.fix(False)

    def rename(self, held: Held, name: str) -> None:
        """Give a table another name. Raises UsageError when that is taken."""
        if held.named:
            if name in self.names:
                raise UsageError("table name", name, hint="there is a table of that name", kind="badarg")
            del self.names[held.name]
            self.names[name] = held.id
        held.name = name

    def drop(self, held: Held) -> None:
        """Delete a table."""
        del self.by_id[held.id]
        if held.named:
            del self.names[held.name]
        for pid in held.fixers:
            self._forget(self.fixing, pid, held)
        self._forget(self.owned, held.owner, held)

    @staticmethod
    def _forget(index: dict[Pid, dict[TableId, None]], pid: Pid, held: Held) -> None:
        mine = index[pid]
        del mine[held.id]
        if not mine:
            del index[pid]

    def give(self, node: Node, held: Held, receiver: Process, data: Any) -> None:
        """Make a table another process's, and tell that one."""
        giver, handle, data = held.owner, held.handle, node.copy(data)
        self._forget(self.owned, giver, held)
        held.owner = receiver.pid
        self.owned.setdefault(receiver.pid, {})[held.id] = None
        delivery.deliver(node, receiver, (INFO, Transfer(handle, giver, data), giver))

    def owner_died(self, node: Node, process: Process) -> None:
        """Pass the tables of a dead process on to their heirs, delete those without a living one, end its traversals.

        Called for every death while there are tables at all.
        """
        for id in list(self.fixing.get(process.pid, ())):
            self.unfix(process.pid, self.by_id[id], self.by_id[id].fixers[process.pid])
        for id in list(self.owned.get(process.pid, ())):
            held = self.by_id[id]
            heir = None if held.heir is None else node.processes.get(held.heir)
            if heir is None or heir.status == DEAD:
                self.drop(held)
            else:
                self._inherit(node, held, heir)

    def _inherit(self, node: Node, held: Held, heir: Process) -> None:
        """Give a table to its heir, with why its data cannot be copied if so: the table must not be lost for that."""
        try:
            self.give(node, held, heir, held.heir_data)
        except BaseException as error:
            self.give(node, held, heir, exit_reason(error))


def _no_table(handle: Any) -> NoReturn:
    raise UsageError("table", handle, hint="there is no such table (any more)", kind="badarg")


def _refused(held: Held, what: str) -> NoReturn:
    hint = f"it is {held.access}, and only its owner {held.owner} may {what} it"
    raise UsageError("table", held.handle, hint=hint, kind="badarg")
