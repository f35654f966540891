"""Messages and states as events, for whoever asked for them: the cinema_debugger's ``capture_events``.

There are as many of them as there are messages, so nothing here runs unless
such a kind was asked for, and what cannot change any more is put into words
only when somebody reads it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from ..model.ids import Pid, Ref
from ..model.text import short_text
from ..model.views import CAPTURED_KINDS
from ..runtime import Node
from ..runtime.process import DEAD, Process
from ..runtime.signals import SYSTEM, Entry
from ..runtime.storytelling import describe, own_words, who
from ..trace.log import EventLog

_CAPTURED: Final = frozenset(CAPTURED_KINDS)
_VERBS: Final = {"call": "called", "cast": "cast to", "send": "sent to"}
_LIGHT: Final = frozenset({type(None), bool, float, Pid, Ref})
"""Types of what neither changes nor can be large."""
_LEAST: Final = -(1 << 128)
_MOST: Final = 1 << 128
_SHORT: Final = 200
_FEW: Final = 8


class Words(str):
    """What could change before somebody reads it, or is too much to be kept: put into words at once."""


_NOTHING: Final = Words("(none)")


class Capture:
    """Writes the wanted kinds into the log, and sees to it that the node tells them."""

    def __init__(self, kinds: Iterable[str], node: Node, log: EventLog) -> None:
        wanted = frozenset(kinds)
        self._node = node
        self._tell = log.teller(node)
        self._seen: dict[int, Any] = {}
        """The state of each process after its latest step, by number."""
        log.words |= {"message_send": self._sending, "message_handled": self._handling, "state_change": _changing}
        if wanted & _CAPTURED:
            node.trace = node.sends = self._sent if "message_send" in wanted else _unheard
        if "message_handled" in wanted:
            node.watch = node.watch._replace(before=self._handled)
        if "state_change" in wanted:
            node.watch = node.watch._replace(after=self._changed)

    def look_again(self) -> None:
        """States were changed by no step, as a code change or a restore does: what is now is no news later."""
        if self._node.watch.after is not None:
            living = self._node.processes.values()
            self._seen = {one.number: _kept(one) for one in living if isinstance(one.behaviour, type) and one.steps}

    # --- what the node tells ----------------------------------------------------------------------------------------

    # All three stand on the way of every message, hence ``_light`` written out for what most messages are.

    def _sent(self, kind: str, actor: Process, data: Any) -> None:
        if kind == "message_send":
            how, target, message = data
            if type(message) not in _LIGHT and not (type(message) is int and _LEAST < message < _MOST):
                data = how, target, _settled(message, 200)
            self._tell(kind, actor, data)

    def _handled(self, process: Process, entry: Entry) -> None:
        kind, message, source = entry
        if kind < SYSTEM:
            if type(message) not in _LIGHT and not (type(message) is int and _LEAST < message < _MOST):
                entry = kind, _settled(message), source
            self._tell("message_handled", process, entry)

    def _changed(self, process: Process) -> None:
        state, number = process.state, process.number
        before = self._seen.get(number, _NOTHING)
        if process.status == DEAD:
            self._seen.pop(number, None)
            return
        after = state
        if type(state) not in _LIGHT and not (type(state) is int and _LEAST < state < _MOST):
            after = _kept(process)
        elif state is before or not isinstance(process.behaviour, type):
            return
        elif state is None:  # whose init waits has none yet, which some put into words of their own
            after = _kept(process)
        if type(after) is not type(before) or after != before:
            self._seen[number] = after
            self._tell("state_change", process, (before, after))

    # --- in words ---------------------------------------------------------------------------------------------------

    def _sending(self, data: Any) -> str:
        how, target, message = data
        return f"{_VERBS[how]} {who(self._node, target)}: {_words(message, 200)}"

    def _handling(self, entry: Entry) -> str:
        kind, message, sender = describe(self._node, entry)
        told = entry[1] if type(entry[1]) is Words else message
        return f"handled {kind} {told}{' from ' + sender if sender else ''}"


def _unheard(kind: str, actor: Process, data: Any) -> None:
    """A node that is watched has its messages traced, too; they are of no interest here."""


def _light(value: Any) -> bool:
    kind = type(value)
    if kind is str or kind is bytes:
        return len(value) <= _SHORT
    return kind in _LIGHT or (kind is int and _LEAST < value < _MOST)


def _settled(value: Any, limit: int = 80) -> Any:
    """The value as it is now, to be put into words later if it is small and flat, else in words."""
    if _light(value):
        return value
    kind = type(value)
    if (kind is tuple or kind is list) and len(value) <= _FEW and all(map(_light, value)):
        return kind(value)
    if kind is dict and len(value) <= _FEW and all(map(_light, value)) and all(map(_light, value.values())):
        return dict(value)
    return Words(short_text(value, limit))


def _kept(process: Process) -> Any:
    words = own_words(process)
    return _settled(process.state) if words is None else Words(words(process.state) or _NOTHING)


def _words(value: Any, limit: int = 80) -> str:
    return value if type(value) is Words else short_text(value, limit)


def _changing(data: Any) -> str:
    before, after = data
    return f"{_words(before)} → {_words(after)}"
