"""What a state machine keeps besides its state and data, and how one event moves it. Nothing in here acts.

Rules: Erlang's ``gen_statem``. An event's result is taken into a Turn; when
the turn is over the Machine settles it and says which timers to set and cancel.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Final, NamedTuple, get_args

from msgspec import UNSET

from ..model.given import MOST
from ..model.ids import Ref
from ..runtime.signals import Caller
from .returns import Hibernate
from .statem_actions import POSTPONE, UPDATE, Answer, NextEvent, Timer, timer_event, timer_key
from .statem_events import EVENTS, Enter, Event
from .statem_returns import Keep, KeepState, NextState, RepeatState

STATE: Final = "state_timeout"
EVENT: Final = "timeout"
"""How ``statem_actions.timer_key`` calls the timers that a machine has one of."""
_GIVEN: Final = tuple(kind for kind in EVENTS if kind is not Enter)
"""The events that a machine may give itself."""
_TIMERS: Final = get_args(Timer)


class Bad(Exception):
    """A callback returned what it may not; ``reason`` is OTP's."""

    def __init__(self, kind: str, value: Any) -> None:
        super().__init__(kind, value)
        self.reason = (kind, value)


class Armed(NamedTuple):
    """A timeout in force. Without a reference it is one of 0 ms, which waits for its turn."""

    ref: Ref | None
    content: Any


class Start(NamedTuple):
    """Set this timer."""

    key: Any
    ms: int
    content: Any
    absolute: bool


class Cancel(NamedTuple):
    """Cancel this timer."""

    ref: Ref


@dataclass(slots=True)
class Turn:
    """What the handling of one event amounts to so far; an enter call adds to it."""

    event: Event
    state: Any
    data: Any
    enter: bool = False
    """Whether an enter call is due."""
    entering: bool = False
    """Whether the result that comes next is an enter call's."""
    postpone: bool = False
    hibernate: bool = False
    events: list[Event] = field(default_factory=list)
    timeouts: list[tuple[Any, Timer]] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)

    def take(self, result: Any) -> None:
        """Take a callback's result in. Raises Bad; ``state`` and ``data`` are then those to terminate with."""
        match result:
            case NextState():
                changed = differs(result.state, self.state)
                if changed and self.entering:
                    raise Bad("bad_state_enter_return_from_state_function", result)
                self.enter, self.state = changed, result.state
            case Keep() | KeepState():
                self.enter = False
            case RepeatState():
                self.enter = True
            case _:
                raise Bad("bad_return_from_state_function", result)
        if type(result) is not Keep and result.data is not UNSET:
            self.data = result.data
        if result.actions != ():
            self.act(result.actions)

    def act(self, actions: Any) -> None:
        """Note actions, one or a sequence. Raises Bad."""
        for action in actions if isinstance(actions, (list, tuple)) else (actions,):
            if isinstance(action, Answer) and type(action.caller) is Caller:
                self.answers.append(action)
            elif isinstance(action, _TIMERS) and _is_time(action):
                self.timeouts.append((timer_key(action), action))
            elif isinstance(action, Hibernate):
                self.hibernate = True
            elif self.entering and (action is POSTPONE or isinstance(action, NextEvent)):
                raise Bad("bad_state_enter_action_from_state_function", action)
            elif action is POSTPONE:
                self.postpone = True
            elif isinstance(action, NextEvent) and isinstance(action.event, _GIVEN):
                self.events.append(action.event)
            else:
                raise Bad("bad_action_from_state_function", action)


def _is_time(timer: Timer) -> bool:
    ms = timer.ms
    return ms is None or ms is UPDATE or (type(ms) is int and ms <= MOST and (ms >= 0 or timer.absolute))


