"""Ends of processes and who hears of them: exits and their signals, links, monitors."""

from __future__ import annotations

from typing import Any, NoReturn

from ...model.errors import NoProcess, UsageError
from ...model.ids import Pid, Ref
from .. import delivery, names, relations
from ..exceptions import ProcessExit
from ..signals import MISSING
from .identity import Identity


class Ends(Identity):
    """Exiting, and being told of exits."""

    def exit(self, reason: Any = "normal") -> NoReturn:
        """End this process with a reason."""
        raise ProcessExit(reason)

    def exit_signal(self, target: Any, reason: Any) -> None:
        """Send an exit signal: ``kill`` cannot be trapped, ``normal`` does nothing to a process that does not trap.

        >>> from jupyter_sandbox.otp import Down, Node
        >>> async def main(self):
        ...     stubborn, _ = self.spawn_monitor(lambda self: (self.trap_exit(), self.receive())[1])
        ...     await self.sleep(1)
        ...     self.exit_signal(stubborn, "kill")
        ...     return (await self.receive(Down)).reason
        >>> Node().run_function(main)
        'killed'
        """
        process = self._process
        other = delivery.lookup(process.node, target)
        if other is None:
            return
        delivery.exit_signal(process.node, process.pid, other, reason)
        if other is process and process.doom is not None:
            raise ProcessExit(process.doom[0])

    def link(self, target: Pid) -> None:
        """Link with a process: when one exits abnormally the other gets its exit signal.

        Raises NoProcess when it is dead and this process does not trap exits.

        >>> from jupyter_sandbox.otp import Node
        >>> async def main(self):
        ...     other = self.spawn(lambda self: self.receive())
        ...     self.link(other)
        ...     self.unlink(other)
        ...     self.exit_signal(other, "kill")
        ...     await self.yield_()
        ...     return "this process lives on"
        >>> Node().run_function(main)
        'this process lives on'
        """
        if not relations.link(self._process.node, self._process, target):
            raise NoProcess(f"cannot link to {target!r}: it is not alive")

    def unlink(self, target: Pid) -> None:
        """Take the link away."""
        relations.unlink(self._process.node, self._process, target)

    def monitor(self, target: Any, *, alias: str | None = None, tag: Any = MISSING) -> Ref:
        """Get one ``Down(ref, process, reason)`` message when the target exits.

        With ``alias`` the reference is also an alias, until ``unalias``
        (``"explicit_unalias"``), until the monitor ends (``"demonitor"``) or until
        one message came through it (``"reply_demonitor"``). With ``tag`` the
        message is ``(tag, Down(...))``.

        >>> from jupyter_sandbox.otp import Down, Node
        >>> async def main(self):
        ...     other, watch = self.spawn_monitor(lambda self: self.sleep(10))
        ...     again = self.monitor(other)
        ...     self.demonitor(watch)
        ...     down = await self.receive(Down)
        ...     return down.ref == again, down.reason, self.is_alive(other)
        >>> Node().run_function(main)
        (True, 'normal', False)
        """
        if alias is not None and alias not in names.ALIAS_ENDS:
            raise UsageError("alias", alias, allowed=names.ALIAS_ENDS)
        return relations.monitor(self._process.node, self._process, target, alias=alias, tag=tag)

    def demonitor(self, ref: Ref, *, flush: bool = False) -> bool:
        """Take a monitor away; ``flush`` also removes its Down message."""
        return relations.demonitor(self._process.node, self._process, ref, flush=flush)

    def trap_exit(self, on: bool = True) -> bool:
        """From now on exit signals arrive as ``Exit(process, reason)`` messages. Returns the old setting.

        >>> from jupyter_sandbox.otp import Exit, Node
        >>> async def main(self):
        ...     self.trap_exit()
        ...     child = self.spawn_link(lambda self: self.exit("tired"))
        ...     end = await self.receive(Exit)
        ...     return end.process == child, end.reason
        >>> Node().run_function(main)
        (True, 'tired')
        """
        old, self._process.trap_exit = self._process.trap_exit, on
        return old
