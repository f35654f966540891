"""What a state machine does after a callback, as a pure decision: return value in, plan out. Rules: ``gen_statem``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, get_args

from .returns import Hibernate
from .statem import (
    POSTPONE,
    UPDATE,
    Answer,
    Event,
    Keep,
    KeepState,
    NextEvent,
    NextState,
    RepeatState,
    Timer,
    timer_key,
)  # fmt: skip

_EVENTS = get_args(Event)
_TIMERS = get_args(Timer)


class BadReturn(Exception):
    """A callback returned what it may not; ``reason`` is OTP's, the machine crashes with it."""

    def __init__(self, kind: str, value: Any) -> None:
        super().__init__((kind, value))
        self.reason = (kind, value)


@dataclass(slots=True)
class Plan:
    """A transition in the making. ``old`` is the state that the event came in."""

    old: Any
    state: Any
    data: Any
    enter: bool = False
    postpone: bool = False
    hibernate: bool = False
    next_events: list[Event] = field(default_factory=list)
    timers: dict[Any, Timer] = field(default_factory=dict)
    """The last action on each timer, in the order of the actions."""
    answers: list[Answer] = field(default_factory=list)


def begun(state: Any, data: Any, actions: Any) -> Plan:
    """The transition into the first state."""
    plan = Plan(state, state, data, enter=True)
    _act(plan, actions, entering=False)
    plan.postpone = False
    return plan


def handled(state: Any, data: Any, result: Any) -> Plan:
    """The transition that an event's callback asks for. Raises BadReturn."""
    plan = Plan(state, state, data)
    match result:
        case NextState():
            plan.state, plan.data = result.state, result.data
            plan.enter = result.state != state
        case KeepState():
            plan.data = result.data
        case RepeatState():
            plan.data, plan.enter = result.data, True
        case Keep():
            pass
        case _:
            raise BadReturn("bad_return_from_state_function", result)
    _act(plan, result.actions, entering=False)
    return plan


def entered(plan: Plan, result: Any) -> None:
    """Add what the callback of an Enter event asks for; it may not change the state. Raises BadReturn."""
    match result:
        case NextState() if result.state == plan.state:
            plan.data = result.data
        case KeepState() | RepeatState():
            plan.data = result.data
        case Keep():
            pass
        case NextState():
            raise BadReturn("bad_state_enter_return_from_state_function", result)
        case _:
            raise BadReturn("bad_return_from_state_function", result)
    _act(plan, result.actions, entering=True)


def _act(plan: Plan, actions: Any, *, entering: bool) -> None:
    for action in actions if isinstance(actions, (list, tuple)) else [actions]:
        if isinstance(action, _TIMERS):
            _set_timer(plan, action)
        elif isinstance(action, Answer):
            plan.answers.append(action)
        elif isinstance(action, Hibernate):
            plan.hibernate = True
        elif action is POSTPONE and not entering:
            plan.postpone = True
        elif isinstance(action, NextEvent) and isinstance(action.event, _EVENTS) and not entering:
            plan.next_events.append(action.event)
        elif entering and (action is POSTPONE or isinstance(action, NextEvent)):
            raise BadReturn("bad_state_enter_action_from_state_function", action)
        else:
            raise BadReturn("bad_action_from_state_function", action)


def _set_timer(plan: Plan, timer: Timer) -> None:
    whole = isinstance(timer.ms, int) and not isinstance(timer.ms, bool) and timer.ms >= 0
    if not (whole or timer.ms is None or timer.ms is UPDATE):
        raise BadReturn("bad_action_from_state_function", timer)
    key = timer_key(timer)
    plan.timers.pop(key, None)
    plan.timers[key] = timer
