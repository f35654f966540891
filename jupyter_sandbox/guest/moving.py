"""Moves processes from old code to new: their class, their state through ``code_change``, and what they hold.

Everything is prepared first and then done or put back as a whole, so that one
process that refuses leaves all of them in the old code.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from types import FunctionType, ModuleType
from typing import Any

from ..code.versions import VersionTable
from ..model.errors import CompileError
from ..otp import debug
from ..otp.sys import move
from ..runtime import Node, delivery
from ..runtime.crashes import exit_reason
from ..runtime.process import Process
from .beside import Beside
from .mentions import mentions
from .renewal import Renewal
from .tracebacks import error_lines, one_line

_KINDS = {"server": "GenServer", "statem": "GenStatem", "supervisor": "Supervisor"}
_OURS = __name__.rpartition("guest.")[0]


@dataclass(frozen=True, slots=True)
class Move:
    """One process and where it goes; ``behaviour`` is None when only what it holds has to follow.

    ``changes`` says whether its ``code_change`` is called.
    """

    process: Process
    behaviour: Any
    old_version: Any
    extra: Any
    renewal: Renewal
    changes: bool = False


@dataclass(slots=True)
class _Before:
    """What has to be put back when a later process refuses."""

    process: Process
    values: tuple[Any, ...]

    @classmethod
    def of(cls, process: Process) -> _Before:
        return cls(process, (process.state, process.context, process.behaviour, process.dispatch, process.mailbox,
                             process.dictionary, process.upgrade))  # fmt: skip

    def restore(self) -> None:
        process = self.process
        (process.state, process.context, process.behaviour, process.dispatch, process.mailbox,
         process.dictionary, process.upgrade) = self.values  # fmt: skip


def plan(node: Node, renewal: Renewal, changed: Set[str], table: VersionTable, extra: Any) -> list[Move]:
    """Every process that has to move, by age. Raises CompileError when its class is gone from the new code.

    ``changed`` are the modules with another text. Of the others that are run
    again for using one of these, ``code_change`` is not called: nothing in them makes another state.
    """
    if not renewal.old:
        return []
    moves = []
    for process in sorted(node.processes.values(), key=lambda found: found.number):
        behaviour = process.behaviour
        if process.hidden or not isinstance(behaviour, type):
            continue
        if id(behaviour) in renewal.old:
            target = _target(process, behaviour, renewal)
            before = getattr(behaviour, "version", None)
            version = table.number(behaviour.__module__) if before is None else before
            changes = not _may_change(target) or _is_of(changed, behaviour, target)
            moves.append(Move(process, target, version, extra, renewal, changes))
        elif mentions((process.state, process.mailbox, process.dictionary), renewal.old):
            moves.append(Move(process, None, None, extra, renewal))
    return moves


def _target(process: Process, behaviour: Any, renewal: Renewal) -> Any:
    """The class that it goes on in. Raises CompileError; another behaviour would take its state for what it is not."""
    target = renewal.memo.get(id(behaviour))
    name = behaviour.__qualname__
    if target is None or getattr(target, "engine", None) is None:
        raise _refusal(process, f"the new code has no {name} that it could go on in")
    was, now = behaviour.engine.kind, target.engine.kind
    if was != now:
        raise _refusal(process, f"it is a {_KINDS[was]}, and the new {name} is a {_KINDS[now]}; give that another name")
    return target


def perform(node: Node, renewal: Renewal, moves: list[Move], begins: Callable[[], None]) -> list[str]:
    """Move all of them, or none: raises CompileError that names the process and tells why.

    ``begins`` is called before each runs what is its own. Returns what is still of the old code, in words.
    """
    done: list[_Before] = []
    beside = Beside(node, renewal, begins)
    kept: list[tuple[str, str]] = []
    try:
        for step in moves:
            done.append(_Before.of(step.process))
            _or_refuse(step, begins)
            kept += [(shown_name(step.process), why) for why in renewal.kept]
            renewal.kept.clear()
        beside.go_over()
    except BaseException:
        beside.put_back()
        for before in reversed(done):
            before.restore()
        raise
    return [still_old(who, why) for who, why in dict.fromkeys(kept + beside.kept)]


def _or_refuse(step: Move, begins: Callable[[], None]) -> None:
    try:
        _perform(step, begins)
    except BaseException as error:  # the user's code_change may raise anything
        lines = tuple(error_lines(error))
        raise _refusal(step.process, f"its code_change raised {one_line(error)}", lines) from None


def still_old(who: str, why: str) -> str:
    """What a user is told who has such objects.

    >>> print(still_old("bag", "TypeError: cannot pickle 'generator' object"))  # doctest: +NORMALIZE_WHITESPACE
    bag still holds objects of the old code, which could not be copied (TypeError: cannot pickle 'generator' object):
    isinstance and match of the new code do not know them; make them anew in code_change, or restart it
    """
    return (
        f"{who} still holds objects of the old code, which could not be copied ({why}): isinstance and match of the "
        "new code do not know them; make them anew in code_change, or restart it"
    )


def purge(node: Node, old: Mapping[str, ModuleType]) -> int:
    """Kill the processes that run a version older than ``old``: a module never has three (``code:purge``)."""
    killed = 0
    for process in list(node.processes.values()):
        home = _home(process)
        name = "" if home is None else str(home.get("__name__"))
        if (
            name in old
            and home is not None
            and home is not old[name].__dict__
            and home is not sys.modules[name].__dict__
        ):
            delivery.doom(node, process, "killed")
            killed += 1
    return killed


def _is_of(modules: Set[str], *classes: type) -> bool:
    """Whether any of these classes, or one that it inherits from, is defined in one of the modules."""
    return any(base.__module__ in modules for one in classes for base in one.__mro__)


def _is_one_of(home: dict[str, Any], *modules: ModuleType) -> bool:
    return any(home is module.__dict__ for module in modules)


def counts(node: Node, table: VersionTable) -> dict[tuple[str, int], int]:
    """How many processes run each version of each module."""
    found: dict[tuple[str, int], int] = {}
    for process in node.processes.values():
        home = _home(process)
        name = "" if home is None else str(home.get("__name__"))
        number = table.number(name)
        if number and name in sys.modules:
            current = home is sys.modules[name].__dict__
            key = (name, number if current else number - 1)
            found[key] = found.get(key, 0) + 1
    return found


def _perform(step: Move, begins: Callable[[], None]) -> None:
    process, renew = step.process, step.renewal
    if process.mailbox is not None:
        process.mailbox = deque(renew(entry) for entry in process.mailbox)
    process.dictionary = renew(process.dictionary)
    if process.coro is not None:
        process.upgrade = _later(step)  # the callback in progress works on the very state
    else:
        _go_over(step, begins)


def _go_over(step: Move, begins: Callable[[], None] = lambda: None) -> None:
    process = step.process
    if step.behaviour is None:
        process.state = step.renewal(process.state)
        return
    if not step.changes:
        process.state = step.renewal(process.state)
        process.context, process.behaviour = step.behaviour(process), step.behaviour
        debug.switch(process)
        return
    node, renew = process.node, step.renewal.copied if _may_change(step.behaviour) else step.renewal
    before, node.current = node.current, process  # so that a code_change without end can be broken like any callback
    try:
        begins()
        process.state = renew(process.state)
        move(process, step.behaviour, step.old_version, step.extra)
    finally:
        node.current = before


def _may_change(behaviour: Any) -> bool:
    """Whether the class has a ``code_change`` of its own."""
    own = getattr(behaviour, "code_change", None)
    return own is not None and not str(getattr(own, "__module__", "")).startswith(_OURS)


def _later(step: Move) -> Any:
    """For a process in the middle of a callback: it goes over when that is done (``sys:suspend`` waits likewise)."""

    def upgrade(process: Process) -> None:
        process.upgrade = None
        try:
            _go_over(step)
            for why in step.renewal.kept:
                process.node.emit("log", process, ("warning", still_old(shown_name(process), why)))
            step.renewal.kept.clear()
        except BaseException as error:  # too late to go back: it ends, and its supervisor starts it in the new code
            node = process.node
            reason = exit_reason(error)
            node.emit("crash", process, (("code_change", step.old_version), reason, process.state))
            node.exit_process(process, reason)

    return upgrade


def _home(process: Process) -> dict[str, Any] | None:
    """The namespace of the module whose code a process runs."""
    runs = process.behaviour
    if isinstance(runs, type):
        for value in vars(runs).values():
            inner = getattr(value, "__func__", value)
            if isinstance(inner, FunctionType):
                return inner.__globals__
        module = sys.modules.get(runs.__module__)
        return None if module is None else module.__dict__
    return getattr(runs, "__globals__", None)


def shown_name(process: Process) -> str:
    """Its registered name, or its pid."""
    return process.name or repr(process.pid)


def _refusal(process: Process, why: str, traceback: tuple[str, ...] = ()) -> CompileError:
    text = f"process {shown_name(process)} stays in the old code: {why}; all others do too. Correct it and load again"
    return CompileError("load_error", text, (), traceback)
