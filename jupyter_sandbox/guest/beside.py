"""What a node holds beside its processes goes over to new code with them: tables, timers' messages, applications.

As with processes everything is done, or put back as a whole by who sees another one refuse.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ..model.errors import CompileError
from ..otp.app_record import applications, environments
from ..runtime import Node
from ..runtime.table import Table
from ..runtime.tables import Held
from ..runtime.timers import INTERVAL, SEND
from .mentions import mentions
from .renewal import Renewal
from .tracebacks import error_lines, one_line

Undo = Callable[[], None]


class Beside:
    """One going over. ``begins`` is called before anything runs that is a process's own: hooks of what it holds."""

    def __init__(self, node: Node, renewal: Renewal, begins: Undo) -> None:
        self._node, self._renewal, self._begins = node, renewal, begins
        self._undo: list[Undo] = []
        self.kept: list[tuple[str, str]] = []
        """What is still of the old code, in words, and why."""

    def go_over(self) -> None:
        """Renew what holds something old. What cannot be copied stays, and is told in ``kept``.

        Raises CompileError for what was interrupted.
        """
        if not self._renewal.old:
            return
        for held in self._node.tables.by_id.values():
            if mentions((held.table.objects, held.heir_data), self._renewal.old):
                with self._renewing(f"table {held.name}", held.owner):
                    self._table(held)
        self._timers()
        with self._renewing("the environment of an application", None):
            self._applications()

    def put_back(self) -> None:
        """As it was before."""
        for undo in reversed(self._undo):
            undo()

    @contextmanager
    def _renewing(self, what: str, owner: Any) -> Iterator[None]:
        """What runs is the owner's, so that a hook without end can be broken like any callback."""
        node = self._node
        before, process = node.current, node.processes.get(owner)
        if process is not None:
            node.current = process
            self._begins()
        try:
            yield
        except BaseException as error:
            text = f"nothing was loaded: {what} could not go over to the new code: {one_line(error)}"
            raise CompileError("load_error", text, (), tuple(error_lines(error))) from None
        finally:
            node.current = before
        self.kept += [(what, why) for why in self._renewal.kept]
        self._renewal.kept.clear()

    def _table(self, held: Held) -> None:
        before, data = held.table, held.heir_data
        try:
            held.table = _renewed(before, self._renewal)
        except Exception as error:  # a key whose class cannot be a key any more
            self._renewal.kept.append(one_line(error))
        held.heir_data = self._renewal(data)

        def undo() -> None:
            held.table, held.heir_data = before, data

        self._undo.append(undo)

    def _timers(self) -> None:
        """In their places: the order is that of deadlines and ages, which stay."""
        node = self._node
        if not mentions(node.timer_heap, self._renewal.old):
            return
        heap, timers = list(node.timer_heap), dict(node.timers)

        def undo() -> None:
            node.timer_heap[:] = heap
            node.timers.clear()
            node.timers.update(timers)

        self._undo.append(undo)
        for place, item in enumerate(heap):
            if _waits_to_be_sent(item, timers) and mentions(item[4], self._renewal.old):
                detail = item[4]
                with self._renewing("a timer's message", detail[-2]):
                    detail = self._renewal(detail)
                node.timer_heap[place] = node.timers[item[3]] = (*item[:4], detail)

    def _applications(self) -> None:
        node, renew = self._node, self._renewal
        before = dict(environments(node))
        specs = [(entry, entry.spec) for entry in applications(node).values()]

        def undo() -> None:
            environments(node).update(before)
            for entry, spec in specs:
                entry.spec = spec

        self._undo.append(undo)
        environments(node).update(renew(before))
        for entry, spec in specs:
            entry.spec = renew(spec)


def _waits_to_be_sent(item: Any, timers: Mapping[Any, Any]) -> bool:
    """Whether this is the timer of a message, and in force."""
    return item[2] in (SEND, INTERVAL) and timers.get(item[3]) is item


def _renewed(table: Table, renewal: Renewal) -> Table:
    """The same objects in the same order, under keys that the new code finds them by."""
    fresh = Table(table.kind, table.key)
    places: dict[Any, Any] = {}
    renewed: list[list[Any]] = renewal.copied(list(table.objects.values()))
    for before, objects in zip(table.objects, renewed, strict=True):
        place = places[before] = fresh.place(objects[0][table.key])
        if place in fresh.objects:
            raise ValueError(f"two keys are one in the new code: {objects[0][table.key]!r}")
        fresh.objects[place] = objects
    fresh.order = sorted(fresh.objects) if table.kind == "ordered_set" else []
    fresh.fixed = table.fixed
    if table.listed is not None:
        listed = [places.get(place, place) for place in table.listed[0]]
        fresh.listed = listed, {place: number for number, place in enumerate(listed)}
    return fresh
