"""OtpProcess: what ``self`` is in every behaviour: the process context plus starting and stopping other behaviours."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, ClassVar, Final, overload

from ..model.errors import ProcessError, UsageError
from ..model.ids import Pid, Ref
from ..model.text import short_text
from ..runtime import context as runtime_context
from . import gen, sys
from .hints import Argument, Behaviour
from .returns import Ignore
from .tables import Ets

LEVELS: Final = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")


class OtpContext(runtime_context.Context):
    """The context of any process, with the functions of OTP.

    >>> from jupyter_sandbox.otp import GenServer, Node, OtpContext, Reply
    >>> class Upper(GenServer):
    ...     def handle_call(self, text, caller, state):
    ...         return Reply(text.upper(), state)
    >>> async def main(self: OtpContext):
    ...     return await self.call(await self.start(Upper), "hello")
    >>> Node().run_function(main)
    'HELLO'
    """

    @overload
    def start(
        self, behaviour: Behaviour[None], *, name: Any = None, timeout_ms: int | None = None
    ) -> Awaitable[Pid | None]: ...
    @overload
    def start(
        self, behaviour: Behaviour[Argument], argument: Argument, *,
        name: Any = None, timeout_ms: int | None = None,
    ) -> Awaitable[Pid | None]: ...  # fmt: skip
    def start(
        self, behaviour: Any, argument: Any = None, *, name: Any = None, timeout_ms: int | None = None
    ) -> Awaitable[Pid | None]:
        """Start a behaviour without a link; returns its pid, or None when its init said ``IGNORE``.

        Raises StartError with the reason why it did not start.
        """
        if self._process.coro is None or timeout_ms is not None:
            self._may_wait("start", timeout_ms)
        return gen.started(self._process, checked(behaviour), argument, name, "none", timeout_ms)

    @overload
    def start_link(
        self, behaviour: Behaviour[None], *, name: Any = None, timeout_ms: int | None = None
    ) -> Awaitable[Pid | None]: ...
    @overload
    def start_link(
        self, behaviour: Behaviour[Argument], argument: Argument, *,
        name: Any = None, timeout_ms: int | None = None,
    ) -> Awaitable[Pid | None]: ...  # fmt: skip
    def start_link(
        self, behaviour: Any, argument: Any = None, *, name: Any = None, timeout_ms: int | None = None
    ) -> Awaitable[Pid | None]:
        """Start a behaviour linked to this process (``gen_server:start_link``)."""
        self._may_wait("start_link", timeout_ms)
        return gen.started(self._process, checked(behaviour), argument, name, "link", timeout_ms)

    @overload
    async def start_monitor(
        self, behaviour: Behaviour[None], *, name: Any = None, timeout_ms: int | None = None
    ) -> tuple[Pid, Ref] | None: ...
    @overload
    async def start_monitor(
        self, behaviour: Behaviour[Argument], argument: Argument, *,
        name: Any = None, timeout_ms: int | None = None,
    ) -> tuple[Pid, Ref] | None: ...  # fmt: skip
    async def start_monitor(
        self, behaviour: Any, argument: Any = None, *, name: Any = None, timeout_ms: int | None = None
    ) -> tuple[Pid, Ref] | None:
        """Start a behaviour with a monitor on it; returns its pid and the monitor (``gen_server:start_monitor``)."""
        self._may_wait("start_monitor", timeout_ms)
        found = await gen.start(
            self, checked(behaviour), argument, name=name, relation="monitor", timeout_ms=timeout_ms
        )
        return None if isinstance(found, Ignore) else found

    @property
    def ets(self) -> Ets:
        """The node's tables: ``self.ets.new("cache")``, ``self.ets.insert(table, ("key", 1))``."""
        return Ets(self._process)

    def stop(self, target: Any, reason: Any = "normal", timeout_ms: int | None = None) -> Awaitable[None]:
        """Stop a behaviour through its terminate and wait until it is gone (``gen_server:stop``).

        Raises CallExit when it is not there or exits with another reason.
        """
        if self._process.coro is None or timeout_ms is not None:
            self._may_wait("stop", timeout_ms)
        return sys.terminate(self, target, reason, timeout_ms)

    def log(self, level: str, text: str) -> None:
        """A logger event; ``level`` is one of Erlang's, from debug to emergency."""
        if level not in LEVELS:
            raise UsageError("level", level, allowed=LEVELS)
        process = self._process
        process.node.emit("log", process, (level, text if type(text) is str else short_text(text, 2_000)))


class MissingCallback(ProcessError):
    """A message arrived for which the class defines no callback (Erlang: ``undef``)."""

    kind = "missing_callback"

    def __init__(self, context: OtpContext, callback: str, message: Any) -> None:
        name = type(context).__name__
        super().__init__(f"{name} defines no {callback}, so it cannot take {short_text(message)}: add one")


def checked(behaviour: Any) -> Any:
    """The class, if it is a behaviour that can be started. Raises UsageError."""
    if isinstance(behaviour, type) and isinstance(getattr(behaviour, "engine", None), gen.Engine):
        return behaviour
    raise UsageError("behaviour", behaviour, hint="give a subclass of GenServer or Supervisor")


class OtpProcess(OtpContext):
    """Base of the behaviours."""

    engine: ClassVar[gen.Engine]
    version: ClassVar[Any] = None
    """What ``code_change`` of the next version is given as ``old_version``."""
