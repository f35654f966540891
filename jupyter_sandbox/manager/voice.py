"""What a sandbox says: what it prints, its notices, its alerts. All is told as it comes, and the newest of it kept."""

from __future__ import annotations

import contextvars
import time
from collections.abc import Callable
from dataclasses import replace

from ..model.harmless import on_one_line
from ..model.sandbox import AlertRaised, NoticeTold, OutputArrived, Update
from .newest import Packed
from .output import TAIL_BYTES, OutputTail
from .throttle import Alerts

ALERTS_KEPT, ALERT = 20, 500
"""Characters of an alert, on one line: all that are kept travel with the facts."""
NOTICES_KEPT, NOTICES_BYTES = 500, 2_000_000
CUT_AGAIN_S = 5.0
"""Output that is cut after so long a pause is told anew."""


class Voice:
    """Of one sandbox; ``publish`` gets what it says."""

    def __init__(self, name: str, publish: Callable[[Update], None]) -> None:
        self._name, self._publish = name, publish
        self._hearer = contextvars.copy_context()
        """Of whoever acted on it last: what it prints and its alerts are told in there, so that they find its cell."""
        self.output = OutputTail(TAIL_BYTES)
        self.notices = Packed(NoticeTold, NOTICES_KEPT, NOTICES_BYTES)
        self.raised: tuple[tuple[str, float], ...] = ()
        """Its alerts, and when each was raised, in seconds since the epoch."""
        self._cut_at = float("-inf")
        self._repeated = Alerts()

    def heard_by_caller(self) -> None:
        """What it prints from now on, and its alerts, are told in the context of the task that calls this."""
        self._hearer = contextvars.copy_context()
        self._repeated = Alerts()

    @property
    def alerts(self) -> tuple[str, ...]:
        """The newest alerts, without their times."""
        return tuple(message for message, _ in self.raised)

    def alert(self, limit: str, message: str, *, again: bool = False) -> None:
        """Raise an alert that observers are told, and that ``info`` and ``log`` show.

        ``again``: what is watched may come and go as the sandbox likes. It is told as seldom as what a sandbox raises
        itself, but once to each who acts on it.
        """
        if again:
            told = self._repeated.passed(limit, message, time.monotonic())
            if told is None:
                return
            message = told
        message = on_one_line(message, ALERT)
        now = time.time()
        self.raised = (*self.raised, (message, now))[-ALERTS_KEPT:]
        self.notices.append(NoticeTold(self._name, "warning", message, at=now))
        self._hearer.run(self._publish, AlertRaised(self._name, limit, message, now))

    def tell(self, told: NoticeTold) -> None:
        """A notice of the sandbox's, told with the time of now."""
        told = replace(told, at=time.time())
        self.notices.append(told)
        self._publish(told)

    def printed(self, stream: str, text: str, dropped: int, most: int) -> None:
        """Text of one of its streams, and how many bytes are missing after it because it printed more than ``most``."""
        self.output.feed(text.encode("utf-8", "replace"))
        if dropped:
            self.output.mark(stream, dropped)
            self._cut(most, time.monotonic())
        self._hearer.run(self._publish, OutputArrived(self._name, stream, text, dropped))

    def _cut(self, most: int, now: float) -> None:
        """Told once for a flood, which is cut again and again."""
        if now - self._cut_at > CUT_AGAIN_S:
            text = f"it printed more than max_output ({most} bytes); the rest is counted and not shown"
            text += f"; `%sandbox limits {self._name} --max-output SIZE` has more shown"
            self.alert("output_limit", text)
        self._cut_at = now
