"""What ``sys`` can note about one behaviour's process: statistics, a log, a trace, functions of the user's.

While something is on, ``process.debug`` is a Debug and ``process.dispatch`` the
function in here; otherwise neither, so that it costs nothing. Rules: Erlang's ``sys``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import coroutine
from typing import Any, Final, NamedTuple

from ..model.ids import Pid
from ..model.text import short_text
from ..runtime import delivery
from ..runtime.operations import OP_REPLY, Reply
from ..runtime.process import Process
from ..runtime.signals import CONTINUE, INIT, SYSTEM, TIMEOUT, Caller, Entry

LOG_SIZE: Final = 10
DONE: Final = "done"
"""What an installed function returns when it wants no more events."""


class In(NamedTuple):
    """A message came in; ``sender`` is None for a timer's."""

    message: Any
    sender: Pid | None


class Out(NamedTuple):
    """A call was answered."""

    message: Any
    to: Pid


class NewState(NamedTuple):
    """A callback has ended; this is the state by now."""

    state: Any


SystemEvent = In | Out | NewState
Function = Callable[[Any, SystemEvent, Any], Any]


@dataclass(slots=True)
class Statistics:
    """Since when, and how much."""

    start_ms: int
    start_steps: int
    messages_in: int = 0
    messages_out: int = 0


@dataclass(slots=True)
class Debug:
    """What is on."""

    statistics: Statistics | None = None
    log: deque[SystemEvent] | None = None
    trace: bool = False
    functions: dict[Any, tuple[Function, Any]] = field(default_factory=dict)

    @property
    def idle(self) -> bool:
        """Whether nothing is on."""
        return self.statistics is None and self.log is None and not self.trace and not self.functions


def note(process: Process, event: SystemEvent) -> None:
    """Tell an event to all that is on."""
    debug: Debug | None = process.debug
    if debug is None:
        return
    if debug.statistics is not None:
        debug.statistics.messages_in += type(event) is In
        debug.statistics.messages_out += type(event) is Out
    if debug.log is not None:
        debug.log.append(event)
    if debug.trace:
        process.node.emit("log", process, ("debug", f"*DBG* {process.name or process.pid} {_told(event)}"))
    for id, (function, state) in list(debug.functions.items()):
        try:
            new = function(state, event, process.name or process.pid)
        except BaseException:  # as in Erlang: a function that fails is not asked again, and harms nobody
            new = DONE
        if type(new) is str and new == DONE:
            del debug.functions[id]
        else:
            debug.functions[id] = (function, new)
    switch(process)


def _told(event: SystemEvent) -> str:
    match event:
        case In(message, sender):
            return f"got {short_text(message)}" + ("" if sender is None else f" from {sender}")
        case Out(message, to):
            return f"sent {short_text(message)} to {to}"
        case NewState(state):
            return f"new state {short_text(state)}"


def switch(process: Process) -> None:
    """Let ``process.dispatch`` fit what is on."""
    if process.debug is not None and process.debug.idle:
        process.debug = None
    process.dispatch = process.behaviour.engine.dispatch if process.debug is None else dispatch


# --- watching ---------------------------------------------------------------------------------------------------------


def dispatch(process: Process, entry: Entry) -> Any:
    """Handle one mailbox entry as the behaviour does, and note it."""
    kind, payload, source = entry
    handle = process.behaviour.engine.dispatch
    if kind in (SYSTEM, INIT):
        return handle(process, entry)
    if kind == TIMEOUT and payload == process.timer:
        note(process, In("timeout", None))
    elif kind not in (CONTINUE, TIMEOUT) and not getattr(type(payload), "of_the_machine", False):
        sender = source.pid if type(source) is Caller else source
        note(process, In(payload, sender if isinstance(sender, Pid) else None))
    with _watching(process):
        result = handle(process, entry)
    if type(result) is Reply:
        assert type(source) is Caller
        note(process, Out(result.value, source.pid))
    elif process.coro is not None or result is not None:
        return _go_on(process, result)
    _ended(process)
    return result


def _go_on(process: Process, result: Any) -> Any:
    """A callback that waits: watch it each time it goes on."""
    if process.coro is None:
        watched = _watched(process, result, None)
    else:
        watched = _watched(process, process.coro, result)
    process.coro = watched
    try:
        return watched.send(None)
    except StopIteration:
        process.coro = None
        return None


@coroutine
def _watched(process: Process, running: Any, operation: Any) -> Generator[Any, Any, None]:
    """Hand on what a callback awaits; ``operation`` is the first it asked for, None when it has not begun."""
    value: Any = None
    error: BaseException | None = None
    while True:
        if operation is not None:
            try:
                value = yield operation
            except GeneratorExit:
                running.close()
                raise
            except BaseException as raised:  # the node raises what a call or a start ended with
                error = raised
        try:
            with _watching(process):
                operation = running.send(value) if error is None else running.throw(error)
        except StopIteration:
            break
        value = error = None
        if type(operation) is tuple and operation[0] >= OP_REPLY:
            process.node.drivers.append(running)
            if operation[0] == OP_REPLY:
                with _watching(process):
                    delivery.hand_over(process.node, process.message[2], operation[1].value)
            break
    _ended(process)


def _ended(process: Process) -> None:
    if process.alive:
        note(process, NewState(process.state))


@contextmanager
def _watching(process: Process) -> Generator[None, None, None]:
    """Note the answers that the process gives meanwhile."""
    node = process.node
    outer = node.trace

    def listen(kind: str, actor: Process, data: Any) -> None:
        if kind == "reply" and actor is process:
            note(process, Out(data[1], data[0]))
        if outer is not None:
            outer(kind, actor, data)

    node.trace = listen
    try:
        yield
    finally:
        node.trace = outer


# --- the operations of sys --------------------------------------------------------------------------------------------


def _on(process: Process) -> Debug:
    if process.debug is None:
        process.debug = Debug()
    debug: Debug = process.debug
    return debug


def _statistics(process: Process, on: bool | None) -> dict[str, int] | None:
    if on is None:
        found = None if process.debug is None else process.debug.statistics
        return None if found is None else _numbers(process, found)
    if not on:
        _on(process).statistics = None
    elif _on(process).statistics is None:
        _on(process).statistics = Statistics(process.node.now_ms, process.steps)
    switch(process)
    return None


def _numbers(process: Process, found: Statistics) -> dict[str, int]:
    return {
        "start_time": found.start_ms, "current_time": process.node.now_ms,
        "reductions": process.steps - found.start_steps,
        "messages_in": found.messages_in, "messages_out": found.messages_out,
    }  # fmt: skip


def _log(process: Process, on: bool | int | None) -> list[SystemEvent] | None:
    debug = _on(process)
    kept = debug.log or ()
    if on is None:
        switch(process)
        return list(kept)
    debug.log = None if on is False else deque(kept, LOG_SIZE if on is True else on)
    switch(process)
    return None


def _trace(process: Process, on: bool) -> None:
    _on(process).trace = on
    switch(process)


def _install(process: Process, what: tuple[Any, Function, Any]) -> None:
    id, function, state = what
    _on(process).functions.setdefault(id, (function, state))
    switch(process)


def _remove(process: Process, id: Any) -> None:
    _on(process).functions.pop(id, None)
    switch(process)


def _no_debug(process: Process, _: Any) -> None:
    process.debug = None
    switch(process)


OPERATIONS: Final[dict[str, Callable[[Process, Any], Any]]] = {
    "statistics": _statistics,
    "log": _log,
    "trace": _trace,
    "install": _install,
    "remove": _remove,
    "no_debug": _no_debug,
}
