"""What a suspended callback waits for: the requests that ``await self. ...`` hands to the node.

Each is a tuple with its number first, made for every await, hence no class.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from types import coroutine
from typing import Any, Final

import msgspec

from ..model.ids import Ref

OP_CALL: Final = 0
OP_RECEIVE: Final = 1
OP_SLEEP: Final = 2
OP_START: Final = 3
OP_OUTSIDE: Final = 4
OP_YIELD: Final = 5
WAIT_NAMES: Final = ("call", "receive", "sleep", "start", "outside work", "yield")

Matcher = Callable[[Any], Any]


class Raise(msgspec.Struct, frozen=True):
    """A resume value that is to be raised in the suspended callback instead of returned."""

    error: BaseException


class Receive(msgspec.Struct, frozen=True):
    """A selective receive in progress. ``match`` None takes any message, a Ref the message of that monitor;
    ``default`` answers a timeout.
    """

    match: Matcher | Ref | None
    default: Any


@coroutine
def ask(operation: tuple[Any, ...]) -> Generator[Any, Any, Any]:
    """Hand an operation to the node and wait for its result."""
    return (yield operation)


@coroutine
def call(target: Any, request: Any, timeout_ms: int | None, kind: int) -> Generator[Any, Any, Any]:
    """The call operation, on its own because it is the hot one."""
    return (yield (OP_CALL, target, request, timeout_ms, kind))


class Done(msgspec.Struct, frozen=True):
    """What a driver yields when a callback has ended."""


DONE: Final = Done()


@coroutine
def driver() -> Generator[Any, Any, None]:
    """Runs one ``async def`` callback after another; a job is (process, coroutine, follow, detail).

    Awaiting here is far cheaper than resuming the callback's coroutine from a
    loop, which would have to catch a StopIteration for every one. ``follow``
    does what the result or error asks for, and may give one more job.
    """
    job = yield
    while True:
        process, coro, follow, detail = job
        try:
            result = yield from coro
        except GeneratorExit:
            raise
        except BaseException as error:  # whatever the callback raised: it is for ``follow`` to judge
            job = follow(process, None, error, detail)
        else:
            job = follow(process, result, None, detail)
        if job is None:
            job = yield DONE


def drive(process: Any, coro: Any, follow: Callable[..., Any], detail: Any) -> Any:
    """Start a callback's coroutine with a driver: what it asks for first, or None when it has ended already."""
    drivers = process.node.drivers
    if drivers:
        found = drivers.pop()
    else:
        found = driver()
        found.send(None)
    process.coro = found
    operation = found.send((process, coro, follow, detail))
    if operation is not DONE:
        return operation
    process.coro = None
    drivers.append(found)
    return None


class Reply(msgspec.Struct, frozen=True, gc=False):
    """``{reply, Value, State}``: answer the caller and go on with the new state.

    It lives here because a dispatch may return it: then the scheduler passes ``value`` on.
    """

    value: Any
    state: Any
    then: Any = None