def differs(state: Any, other: Any) -> bool:
    """Whether two states are different terms, as in Erlang: 1 and 1.0 are, at the top and all the way down.

    >>> differs("idle", "idle"), differs(("step", [1]), ("step", [1])), differs(("step", [1]), ("step", [1.0]))
    (False, False, True)
    """
    if state is other:
        return False
    kind = type(state)
    if kind is not type(other) or state != other:
        return True
    if isinstance(state, (tuple, list)):
        return any(map(differs, state, other))
    if kind is dict:
        return _differ(state, other) or any(differs(value, other[key]) for key, value in state.items())
    if kind is set or kind is frozenset:
        return _differ(state, other)
    if is_dataclass(kind):
        pairs = [(getattr(state, one.name), getattr(other, one.name)) for one in fields(kind) if one.compare]
        return any(
            mine == theirs and differs(mine, theirs) for mine, theirs in pairs
        )  # its own equality may allow more
    return False


def _differ(keys: Iterable[Any], others: Iterable[Any]) -> bool:
    """Whether keys, each of which is equal to one of the others, are other terms."""
    twin = {key: key for key in others}
    return any(differs(key, twin[key]) for key in keys)


def only_answer(result: Any, caller: Caller) -> Answer | None:
    """The answer to this caller if a result has no other action."""
    if type(result) is not NextState and type(result) is not KeepState and type(result) is not Keep:
        return None
    action = result.actions
    if type(action) is list and len(action) == 1:
        action = action[0]
    return action if type(action) is Answer and action.caller is caller else None


@dataclass(slots=True)
class Machine:
    """Events that wait inside the machine, and its timeouts."""

    queue: deque[Event] = field(default_factory=deque)
    postponed: list[Event] = field(default_factory=list)
    timers: dict[Any, Armed] = field(default_factory=dict)
    zero: list[Any] = field(default_factory=list)
    """Timeouts of 0 ms in their order: each is an event once ``queue`` is empty."""

    @property
    def idle(self) -> bool:
        """Whether nothing waits and no timeout is set."""
        return not (self.queue or self.postponed or self.timers)

    def settle(self, turn: Turn, changed: bool) -> list[Start | Cancel]:
        """End a turn: requeue, cancel and set timeouts; what is returned is to be done in order."""
        todo: list[Start | Cancel] = []
        if turn.postpone:
            self.postponed.append(turn.event)
        if changed:
            self.queue.extendleft(reversed(self.postponed))
            self.postponed.clear()
            self._cancel(STATE, todo)
        self._cancel(EVENT, todo)
        self.queue.extendleft(reversed(turn.events))
        if turn.timeouts:
            self._set(turn.timeouts, todo)
        return todo

    def next(self) -> Event | None:
        """The event that comes before any message in the mailbox."""
        if self.queue:
            return self.queue.popleft()
        if not self.zero:
            return None
        return self._elapsed(self.zero.pop(0))

    def expired(self, ref: Ref) -> Event | None:
        """The event of a timer that fired; None when it was cancelled meanwhile."""
        key = next((key for key, timer in self.timers.items() if timer.ref == ref), None)
        return None if key is None else self._elapsed(key)

    def _elapsed(self, key: Any) -> Event:
        return timer_event(key, self.timers.pop(key).content)

    def _cancel(self, key: Any, todo: list[Start | Cancel]) -> None:
        timer = self.timers.pop(key, None)
        if timer is None:
            return
        if timer.ref is None:
            self.zero.remove(key)
        else:
            todo.append(Cancel(timer.ref))

    def _set(self, timeouts: list[tuple[Any, Timer]], todo: list[Start | Cancel]) -> None:
        """Of several for one timeout the last counts, and that is its place, too.

        Timers are set from the last to the first, as ``gen_statem`` does: of those that are due at one time the last
        fires first.
        """
        starts: list[Start] = []
        last = {key: number for number, (key, _) in enumerate(timeouts)}
        for number, (key, action) in enumerate(timeouts):
            if last[key] != number:
                continue
            if action.ms is UPDATE and key in self.timers:
                self.timers[key] = self.timers[key]._replace(content=action.content)
                continue
            self._cancel(key, todo)
            if action.ms is UPDATE or (action.ms == 0 and not action.absolute):
                self.timers[key] = Armed(None, action.content)
                self.zero.append(key)
            elif action.ms is not None:
                starts.append(Start(key, action.ms, action.content, action.absolute))
        todo += reversed(starts)
