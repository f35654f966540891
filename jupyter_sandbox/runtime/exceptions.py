"""Exceptions that code running in a process raises or meets. Exit reasons themselves are values."""

from __future__ import annotations

from ..model import errors
from ..model.reasons import words


class ProcessExit(BaseException):
    """Raised by ``self.exit(reason)``: ends the process with that reason. Like SystemExit it is no ``Exception``."""

    def __init__(self, reason: object = "normal") -> None:
        super().__init__(reason)
        self.reason = reason


class Throw(BaseException):
    """Erlang's ``throw(Value)``: in a behaviour's callback the value is taken as the callback's return value."""

    def __init__(self, value: object) -> None:
        super().__init__(value)
        self.value = value


class CallExit(errors.CallExit):
    """A call failed because the process called exited, or was not there; ``reason`` is the exit reason, a value."""

    def __init__(self, reason: object, target: str, function: str = "call") -> None:
        super().__init__(f"{function} to {target} failed: {words(reason)}")
        self.exit_reason, self.target, self.function = reason, target, function


class CallTimeout(CallExit):
    """A call was not answered in time. A late reply is dropped; the callee goes on."""

    kind = "timeout"


class StartError(errors.ProcessError):
    """A process could not be started; ``reason`` is why, as a value, ``who`` the class or the name of it."""

    kind = "start_failed"

    def __init__(self, reason: object, who: str = "") -> None:
        super().__init__(f"{who} did not start: {words(reason)}" if who else f"start failed: {words(reason)}")
        self.reason, self.who = reason, who


class ReceiveTimeout(errors.ProcessError):
    """Nothing that matches arrived in time."""

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
