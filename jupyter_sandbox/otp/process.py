"""OtpProcess: what ``self`` is in every behaviour: the process context plus starting and stopping other behaviours."""

from __future__ import annotations

from typing import Any, ClassVar

from ..model.errors import ProcessError, UsageError
from ..model.ids import Pid, Ref
from ..model.text import short_text
from ..runtime import context as runtime_context
from . import gen
from .returns import Ignore
from .tables import Ets


class OtpContext(runtime_context.Context):
    """The context of any process, with the functions of OTP."""

    async def start(
        self, behaviour: Any, argument: Any = None, *, name: str | None = None, timeout_ms: int | None = None
    ) -> Pid | None:
        """Start a behaviour without a link; returns its pid, or None when its init said ``IGNORE``.

        Raises StartError with the reason why it did not start.
        """
        found: Pid | None = await self._start(behaviour, argument, name=name, relation="none", timeout_ms=timeout_ms)
        return found

    async def start_link(
        self, behaviour: Any, argument: Any = None, *, name: str | None = None, timeout_ms: int | None = None
    ) -> Pid | None:
        """Start a behaviour linked to this process (``gen_server:start_link``)."""
        found: Pid | None = await self._start(behaviour, argument, name=name, relation="link", timeout_ms=timeout_ms)
        return found

    async def start_monitor(
        self, behaviour: Any, argument: Any = None, *, name: str | None = None, timeout_ms: int | None = None
    ) -> tuple[Pid, Ref] | None:
        """Start a behaviour with a monitor on it; returns its pid and the monitor (``gen_server:start_monitor``)."""
        found: tuple[Pid, Ref] | None = await self._start(
            behaviour, argument, name=name, relation="monitor", timeout_ms=timeout_ms
        )
        return found

    async def _start(self, behaviour: Any, argument: Any, **options: Any) -> Any:
        started = await gen.start(self, checked(behaviour), argument, **options)
        return None if isinstance(started, Ignore) else started

    @property
    def ets(self) -> Ets:
        """The node's tables: ``self.ets.new("cache")``, ``self.ets.insert(table, ("key", 1))``."""
        return Ets(self._process)

    async def stop(self, target: Any, reason: Any = "normal", timeout_ms: int | None = None) -> None:
        """Stop a behaviour through its terminate and wait until it is gone (``gen_server:stop``).

        Raises CallExit when it is not there or exits with another reason.
        """
        from . import sys

        await sys.terminate(self, target, reason, timeout_ms)

    def log(self, level: str, text: str) -> None:
        """A logger event: debug, info, notice, warning, error, critical."""
        process = self._process
        process.node.emit("log", process, (level, text))


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
