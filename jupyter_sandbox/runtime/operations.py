"""What a suspended callback waits for: the requests that ``await self. ...`` hands to the node.

Each is a tuple made for every await, hence no class: ``(kind, subject, detail, timeout_ms, more)``, all five always,
so that the scheduler takes it apart before it looks at the kind.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from types import coroutine
from typing import Any, Final

import msgspec

from ..model.ids import Ref
from .generic import Generic, TypeVar
from .isolate import ATOMIC
from .signals import Value_co

State_co = TypeVar("State_co", covariant=True, default=Any)

OP_CALL: Final = 0
OP_STOP: Final = 1
"""Like a call, but what ends the wait is the end of who was asked; its result is a one-tuple with the exit reason."""
OP_RECEIVE: Final = 2
OP_SLEEP: Final = 3
OP_START: Final = 4
OP_OUTSIDE: Final = 5
OP_YIELD: Final = 6
OP_ROW: Final = 7
"""Start many processes; the subject is a row. ``row.start(process, most)`` starts up to ``most`` of them on the spot;
the result says how the last one came up, or is UP if they all have.
"""
OP_REPLY: Final = 8
"""A driver's callback has answered with the Reply that is the subject."""
OP_DONE: Final = 9
"""A driver's callback has ended."""
WAIT_NAMES: Final = ("call", "stop", "receive", "sleep", "start", "outside work", "yield", "start")

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
    """The call operation, on its own because it is the hot one; ``kind`` is that of the entry it leaves."""
    return (yield (OP_CALL, target, request, timeout_ms, kind))


class Reply(msgspec.Struct, Generic[Value_co, State_co], frozen=True, gc=False):
    """``{reply, Value, State}``: answer the caller and go on with the new state.

    It lives here because a dispatch may return it: then the scheduler passes ``value`` on.

    >>> from jupyter_sandbox.otp import GenServer, Node, Reply
    >>> class Counter(GenServer):
    ...     def handle_call(self, request, caller, n):
    ...         return Reply(n, n + 1)
    >>> async def main(self):
    ...     counter = await self.start(Counter, 5)
    ...     return [await self.call(counter, "next") for _ in range(2)]
    >>> Node().run_function(main)
    [5, 6]
    """

    value: Value_co
    state: State_co
    then: Any = None


UP: Final = object()
"""What a function of ``node.begins`` returns when init is done and all that is left is to tell the starter."""


DONE: Final = (OP_DONE, None, None, None, None)


@coroutine
def driver() -> Generator[Any, Any, None]:
    """Runs one ``async def`` callback after another; a job is (process, coroutine, follow, caller).

    One driver serves many callbacks, and awaiting here needs no StopIteration
    for each. ``follow`` does what the result or error asks for, and may give
    one more job. A plain Reply needs no ``follow``: the scheduler passes it on.
    """
    job = yield
    while True:
        process, coro, follow, caller = job
        try:
            result = yield from coro
        except GeneratorExit:
            raise
        except BaseException as error:  # whatever the callback raised: it is for ``follow`` to judge
            job = follow(process, None, error, caller)
        else:
            if (
                type(result) is Reply
                and caller is not None
                and type(result.value) in ATOMIC
                and result.then is None
                and process.upgrade is None
            ):
                process.state = result.state
                job = yield (OP_REPLY, result, None, None, None)
                continue
            job = follow(process, result, None, caller)
        if job is None:
            job = yield DONE


def drive(process: Any, coro: Any, follow: Callable[..., Any], caller: Any) -> Any:
    """Start a callback's coroutine with a driver: what it asks for first, its Reply, or None when it has ended."""
    drivers = process.node.drivers
    if drivers:
        found = drivers.pop()
    else:
        found = driver()
        found.send(None)
    process.coro = found
    operation = found.send((process, coro, follow, caller))
    if type(operation) is not tuple or operation[0] < OP_REPLY:
        return operation
    process.coro = None
    drivers.append(found)
    return operation[1]
