"""Requests with an answer: asking and waiting for it, asking now and taking it later, answering."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Final, overload

from ...model.errors import UsageError
from ...model.ids import Ref
from .. import delivery, requests
from ..exceptions import WaitInPlainCallback
from ..operations import call
from ..signals import CALL, Asks, Caller, Value
from .waits import Waits, check_duration

CALL_MS: Final = 5_000
"""How long a call waits unless told otherwise."""


class Calls(Waits):
    """Asking and answering."""

    @overload
    def call(self, target: Any, request: Asks[Value], timeout_ms: int | None = CALL_MS) -> Awaitable[Value]: ...
    @overload
    def call(self, target: Any, request: Any, timeout_ms: int | None = CALL_MS) -> Awaitable[Any]: ...
    def call(self, target: Any, request: Any, timeout_ms: int | None = CALL_MS) -> Awaitable[Any]:
        """Ask and wait for the answer: ``value = await self.call("front", "next")``.

        Raises CallExit when the other process exits first or is not there,
        CallTimeout after ``timeout_ms`` (None waits for ever). Whoever does not
        catch that exits with it (``gen_server:call``).
        """
        if self._process.coro is None:
            raise WaitInPlainCallback("call")
        if timeout_ms is not CALL_MS and timeout_ms is not None:
            check_duration(timeout_ms)
            if timeout_ms == 0:
                return requests.without_waiting(self._process, target, request, CALL, "call")
        return call(target, request, timeout_ms, CALL)

    def send_request(self, target: Any, request: Any) -> Ref:
        """Call without waiting: the outcome is taken with ``receive_response`` (``gen_server:send_request``).

        >>> from jupyter_sandbox.otp import GenServer, Node, Reply
        >>> class Echo(GenServer):
        ...     async def handle_call(self, request, caller, state):
        ...         await self.sleep(100)
        ...         return Reply(request, state)
        >>> async def main(self):
        ...     asked = [self.send_request(await self.start(Echo), n) for n in range(3)]
        ...     answers = [await self.receive_response(one, 1_000) for one in asked]
        ...     return answers, f"all within {self.now()} ms"
        >>> Node().run_function(main)
        ([0, 1, 2], 'all within 100 ms')
        """
        return requests.send(self._process.node, self._process, target, request)

    def receive_response(self, request: Ref, timeout_ms: int | None = None) -> Awaitable[Any]:
        """Wait for the answer to a ``send_request``.

        Raises CallExit when the other process exits first or is not there, and
        CallTimeout after ``timeout_ms``: the request is abandoned then, a late answer dropped.
        """
        self._may_wait("receive_response", timeout_ms)
        return requests.take(self._process, request, timeout_ms)

    def reply(self, caller: Caller[Value], value: Value) -> None:
        """Answer a call, now or later, from any process (``gen_server:reply``)."""
        if type(caller) is not Caller:
            raise UsageError("caller", caller, hint="give the caller that handle_call was given")
        delivery.reply(self._process.node, caller, value)
