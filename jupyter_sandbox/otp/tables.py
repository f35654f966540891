"""``self.ets``: the operations on tables. Positions in an object count from 0.

Every operation that is refused, or is for a table that is gone, raises
UsageError of the kind ``badarg``. Rules: Erlang's ``ets``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..model.errors import UsageError
from ..model.ids import Pid
from ..runtime.process import Process
from ..runtime.table import Object, Table
from ..runtime.tables import TableId
from . import table_counters
from .table_match import bind

Handle = TableId | str


class Ets:
    """The tables as one process sees them.

    >>> from jupyter_sandbox.otp import Node
    >>> async def main(self):
    ...     cache = self.ets.new("cache", kind="ordered_set")
    ...     self.ets.insert(cache, [("b", 2), ("a", 1)])
    ...     self.ets.update_counter(cache, "a", 10)
    ...     return self.ets.to_list(cache)
    >>> Node().run_function(main)
    [('a', 11), ('b', 2)]
    """

    __slots__ = ("_copy", "_node", "_process", "_tables")

    def __init__(self, process: Process) -> None:
        self._process, self._node = process, process.node
        self._tables, self._copy = process.node.tables, process.node.copy

    # --- tables -----------------------------------------------------------------------------------------------------

    def new(
        self, name: str, *, kind: str = "set", access: str = "protected", key: int = 0, named: bool = False,
        heir: Pid | None = None, heir_data: Any = None,
    ) -> Handle:  # fmt: skip
        """Create a table that belongs to this process: ``set``, ``ordered_set``, ``bag`` or ``duplicate_bag``.

        ``key`` is the position of the key in the objects. A ``named`` table is
        found by its name. The ``heir`` gets it when this process dies, with a
        ``Transfer`` message.

        >>> from jupyter_sandbox.otp import Node, TableId, Transfer
        >>> async def main(self):
        ...     async def maker(self, heir):
        ...         table = self.ets.new("cache", heir=heir, heir_data="take care")
        ...         self.ets.insert(table, ("a", 1))
        ...         self.ets.give_away(self.ets.new("gift"), heir, "for you")
        ...     self.spawn(maker, self.pid)
        ...     gift, left = await self.receive(Transfer), await self.receive(Transfer)
        ...     self.ets.set_heir(left.table, None)
        ...     self.ets.rename(left.table, "mine")
        ...     info = self.ets.info(left.table)
        ...     self.ets.delete_table(gift.table)
        ...     return gift.data, left.data, isinstance(left.table, TableId), info["name"], info["size"]
        >>> Node().run_function(main)
        ('for you', 'take care', True, 'mine', 1)
        """
        held = self._tables.new(self._process, name, kind, access, key, named)
        held.heir, held.heir_data = heir, self._copy(heir_data)
        return held.handle

    def delete_table(self, table: Handle) -> None:
        """Delete a table."""
        self._tables.drop(self._tables.writable(self._process, table))

    def rename(self, table: Handle, name: str) -> Handle:
        """Give a table another name; returns what it is known by now."""
        held = self._tables.writable(self._process, table)
        self._tables.rename(held, name)
        return held.handle

    def whereis(self, name: str) -> TableId | None:
        """The id of a named table."""
        held = self._tables.find(name)
        return None if held is None else held.id

    def give_away(self, table: Handle, receiver: Pid, data: Any = None) -> None:
        """Make a table of this process another one's, which is told by a ``Transfer`` message."""
        held = self._tables.own(self._process, table)
        other = self._node.processes.get(receiver)
        if other is None or other is self._process:
            raise UsageError("receiver", receiver, hint="give the pid of another living process", kind="badarg")
        self._tables.give(self._node, held, other, data)

    def set_heir(self, table: Handle, heir: Pid | None, data: Any = None) -> None:
        """Say who gets a table of this process when it dies; None: nobody."""
        held = self._tables.own(self._process, table)
        held.heir, held.heir_data = heir, self._copy(data)

    def info(self, table: Handle) -> dict[str, Any] | None:
        """Facts about a table, also about another's private one; None when it is gone."""
        held = self._tables.find(table)
        if held is None:
            return None
        return {
            "id": held.id, "name": held.name, "named": held.named, "owner": held.owner, "heir": held.heir,
            "size": len(held.table), "kind": held.table.kind, "access": held.access, "key": held.table.key,
            "fixed": bool(held.fixers),
        }  # fmt: skip

    # --- objects ------------------------------------------------------------------------------------------------------

    def insert(self, table: Handle, objects: Object | list[Object]) -> None:
        """Insert one tuple, or a list of them at once."""
        found = self._tables.writable(self._process, table).table
        found.insert(self._copy(found.checked(objects)))

    def insert_new(self, table: Handle, objects: Object | list[Object]) -> bool:
        """Insert if none of the keys is there; whether it was.

        >>> from jupyter_sandbox.otp import Node
        >>> async def main(self):
        ...     seats = self.ets.new("seats", named=True)
        ...     took = [self.ets.insert_new("seats", ("window", who)) for who in ("ada", "bob")]
        ...     found = self.ets.lookup(seats, "window"), self.ets.member(seats, "aisle")
        ...     assert self.ets.whereis("seats") is not None
        ...     self.ets.update_element(seats, "window", (1, "cyd"))
        ...     taken = self.ets.take(seats, "window")
        ...     self.ets.delete(seats, "window")  # it is gone already: that is fine
        ...     return took, found, taken
        >>> Node().run_function(main)
        ([True, False], ([('window', 'ada')], False), [('window', 'cyd')])
        """
        found = self._tables.writable(self._process, table).table
        wanted = found.checked(objects)
        if any(found.lookup(item[found.key]) for item in wanted):
            return False
        found.insert(self._copy(wanted))
        return True

    def lookup(self, table: Handle, key: Any) -> list[Object]:
        """The objects with a key, in a bag in the order of insertion."""
        return [self._copy(item) for item in self._read(table).lookup(key)]

    def lookup_element(self, table: Handle, key: Any, position: int) -> Any:
        """One element of the object with a key; in a bag a list of them."""
        found = self._read(table)
        objects = found.lookup(key)
        if not objects or not all(0 <= position < len(item) for item in objects):
            raise UsageError("key and position", (key, position), hint="there is no such element", kind="badarg")
        values = [self._copy(item[position]) for item in objects]
        return values if found.bag else values[0]

    def member(self, table: Handle, key: Any) -> bool:
        """Whether there is an object with a key."""
        return bool(self._read(table).lookup(key))

    def take(self, table: Handle, key: Any) -> list[Object]:
        """Remove the objects with a key and return them."""
        return self._write(table).take(key)

    def delete(self, table: Handle, key: Any) -> None:
        """Remove the objects with a key, if there are any."""
        self._write(table).take(key)

    def delete_object(self, table: Handle, item: Object) -> None:
        """Remove the objects that equal this one."""
        found = self._write(table)
        found.checked(item)
        found.delete_object(item)

    def clear(self, table: Handle) -> None:
        """Remove all objects."""
        self._write(table).clear()

    def update_counter(self, table: Handle, key: Any, change: Any, default: Object | None = None) -> Any:
        """Add to an integer in one step and return the new one, or a list of them for a list of changes.

        A change is a number, for the element after the key, ``(position,
        number)`` or ``(position, number, threshold, reset)``. ``default`` is the
        object to begin with when there is none.
        """
        return table_counters.update(self._write(table), key, change, self._copy(default))

    def update_element(self, table: Handle, key: Any, change: Any) -> bool:
        """Set elements of the object with a key: ``(position, value)`` or a list of these. False when there is none."""
        return table_counters.set_elements(self._write(table), key, self._copy(change))

    # --- many objects -------------------------------------------------------------------------------------------------

    def to_list(self, table: Handle) -> list[Object]:
        """All objects, in an ordered set by key."""
        return [self._copy(item) for item in self._read(table)]

    def match_object(self, table: Handle, pattern: Object) -> list[Object]:
        """The objects that fit a pattern with ``ANY`` and ``Var(n)``."""
        return [self._copy(item) for item in self._read(table) if bind(pattern, item) is not None]

    def match(self, table: Handle, pattern: Object) -> list[list[Any]]:
        """What the variables stand for in each object that fits, by their numbers.

        >>> from jupyter_sandbox.otp import ANY, Node, Var
        >>> async def main(self):
        ...     people = self.ets.new("people", kind="ordered_set")
        ...     self.ets.insert(people, [(1, "ada", 36), (2, "bob", 17), (3, "cyd", 17)])
        ...     young = self.ets.match(people, (ANY, Var(1), 17))
        ...     whole = self.ets.match_object(people, (3, ANY, ANY))
        ...     adults = self.ets.select(people, lambda row: row[2] >= 18)
        ...     gone = self.ets.match_delete(people, (ANY, ANY, 17))
        ...     return young, whole, adults, gone, self.ets.to_list(people)
        >>> young, whole, adults, gone, left = Node().run_function(main)
        >>> young, whole, gone
        ([['bob'], ['cyd']], [(3, 'cyd', 17)], 2)
        >>> adults == left
        True
        """
        bindings = [bind(pattern, item) for item in self._read(table)]
        return [self._copy([found[variable] for variable in sorted(found)]) for found in bindings if found is not None]

    def select(self, table: Handle, where: Callable[[Object], Any]) -> list[Object]:
        """The objects for which ``where(object)`` is true."""
        return [item for item in self.to_list(table) if where(item)]

    def match_delete(self, table: Handle, pattern: Object) -> int:
        """Remove the objects that fit; how many there were."""
        found = self._write(table)
        fitting = [item for item in found if bind(pattern, item) is not None]
        for item in fitting:
            found.delete_object(item)
        return len(fitting)

    def first(self, table: Handle) -> Any:
        """The first key, or ``END``."""
        return self._copy(self._read(table).first())

    def last(self, table: Handle) -> Any:
        """The last key of an ordered set, or ``END``."""
        return self._copy(self._read(table).last())

    def next(self, table: Handle, key: Any) -> Any:
        """The key after another one, or ``END``; for one that is gone only in an ordered set or a ``fixed`` table."""
        return self._copy(self._read(table).next(key))

    def previous(self, table: Handle, key: Any) -> Any:
        """The key before another one in an ordered set, or ``END``.

        >>> from jupyter_sandbox.otp import END, Node
        >>> async def main(self):
        ...     queue = self.ets.new("queue", kind="ordered_set")
        ...     self.ets.insert(queue, [(n,) for n in (30, 10, 20)])
        ...     last = self.ets.last(queue)
        ...     before = self.ets.previous(queue, last)
        ...     self.ets.delete_object(queue, (30,))
        ...     ends = self.ets.next(queue, before)
        ...     self.ets.clear(queue)
        ...     return last, before, ends == END, self.ets.first(queue) == END
        >>> Node().run_function(main)
        (30, 20, True, True)
        """
        return self._copy(self._read(table).previous(key))

    def fix(self, table: Handle) -> None:
        """Make a traversal safe until ``unfix``: see ``fixed`` (``ets:safe_fixtable(Table, true)``).

        >>> from jupyter_sandbox.otp import Node
        >>> async def main(self):
        ...     table = self.ets.new("t")
        ...     self.ets.insert(table, [(1,), (2,)])
        ...     self.ets.fix(table)
        ...     self.ets.delete(table, 1)
        ...     after = self.ets.next(table, 1)
        ...     self.ets.unfix(table)
        ...     return after
        >>> Node().run_function(main)
        2
        """
        self._tables.fix(self._process, self._tables.readable(self._process, table))

    def unfix(self, table: Handle) -> None:
        """End one ``fix`` of this process; its death ends all of them."""
        self._tables.unfix(self._process.pid, self._tables.readable(self._process, table))

    @contextmanager
    def fixed(self, table: Handle) -> Iterator[None]:
        """While this is open, ``first`` and ``next`` come to every object that stays, once, whatever comes and goes.

        >>> from jupyter_sandbox.otp import END, Node
        >>> async def main(self):
        ...     jobs = self.ets.new("jobs")
        ...     self.ets.insert(jobs, [(n, n % 2) for n in range(5)])
        ...     with self.ets.fixed(jobs):
        ...         key = self.ets.first(jobs)
        ...         while key != END:
        ...             if self.ets.lookup_element(jobs, key, 1):
        ...                 self.ets.delete(jobs, key)
        ...             key = self.ets.next(jobs, key)
        ...     return self.ets.to_list(jobs)
        >>> Node().run_function(main)
        [(0, 0), (2, 0), (4, 0)]
        """
        self.fix(table)
        try:
            yield
        finally:
            if self.info(table) is not None:
                self.unfix(table)

    def _read(self, table: Handle) -> Table:
        return self._tables.readable(self._process, table).table

    def _write(self, table: Handle) -> Table:
        return self._tables.writable(self._process, table).table
