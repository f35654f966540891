"""Messages and states as events, for whoever asked for them: the cinema_debugger's ``capture_events``.

There are as many of them as there are messages, so nothing here runs unless
such a kind was asked for. Handled messages and changed states are read off
told steps, sent messages off the node's trace.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..model.ids import FIRST_CLIENT
from ..model.text import short_text
from ..model.views import StepView
from ..runtime import Node
from ..runtime.process import Process
from ..runtime.storytelling import who
from ..trace.log import EventLog

_MESSAGES = frozenset({"call", "cast", "info", "exit", "down", "timeout", "continue"})
_VERBS = {"call": "called", "cast": "cast to", "send": "sent to"}


class Capture:
    """Writes the wanted kinds into the log. ``steps`` says whether steps have to be told one by one for it."""

    def __init__(self, kinds: Iterable[str], node: Node, log: EventLog) -> None:
        wanted = frozenset(kinds)
        self._handled, self._states = "message_handled" in wanted, "state_change" in wanted
        self._log = log
        self.steps = self._handled or self._states
        if "message_send" in wanted:
            node.trace = self._traced

    def _traced(self, kind: str, actor: Process, data: Any) -> None:
        if kind != "message_send":
            return
        how, target, message = data
        node, outside = actor.node, actor.pid.number >= FIRST_CLIENT
        told = ("", "outside") if outside else (repr(actor.pid), actor.name or "")
        text = f"{_VERBS[how]} {who(node, target)}: {short_text(message, 200)}"
        self._log.note(kind, node.step_number, node.now_ms, told, text)

    def told(self, view: StepView) -> None:
        """A step was taken."""
        who_ = (view.pid, view.name)
        if self._handled and view.kind in _MESSAGES:
            sender = f" from {view.sender}" if view.sender else ""
            text = f"handled {view.kind} {view.message}{sender}"
            self._log.note("message_handled", view.step, view.now_ms, who_, text)
        if self._states and view.state_before != view.state_after and view.state_after != "gone":
            text = f"{view.state_before or '(none)'} → {view.state_after}"
            self._log.note("state_change", view.step, view.now_ms, who_, text)
