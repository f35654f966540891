"""What callbacks return. The names are Elixir's and Erlang's return tuples, as types."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from ..model.given import LONGEST_WAIT_MS
from ..runtime.context import check_duration
from ..runtime.generic import Generic
from ..runtime.operations import Reply as Reply
from ..runtime.operations import State_co
from ..runtime.signals import Value_co


class Continue(msgspec.Struct, frozen=True):
    """Run ``handle_continue(argument, state)`` before any message that waits in the mailbox.

    >>> from jupyter_sandbox.otp import Continue, GenServer, Node, NoReply, Ok, Reply
    >>> class Index(GenServer):
    ...     def init(self, words):
    ...         return Ok({}, then=Continue(words))  # whoever starts it need not wait for the work
    ...     def handle_continue(self, words, index):
    ...         return NoReply({word: len(word) for word in words})
    ...     def handle_call(self, word, caller, index):
    ...         return Reply(index.get(word), index)
    >>> async def main(self):
    ...     return await self.call(await self.start(Index, ["a", "node"]), "node")
    >>> Node().run_function(main)
    4
    """

    argument: Any = None


class After(msgspec.Struct, frozen=True):
    """If no message arrives within ``ms`` milliseconds, ``handle_info(TIMEOUT, state)`` is called.

    >>> from jupyter_sandbox.otp import TIMEOUT, After, Down, GenServer, Node, Ok, Reply, Stop
    >>> class Session(GenServer):
    ...     def init(self, user):
    ...         return Ok(user, then=After(1_000))
    ...     def handle_call(self, request, caller, user):
    ...         return Reply(user, user, then=After(1_000))
    ...     def handle_info(self, message, user):
    ...         if message == TIMEOUT:
    ...             return Stop(("shutdown", "idle"), user)
    >>> async def main(self):
    ...     session, _ = await self.start_monitor(Session, "ada")
    ...     await self.sleep(900)
    ...     await self.call(session, "who?")
    ...     return (await self.receive(Down)).reason, self.now()
    >>> Node().run_function(main)
    (('shutdown', 'idle'), 1900)

    Raises UsageError for more than Erlang waits: ``self.send_after`` takes more.
    """

    ms: int

    def __post_init__(self) -> None:
        if type(self.ms) is int and self.ms > LONGEST_WAIT_MS:
            check_duration(self.ms)


class Hibernate(msgspec.Struct, frozen=True):
    """Nothing to save memory from here; it shows in process_info, and that is all it does.

    >>> from jupyter_sandbox.otp import HIBERNATE, GenServer, Hibernate, Node, NoReply
    >>> class Rare(GenServer):
    ...     def handle_cast(self, request, state):
    ...         return NoReply(state, then=HIBERNATE)
    >>> async def main(self):
    ...     rare = await self.start(Rare)
    ...     self.cast(rare, "rest")
    ...     await self.sleep(1)
    ...     return self.process_info(rare)["hibernated"], HIBERNATE == Hibernate()
    >>> Node().run_function(main)
    (True, True)
    """


Then = Continue | After | Hibernate | None

TIMEOUT: Final = "timeout"
"""The message that an After leaves."""


class Ok(msgspec.Struct, Generic[State_co], frozen=True):
    """``{ok, State}`` of init; a bare state means the same.

    >>> from jupyter_sandbox.otp import After, GenServer, Node, NoReply, Ok, sys
    >>> class Starter(GenServer):
    ...     def init(self, n):
    ...         return Ok(n, then=After(10))
    ...     def handle_info(self, message, n):
    ...         return NoReply(n + 1)
    >>> async def main(self):
    ...     starter = await self.start(Starter, 1)
    ...     await self.sleep(15)
    ...     return await sys.get_state(self, starter)
    >>> Node().run_function(main)
    2
    """

    state: State_co
    then: Then = None


class NoReply(msgspec.Struct, Generic[State_co], frozen=True, gc=False):
    """``{noreply, State}``: go on with the new state; a caller is answered later with ``self.reply``.

    >>> from jupyter_sandbox.otp import GenServer, Node, NoReply, Reply
    >>> class Bell(GenServer):  # who waits is answered when it rings
    ...     def handle_call(self, request, caller, waiting):
    ...         return NoReply([*waiting, caller])
    ...     def handle_cast(self, sound, waiting):
    ...         for caller in waiting:
    ...             self.reply(caller, sound)
    ...         return NoReply([])
    >>> async def main(self):
    ...     bell = await self.start(Bell, [])
    ...     heard = self.send_request(bell, "wait")
    ...     self.cast(bell, "ding")
    ...     return await self.receive_response(heard)
    >>> Node().run_function(main)
    'ding'
    """

    state: State_co
    then: Then = None


class Stop(msgspec.Struct, Generic[State_co, Value_co], frozen=True):
    """``{stop, Reason, State}``: terminate runs, the caller gets ``reply`` if there is one, then the process exits.

    From init, ``Stop(reason)`` makes the start fail with that reason.

    >>> from jupyter_sandbox.otp import Down, GenServer, Node, Reply, Stop
    >>> class Till(GenServer):
    ...     def handle_call(self, request, caller, money):
    ...         match request:
    ...             case ("take", amount) if amount > money:
    ...                 return Stop("robbed", money, reply="empty")
    ...             case ("take", amount):
    ...                 return Reply("thanks", money - amount)
    >>> async def main(self):
    ...     till, _ = await self.start_monitor(Till, 5)
    ...     said = [await self.call(till, ("take", amount)) for amount in (3, 3)]
    ...     return said, (await self.receive(Down)).reason
    >>> Node().run_function(main)
    (['thanks', 'empty'], 'robbed')
    """

    reason: Any
    state: State_co | msgspec.UnsetType = msgspec.UNSET
    reply: Value_co | msgspec.UnsetType = msgspec.UNSET


class Ignore(msgspec.Struct, frozen=True):
    """``ignore`` of init: the process does not run, and that is no failure.

    >>> from jupyter_sandbox.otp import IGNORE, GenServer, Ignore, Node
    >>> class Optional(GenServer):
    ...     def init(self, wanted):
    ...         return "on" if wanted else IGNORE
    >>> async def main(self):
    ...     return await self.start(Optional, False), isinstance(IGNORE, Ignore)
    >>> Node().run_function(main)
    (None, True)
    """


class Error(msgspec.Struct, frozen=True):
    """``{error, Reason}`` of code_change: keep the old code and state.

    >>> from jupyter_sandbox.otp import Error, GenServer, Node, sys
    >>> class Old(GenServer):
    ...     pass
    >>> class New(GenServer):
    ...     def code_change(self, old_version, state, extra):
    ...         return {"count": state} if isinstance(state, int) else Error("unknown state")
    >>> async def main(self):
    ...     kept = []
    ...     for state in (3, "three"):
    ...         server = await self.start(Old, state)
    ...         await sys.suspend(self, server)
    ...         try:
    ...             await sys.change_code(self, server, New, "1")
    ...         except sys.SysError as error:
    ...             kept.append(error.reason)
    ...         await sys.resume(self, server)
    ...         kept.append(await sys.get_state(self, server))
    ...     return kept
    >>> Node().run_function(main)
    [{'count': 3}, ('error', 'unknown state'), 'three']
    """

    reason: Any


IGNORE: Final = Ignore()
HIBERNATE: Final = Hibernate()
NO_STATE: Final = (Reply, NoReply, Error, Continue, After, Hibernate)
"""What init cannot mean as a first state: a return value of another callback, or half of one."""
