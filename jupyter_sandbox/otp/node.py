"""The node whose plain processes have OTP's functions too: what guests run and tests use."""

from __future__ import annotations

from typing import Any, ClassVar

from .. import runtime
from . import gen, gen_server
from .process import OtpContext


class Node(runtime.Node):
    """A ``runtime.Node`` in which ``self`` of every process can start and stop behaviours.

    In a test it runs a system in virtual time: hours pass at once, and the same seed does the same every time.

    >>> from jupyter_sandbox.otp import GenServer, Node, NoReply, OtpContext, sys
    >>> class Clock(GenServer):
    ...     def init(self, days):
    ...         self.send_interval(24 * 60 * 60 * 1_000, self.pid, "midnight")
    ...         return days
    ...     def handle_info(self, message, days):
    ...         return NoReply(days + 1)
    >>> async def main(self: OtpContext):
    ...     clock = await self.start(Clock, 0)
    ...     await self.sleep(100 * 24 * 60 * 60 * 1_000 + 1)
    ...     return await sys.get_state(self, clock)
    >>> Node(seed=7).run_function(main)
    100
    """

    __slots__ = ()
    context_class = OtpContext
    drains: ClassVar[Any] = {gen_server.dispatch: gen_server.drain}
    begins: ClassVar[Any] = {gen_server.dispatch: gen.try_begin}
