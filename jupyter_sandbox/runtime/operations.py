"""What a suspended callback waits for: the requests that ``await self. ...`` hands to the node.

Each is a tuple with its number first, made for every await, hence no class.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from types import coroutine
from typing import Any, Final

import msgspec

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
    """A selective receive in progress. ``match`` None takes any message; ``default`` answers a timeout."""

    match: Matcher | None
    default: Any


@coroutine
def ask(operation: tuple[Any, ...]) -> Generator[Any, Any, Any]:
    """Hand an operation to the node and wait for its result."""
    return (yield operation)


@coroutine
def call(target: Any, request: Any, timeout_ms: int | None, kind: int) -> Generator[Any, Any, Any]:
    """The call operation, on its own because it is the hot one."""
    return (yield (OP_CALL, target, request, timeout_ms, kind))
