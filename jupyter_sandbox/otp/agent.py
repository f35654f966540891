"""Agent: a process that only keeps a value, which functions read and change. Rules: Elixir's ``Agent``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..model.ids import Pid
from ..runtime.context import Args
from ..runtime.signals import Value
from . import gen
from .child import Child
from .gen_server import GenServer
from .process import OtpContext
from .returns import IGNORE, NoReply, Reply, Stop

DEFAULT_TIMEOUT_MS = 5_000


class AgentServer(GenServer):
    """The process behind an agent: it runs the functions it is sent, one after the other."""

    def init(self, first: Any) -> Any:
        """The first value: what the function given to ``start`` returns."""
        return first() if callable(first) else first

    def handle_call(self, request: Any, caller: Any, state: Any) -> Any:
        """Run one function on the value."""
        kind, function, args = request
        result = function(state, *args)
        if kind == "get":
            return Reply(result, state)
        if kind == "update":
            return Reply(None, result)
        if type(result) is not tuple or len(result) != 2:
            return Stop(("bad_return_value", result), state)
        return Reply(*result)

    def handle_cast(self, request: Any, state: Any) -> Any:
        """Run one function whose caller does not wait."""
        function, args = request
        return NoReply(function(state, *args))


class Agent:
    """The functions of agents; each takes ``self`` first. Stop one with ``self.stop``.

    >>> from jupyter_sandbox.otp import Agent, Node
    >>> async def main(self):
    ...     count = await Agent.start_link(self, lambda: 0, name="count")
    ...     await Agent.update(self, "count", lambda n: n + 5)
    ...     old = await Agent.get_and_update(self, count, lambda n: (n, n * 2))
    ...     return old, await Agent.get(self, count, lambda n: n)
    >>> Node().run_function(main)
    (5, 10)

    A function runs inside the agent, so a slow one keeps the others waiting; one
    that raises crashes the agent. In a list of children ``(Agent, first)`` is one.
    """

    @staticmethod
    async def start(ctx: OtpContext, first: Any = None, *, name: Any = None) -> Pid:
        """Start an agent with a value, or a function that makes it, without a link. Raises StartError."""
        return await _started(ctx, first, name, "none")

    @staticmethod
    async def start_link(ctx: OtpContext, first: Any = None, *, name: Any = None) -> Pid:
        """Start an agent linked to this process."""
        return await _started(ctx, first, name, "link")

    @staticmethod
    async def get(
        ctx: OtpContext, agent: Any, function: Callable[[Any, *Args], Value], *args: *Args,
        timeout_ms: int | None = DEFAULT_TIMEOUT_MS,
    ) -> Value:  # fmt: skip
        """``function(value, *args)``. Raises CallExit, CallTimeout."""
        found: Value = await ctx.call(agent, ("get", function, args), timeout_ms)
        return found

    @staticmethod
    async def update(
        ctx: OtpContext, agent: Any, function: Callable[[Any, *Args], Any], *args: *Args,
        timeout_ms: int | None = DEFAULT_TIMEOUT_MS,
    ) -> None:  # fmt: skip
        """Make ``function(value, *args)`` the value."""
        await ctx.call(agent, ("update", function, args), timeout_ms)

    @staticmethod
    async def get_and_update(
        ctx: OtpContext, agent: Any, function: Callable[[Any, *Args], tuple[Value, Any]], *args: *Args,
        timeout_ms: int | None = DEFAULT_TIMEOUT_MS,
    ) -> Value:  # fmt: skip
        """``function`` returns a pair: what to return and the new value."""
        found: Value = await ctx.call(agent, ("get_and_update", function, args), timeout_ms)
        return found

    @staticmethod
    def cast(ctx: OtpContext, agent: Any, function: Callable[[Any, *Args], Any], *args: *Args) -> None:
        """Update without waiting, and without hearing of a failure.

        >>> from jupyter_sandbox.otp import Agent, Node
        >>> async def main(self):
        ...     seen = await Agent.start(self, set)
        ...     for word in ("a", "b", "a"):
        ...         Agent.cast(self, seen, lambda words, word: words | {word}, word)
        ...     return await Agent.get(self, seen, len)
        >>> Node().run_function(main)
        2
        """
        ctx.cast(agent, (function, args))

    @staticmethod
    def child_spec(first: Any) -> Child:
        """The child that a supervisor makes of ``(Agent, first)``."""
        return Child(AgentServer, first, id="Agent", modules=["Agent"])


async def _started(ctx: OtpContext, first: Any, name: Any, relation: str) -> Pid:
    found = await gen.start(ctx, AgentServer, first, name=name, relation=relation)
    assert isinstance(found, Pid), f"an agent's init never says {IGNORE}"
    return found
