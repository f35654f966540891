"""Messages that come later. Time is the node's: it stands still during a step and while the sandbox is paused."""

from __future__ import annotations

from typing import Any

from ...model.errors import UsageError
from ...model.ids import Ref
from .. import timers
from ..signals import Timeout
from .identity import Identity
from .waits import check_timer


class Timers(Identity):
    """Setting and cancelling timers."""

    def send_after(self, ms: int, target: Any, message: Any) -> Ref:
        """Send a message in ``ms`` milliseconds; returns the timer.

        >>> from jupyter_sandbox.otp import Node, Timeout
        >>> async def main(self):
        ...     timer = self.send_after(500, self.pid, "never comes")
        ...     await self.sleep(100)
        ...     left = self.read_timer(timer), self.cancel_timer(timer), self.cancel_timer(timer)
        ...     again = self.send_interval(30, self.pid, "tick")
        ...     beats = [await self.receive(str) for _ in range(3)]
        ...     self.cancel_timer(again)
        ...     self.start_timer(5, self.pid, "wrapped")
        ...     return left, beats, (await self.receive(Timeout)).message, self.now()
        >>> Node().run_function(main)
        ((400, 400, None), ['tick', 'tick', 'tick'], 'wrapped', 195)
        """
        node = self._process.node
        ref = node.new_ref()
        timers.send_after(node, check_timer(node.now_ms, ms), target, node.copy(message), ref)
        return ref

    def start_timer(self, ms: int, target: Any, message: Any) -> Ref:
        """Like send_after, but the message is ``Timeout(ref, message)``."""
        node = self._process.node
        ref = node.new_ref()
        timers.send_after(node, check_timer(node.now_ms, ms), target, Timeout(ref, node.copy(message)), ref)
        return ref

    def send_interval(self, ms: int, target: Any, message: Any) -> Ref:
        """Send a message every ``ms`` milliseconds until cancelled, or until the target pid is dead."""
        node = self._process.node
        if check_timer(node.now_ms, ms) == 0:
            raise UsageError("milliseconds", ms, hint="an interval is 1 or more")
        ref = node.new_ref()
        timers.send_interval(node, ms, target, node.copy(message), ref)
        return ref

    def cancel_timer(self, timer: Ref) -> int | None:
        """Milliseconds that were left; None when it has fired or is no timer."""
        return timers.cancel(self._process.node, timer)

    def read_timer(self, timer: Ref) -> int | None:
        """Milliseconds left; None when it has fired or is no timer."""
        return timers.read(self._process.node, timer)
