"""What one scenario knows while it runs: labels, references, the log, who ended. It lives beside the node."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from jupyter_sandbox.model.ids import Pid, Ref
from jupyter_sandbox.otp import OtpContext, TableId
from jupyter_sandbox.runtime.process import Process

from .terms import Order, parse, render


class Skip(Exception):
    """A command names a label that has had no process yet."""

    def __init__(self, label: str) -> None:
        super().__init__(label)
        self.label = label


class Unsupported(Exception):
    """A scenario uses something that this runner does not know: a failure of the scenario."""


class World:
    """The record of one scenario."""

    def __init__(self) -> None:
        self.incarnations: defaultdict[str, list[Pid]] = defaultdict(list)
        self.names: dict[Pid, str] = {}
        self.refs: dict[str, Any] = {}
        self.ref_names: dict[Ref, str] = {}
        self.tables: dict[str, Any] = {}
        self.table_names: dict[TableId, str] = {}
        self.log: list[dict[str, Any]] = []
        self.exits: list[list[Any]] = []
        self.results: dict[int, Any] = {}
        self.executing: dict[Pid, int] = {}
        """The op that a plain process executes right now."""
        self.observed: set[int] = set()
        """Ops whose result was still pending when the driver looked."""
        self.node_down = False

    # --- processes ----------------------------------------------------------------------------------------------

    def begin(self, ctx: OtpContext, label: str) -> int:
        """A labelled process begins to run: it takes its next incarnation number and logs ``init``."""
        mine = self.incarnations[label]
        mine.append(ctx.pid)
        self.names[ctx.pid] = f"{label}#{len(mine)}"
        self.event(self.names[ctx.pid], "init")
        return len(mine)

    def pid(self, text: str) -> Pid:
        """``a`` is the newest incarnation, ``a#2`` the second."""
        label, _, number = text.partition("#")
        found = self.incarnations.get(label)
        if not found:
            raise Skip(text)
        if not number:
            return found[-1]
        if not number.isdigit():
            raise Unsupported(f"{text} is no incarnation of {label}")
        if not 0 < int(number) <= len(found):
            raise Skip(text)
        return found[int(number) - 1]

    def name_of(self, pid: Pid) -> str:
        """How a process is shown."""
        return self.names.get(pid, "other")

    # --- references and tables ------------------------------------------------------------------------------------

    def keep_ref(self, name: str | None, ref: Any) -> Any:
        """Give a reference a scenario's name."""
        if name is not None:
            self.refs[name] = ref
            self.ref_names[ref] = name
        return ref

    def ref(self, name: str) -> Any:
        """The reference that was given this name last."""
        if name not in self.refs:
            raise Unsupported(f"no reference has the name {name}")
        return self.refs[name]

    def ref_name(self, ref: Ref) -> str:
        """How a reference is shown."""
        return self.ref_names.get(ref, "?")

    def keep_table(self, name: str, table: Any) -> None:
        """Give a table a scenario's name."""
        self.tables[name] = table
        if isinstance(table, TableId):
            self.table_names[table] = name

    def table(self, name: str) -> Any:
        """The newest table that was created under this name."""
        if name not in self.tables:
            raise Unsupported(f"no table has the name {name}")
        return self.tables[name]

    def table_name(self, table: TableId) -> str:
        """How a table is shown."""
        return self.table_names.get(table, "?")

    # --- observations -----------------------------------------------------------------------------------------------

    def event(self, who: str, kind: str, **fields: Any) -> None:
        """Log an event; fields are rendered now."""
        self.log.append({"p": who, "ev": kind, **{key: render(value, self) for key, value in fields.items()}})

    def returned(self, who: str, outcome: Any) -> None:
        """Log the result of a command inside a process."""
        self.log.append({"p": who, "ev": "ret", "ret": outcome})

    def finish(self, op: int, outcome: Any) -> None:
        """An op is done: its result, or an event if the driver has looked already."""
        if op in self.observed and outcome == {"died": True}:
            return  # nobody is left who could tell
        if op in self.observed:
            self.log.append({"p": f"op:{op}", "ev": "return", "ret": outcome})
        else:
            self.results[op] = outcome

    def hear(self, kind: str, process: Process, data: Any) -> None:
        """The node's sink: who ended, and what became of the ops it had not executed yet."""
        if kind != "process_exit":
            return
        name = self.names.get(process.pid)
        if name is not None and "#" in name:
            self.exits.append([name, render(data, self)])
        op = self.executing.pop(process.pid, None)
        left = [] if op is None else [op]
        left += [entry[1].op for entry in process.mailbox or () if isinstance(entry[1], Order)]
        for number in left:
            self.finish(number, {"died": True})

    def take(self) -> tuple[list[dict[str, Any]], list[Any]]:
        """The events and ends since last asked."""
        taken = self.log, self.exits
        self.log, self.exits = [], []
        return taken


def world_of(ctx: OtpContext) -> World:
    """The world of the scenario that a process belongs to."""
    world = ctx._process.node.globals["conformance"]
    assert isinstance(world, World)
    return world


def described(argument: Any) -> dict[str, Any]:
    """A process description: text, or a template's text and the overrides of one child."""
    if isinstance(argument, tuple):
        first, *rest = argument
        found = dict(described(first))
        for text in rest:
            found |= described(text)
        return found
    found = parse(argument)
    assert isinstance(found, dict)
    return found
