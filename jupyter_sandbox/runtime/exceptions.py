"""Exceptions that code running in a process raises or meets. Exit reasons themselves are values."""

from __future__ import annotations

from ..model import errors
from ..model.reasons import words


class ProcessExit(BaseException):
    """Raised by ``self.exit(reason)``: ends the process with that reason. Like SystemExit it is no ``Exception``.

    >>> from jupyter_sandbox.otp import Node, ProcessExit
    >>> async def main(self):
    ...     try:
    ...         self.exit("lunch")
    ...     except ProcessExit as exit:
    ...         return f"no, not for {exit.reason}"
    >>> Node().run_function(main)
    'no, not for lunch'
    """

    def __init__(self, reason: object = "normal") -> None:
        super().__init__(reason)
        self.reason = reason


class Throw(BaseException):
    """Erlang's ``throw(Value)``: in a behaviour's callback the value is taken as the callback's return value.

    >>> from jupyter_sandbox.otp import GenServer, Node, Reply, Throw
    >>> class Gate(GenServer):
    ...     def handle_call(self, age, caller, visitors):
    ...         self.check(age, visitors)
    ...         return Reply("come in", visitors + 1)
    ...     def check(self, age, visitors):
    ...         if age < 18:
    ...             raise Throw(Reply("too young", visitors))
    >>> async def main(self):
    ...     gate = await self.start(Gate, 0)
    ...     return [await self.call(gate, age) for age in (40, 12)]
    >>> Node().run_function(main)
    ['come in', 'too young']
    """

    def __init__(self, value: object) -> None:
        super().__init__(value)
        self.value = value


class CallExit(errors.CallExit):
    """A call failed because the process called exited, or was not there; ``reason`` is the exit reason, a value.

    >>> from jupyter_sandbox.otp import CallExit, CallTimeout, GenServer, Node, NoReply
    >>> class Silent(GenServer):
    ...     def handle_call(self, request, caller, state):
    ...         return NoReply(state)
    >>> async def main(self):
    ...     silent = await self.start(Silent)
    ...     told = []
    ...     for target in (silent, "nobody"):
    ...         try:
    ...             await self.call(target, "hello", timeout_ms=50)
    ...         except CallTimeout:
    ...             told.append("took too long")
    ...         except CallExit as error:
    ...             told.append(error.exit_reason)
    ...     return told
    >>> Node().run_function(main)
    ['took too long', 'noproc']
    """

    def __init__(self, reason: object, target: str, function: str = "call") -> None:
        super().__init__(f"{function} to {target} failed: {words(reason)}")
        self.exit_reason, self.target, self.function = reason, target, function


class CallTimeout(CallExit):
    """A call was not answered in time. A late reply is dropped; the callee goes on.

    >>> from jupyter_sandbox.otp import CallTimeout, GenServer, Node, NoReply
    >>> class Silent(GenServer):
    ...     def handle_call(self, request, caller, state):
    ...         return NoReply(state)
    >>> async def main(self):
    ...     silent = await self.start(Silent)
    ...     try:
    ...         await self.call(silent, "hello?", timeout_ms=200)
    ...     except CallTimeout:
    ...         return self.now()
    >>> Node().run_function(main)
    200
    """

    kind = "timeout"


class StartError(errors.ProcessError):
    """A process could not be started; ``reason`` is why, as a value, ``who`` the class or the name of it.

    >>> from jupyter_sandbox.otp import GenServer, Node, StartError, Stop
    >>> class Picky(GenServer):
    ...     def init(self, argument):
    ...         return Stop("not_today")
    >>> async def main(self):
    ...     try:
    ...         await self.start(Picky)
    ...     except StartError as error:
    ...         return error.reason, str(error)
    >>> Node().run_function(main)
    ('not_today', "Picky did not start: 'not_today'")
    """

    kind = "start_failed"

    def __init__(self, reason: object, who: str = "") -> None:
        super().__init__(f"{who} did not start: {words(reason)}" if who else f"start failed: {words(reason)}")
        self.reason, self.who = reason, who


class ReceiveTimeout(errors.ProcessError):
    """Nothing that matches arrived in time.

    >>> from jupyter_sandbox.otp import Node, ReceiveTimeout
    >>> async def main(self):
    ...     try:
    ...         await self.receive(timeout_ms=100)
    ...     except ReceiveTimeout:
    ...         return f"nothing came in {self.now()} ms"
    >>> Node().run_function(main)
    'nothing came in 100 ms'
    """

    kind = "receive_timeout"


class ForeignAwait(errors.ProcessError):
    """A callback awaited something that is not the node's own."""

    kind = "foreign_await"

    def __init__(self, what: object) -> None:
        super().__init__(
            f"a callback may await only self.call, self.receive, self.sleep and the like, not {type(what).__name__}: "
            "go through the door, `await self.outside(...)`"
        )


class WaitInPlainCallback(errors.ProcessError):
    """A plain ``def`` callback called something that waits."""

    kind = "wait_in_plain_callback"

    def __init__(self, what: str) -> None:
        super().__init__(
            f"self.{what} waits, and a plain callback cannot: write `async def` and `await self.{what}(...)`"
        )


class SystemLimit(errors.LimitExceeded):
    """The node refused to spawn one more process."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"the sandbox has its {limit} processes already: raise max_processes or stop some", "process_limit"
        )
