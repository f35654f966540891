"""The kinds of mailbox entries, and the messages that links, monitors and timers leave in a mailbox.

A mailbox entry is a tuple ``(kind, payload, source)``. It is a tuple and not a
class because one is made for every message.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, Final, NamedTuple

import msgspec

from ..model.ids import Pid, Ref
from .generic import Generic, TypeVar

Value = TypeVar("Value", default=Any)
Value_co = TypeVar("Value_co", covariant=True, default=Any)

INFO: Final = 0
"""A plain message; source is the number of the sender's pid, or None.

A plain integer, unlike a Pid, keeps the entry out of the cyclic collector's sight.
"""
CALL: Final = 1
"""A request that wants a reply; source is the Caller."""
CAST: Final = 2
EXIT: Final = 3
"""An exit signal turned into a message because the receiver traps exits; payload is an Exit."""
DOWN: Final = 4
TIMEOUT: Final = 5
"""A behaviour's own timer; payload is its token."""
CONTINUE: Final = 6
SYSTEM: Final = 7
"""A sys request; payload is (operation, argument), source the Caller."""
INIT: Final = 8
"""The first entry of a process: what to run."""

KIND_NAMES: Final = ("info", "call", "cast", "exit", "down", "timeout", "continue", "system", "start")

Entry = tuple[int, object, object]


class Caller(msgspec.Struct, Generic[Value], frozen=True, gc=False):
    """Who waits for a reply: give it to ``self.reply(caller, value)``. The tag makes a late reply recognisable.

    ``Caller[int]``, for a checker: one that may be answered with an int.

    >>> from jupyter_sandbox.otp import Caller, GenServer, Node, NoReply
    >>> class Slow(GenServer):
    ...     def handle_call(self, request, caller: Caller[str], state):
    ...         self.send_after(30, self.pid, (caller, request.upper()))
    ...         return NoReply(state)
    ...     def handle_info(self, message, state):
    ...         self.reply(*message)
    ...         return NoReply(state)
    >>> async def main(self):
    ...     return await self.call(await self.start(Slow), "later"), self.now()
    >>> Node().run_function(main)
    ('LATER', 30)
    """

    pid: Pid
    tag: int


class Exit(NamedTuple):
    """The message an exit signal becomes in a process that traps exits: Erlang's ``{'EXIT', From, Reason}``.

    >>> from jupyter_sandbox.otp import Exit, Node
    >>> async def main(self):
    ...     async def crash(self):
    ...         self.exit("tired")
    ...     self.trap_exit()
    ...     pid = self.spawn_link(crash)
    ...     match await self.receive():
    ...         case Exit(who, reason):
    ...             return who == pid, reason
    >>> Node().run_function(main)
    (True, 'tired')
    """

    process: Pid
    reason: object


class Down(NamedTuple):
    """The message of a monitor: Erlang's ``{'DOWN', Ref, process, Object, Reason}``.

    ``process`` is what was monitored: a pid, or the name if the monitor was set on a name.

    >>> from jupyter_sandbox.otp import Down, Node
    >>> async def main(self):
    ...     async def work(self):
    ...         await self.sleep(5)
    ...     pid = self.spawn(work)
    ...     ref = self.monitor(pid)
    ...     return await self.receive() == Down(ref, pid, "normal")
    >>> Node().run_function(main)
    True
    """

    ref: Ref
    process: object
    reason: object


class Timeout(NamedTuple):
    """The message of ``start_timer``: Erlang's ``{timeout, Ref, Msg}``.

    >>> from jupyter_sandbox.otp import Node, Timeout
    >>> async def main(self):
    ...     ref = self.start_timer(50, self.pid, "tea")
    ...     return await self.receive() == Timeout(ref, "tea"), self.now()
    >>> Node().run_function(main)
    (True, 50)
    """

    ref: Ref
    message: object


class Response(NamedTuple):
    """The outcome of a ``send_request``, for ``receive_response``. ``value`` is the exit reason unless ``ok``.

    >>> from jupyter_sandbox.otp import GenServer, Node, NoReply, Reply, Response
    >>> class Shop(GenServer):
    ...     def handle_call(self, item, caller, state):
    ...         return Reply(f"{item} delivered", state)
    >>> class Buyer(GenServer):
    ...     def handle_cast(self, item, arrived):
    ...         self.send_request("shop", item)
    ...         return NoReply(arrived)
    ...     def handle_info(self, message, arrived):
    ...         match message:
    ...             case Response(_, True, answer):
    ...                 return NoReply([*arrived, answer])
    ...     def handle_call(self, request, caller, arrived):
    ...         return Reply(arrived, arrived)
    >>> async def main(self):
    ...     await self.start(Shop, name="shop")
    ...     buyer = await self.start(Buyer, [])
    ...     self.cast(buyer, "tea")
    ...     await self.sleep(1)
    ...     return await self.call(buyer, "what came?")
    >>> Node().run_function(main)
    ['tea delivered']
    """

    ref: Ref
    ok: bool
    value: object


class Request(NamedTuple):
    """A call as a plain process sees it in its mailbox; answer with ``self.reply(request.caller, value)``."""

    caller: Caller
    message: object


class SystemRequest(NamedTuple):
    """A request of ``sys`` as a plain process sees it in its mailbox: Erlang's ``{system, From, Request}``."""

    caller: Caller
    request: tuple[str, object]


class Asks(Generic[Value_co]):
    """Optional base of a request's class: it says what kind of answer ``call`` will give.

    >>> from dataclasses import dataclass
    >>> from jupyter_sandbox.otp import Asks, CallResult, Caller, GenServer, Node, OtpContext, Reply
    >>> @dataclass(frozen=True)
    ... class Add(Asks[int]):
    ...     amount: int
    >>> class Counter(GenServer[int, Add, int]):
    ...     def handle_call(self, request: Add, caller: Caller[int], n: int) -> CallResult[int, int]:
    ...         return Reply(n + request.amount, n + request.amount)
    >>> async def main(self: OtpContext) -> int:
    ...     counter = await self.start(Counter, 40)
    ...     return await self.call(counter, Add(2))
    >>> Node().run_function(main)
    42

    A checker knows that ``self.call(counter, Add(2))`` is an int. At run time it is an empty class.
    """

    __slots__ = ()


class Notify(NamedTuple):
    """A cast as a plain process sees it in its mailbox."""

    message: object


class Missing(Enum):
    """A value that is no value, so that None stays an ordinary message."""

    MISSING = "missing"

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = Missing.MISSING
