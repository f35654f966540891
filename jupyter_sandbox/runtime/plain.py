"""Plain processes: a function that runs once in a process of its own, and the clients of requests from outside."""

from __future__ import annotations

from collections.abc import Callable
from inspect import isawaitable
from types import CoroutineType
from typing import Any

from ..model.exits import is_normal
from . import lifecycle
from .crashes import exit_reason, tellable
from .inputs import Reply
from .process import Process, Running
from .signals import Entry


def run_plain(process: Process, entry: Entry) -> Running | None:
    """The dispatch of a plain process: its first entry says what to run; it exits when that is done."""
    function, args = _first(entry)
    return _main(process, function, args)


async def _main(process: Process, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
    try:
        result = function(process.context, *args)
        if type(result) is CoroutineType or isawaitable(result):
            await result
    except GeneratorExit:
        raise
    except BaseException as error:  # whatever it raises is its exit reason
        _crashed(process, exit_reason(error))
        return
    lifecycle.exit_process(process.node, process, "normal")


def _crashed(process: Process, reason: object) -> None:
    reason = tellable(process.node.copy, reason)
    if not is_normal(reason):
        process.node.emit("crash", process, ("main", reason))
    lifecycle.exit_process(process.node, process, reason)


def _first(entry: Entry) -> Any:
    """What the first entry of a process says is to be run."""
    return entry[1]


def run_client(process: Process, entry: Entry) -> Running | None:
    """The dispatch of a client: like a plain process, but its outcome is the answer to an Apply."""
    request, function, args = _first(entry)
    return _serve(process, request, function, args)


async def _serve(process: Process, request: int, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
    node = process.node
    try:
        value = await function(process.context, *args)
    except GeneratorExit:
        node.answers.append(Reply(request, False, error=RuntimeError("the client was stopped")))
        raise
    except BaseException as error:  # handed on to whoever asked
        error.__traceback__ = None
        node.answers.append(Reply(request, False, error=error))
    else:
        node.answers.append(Reply(request, True, value))
    lifecycle.exit_process(node, process, "normal")


def prepare(process: Process, function: Any) -> None:
    """Give a plain process its context and what it is known by."""
    process.context = process.node.context_class(process)
    process.behaviour = function
