"""The life of one sandbox as a pure state machine: events in, the next life and actions out.

``apply`` decides everything about status; the shell (``manager.unit``) carries
the actions out and reports what became of them as further events. Which moves
are legal is a table, so that the table can be read, tested and drawn. Nothing
here reads a clock, waits, or touches a guest.
"""

from __future__ import annotations

import math
import signal
from collections.abc import Mapping
from dataclasses import replace
from typing import Literal, assert_never

from ..model.errors import InternalError, SandboxBusy, SandboxError, SandboxGone, UsageError
from ..model.sandbox import SandboxStatus as S
from .stacks import as_traceback, stack_in
from .watch import disk_text, meanwhile

from .life import (  # isort: skip  # fmt: skip
    Action,
    Announce,
    BuildFailed,
    DiskOver,
    DestroyAsked,
    Forget,
    GivenUp,
    GuestExited,
    GuestTook,
    HandlerOver,
    Interrupt,
    Life,
    LifeEvent,
    LimitCounted,
    MainEnded,
    MainStarted,
    MemoryOver,
    Paused,
    ProtocolBroken,
    RaiseAlert,
    ReloadBegan,
    ReloadEnded,
    RestartBegan,
    Resumed,
    Retire,
    RuntimeOver,
    StopBegan,
    StopEnded,
    StopRefused,
    Tell,
)

# --- legality -------------------------------------------------------------------------------------------------------

_ALIVE = (S.RUNNING, S.PAUSED, S.RELOADING)
_SETTLED = (S.RUNNING, S.PAUSED, S.STOPPED, S.CRASHED)

MOVES: Mapping[type[LifeEvent], Mapping[S, S]] = {
    GuestTook: dict.fromkeys((S.STARTING, *_SETTLED), S.RUNNING),
    BuildFailed: {S.STARTING: S.CRASHED},
    RestartBegan: dict.fromkeys(_SETTLED, S.STARTING),
    Paused: {S.RUNNING: S.PAUSED, S.PAUSED: S.PAUSED, S.STOPPED: S.STOPPED, S.CRASHED: S.CRASHED,
             S.STOPPING: S.STOPPING},
    Resumed: {S.PAUSED: S.RUNNING, S.RUNNING: S.RUNNING, S.STOPPED: S.STOPPED, S.CRASHED: S.CRASHED,
              S.STOPPING: S.STOPPING},
    ReloadBegan: dict.fromkeys(_SETTLED, S.RELOADING),
    ReloadEnded: {S.RELOADING: S.RUNNING},
    MainStarted: {S.STARTING: S.STARTING, S.RUNNING: S.RUNNING, S.PAUSED: S.PAUSED, S.STOPPED: S.RUNNING,
                  S.CRASHED: S.RUNNING, S.STOPPING: S.STOPPING},
    MainEnded: {S.STARTING: S.STARTING, S.STOPPING: S.STOPPING, S.STOPPED: S.STOPPED, S.RELOADING: S.RELOADING,
                **dict.fromkeys((S.RUNNING, S.PAUSED, S.CRASHED), S.CRASHED)},
    StopBegan: dict.fromkeys(_SETTLED, S.STOPPING),
    StopEnded: {S.STOPPING: S.STOPPED},
    StopRefused: {S.STOPPING: S.STOPPED},
    GuestExited: {S.STARTING: S.STARTING, S.STOPPING: S.STOPPED, S.STOPPED: S.STOPPED,
                  **dict.fromkeys((*_ALIVE, S.CRASHED), S.CRASHED)},
    MemoryOver: dict.fromkeys(S, S.CRASHED),
    DiskOver: dict.fromkeys(S, S.CRASHED),
    RuntimeOver: {**dict.fromkeys(S, S.STOPPED), S.CRASHED: S.CRASHED},
    HandlerOver: dict.fromkeys(S, S.CRASHED),
    LimitCounted: {status: status for status in S},
    ProtocolBroken: dict.fromkeys(S, S.CRASHED),
    GivenUp: dict.fromkeys(S, S.CRASHED),
    DestroyAsked: dict.fromkeys(S, S.STOPPING),
}  # fmt: skip
"""Every legal event per status and the status it leads to; anything else is a bug of the shell."""

REPLACED = "another OS process took its place"
"""Why a guest is retired whose sandbox goes on."""

Verb = Literal[
    "act", "look", "load", "start", "stop", "pause", "resume", "step", "back", "snapshot", "restore", "restart"
]

PERMITTED: Mapping[Verb, tuple[S, ...]] = {
    "act": _ALIVE,
    "look": (*_ALIVE, S.STOPPING, S.STOPPED, S.CRASHED),
    "load": _SETTLED,
    "start": (S.RUNNING, S.STOPPED, S.CRASHED),
    "stop": _SETTLED,
    "pause": (S.RUNNING, S.PAUSED),
    "resume": (S.PAUSED, S.RUNNING),
    "step": (S.PAUSED,),
    "back": (S.PAUSED, S.STOPPED, S.CRASHED),
    "snapshot": (S.RUNNING, S.PAUSED),
    "restore": _SETTLED,
    "restart": _SETTLED,
}
"""What a user may ask for in which status."""

_NEEDS_GUEST: frozenset[Verb] = frozenset({"act", "look", "pause", "resume", "step", "back", "snapshot"})


def refusal(life: Life, verb: Verb) -> SandboxError | None:
    """Why ``verb`` is not possible now, as the error to raise; None when it is possible.

    >>> str(refusal(Life(1, "shop", S.RUNNING, present=True), "step"))
    "sandbox 'shop' is running; pause it first: %sandbox pause shop"
    """
    name = life.name
    if life.destroyed:
        return SandboxGone(f"sandbox {name!r} was destroyed; make another one: %sandbox create {name}")
    if life.status in PERMITTED[verb] and (life.present or verb not in _NEEDS_GUEST):
        return None
    match life.status:
        case S.STOPPED | S.CRASHED:
            why = f": {life.reason}" if life.reason else ""
            if verb == "back":
                return SandboxGone(
                    f"sandbox {name!r} {_been(life)}{why}, and what it recorded went with its OS process. Go back to a "
                    f"snapshot: %sandbox snapshots {name}; or begin again: %sandbox restart {name}"
                )
            start = "Start it again"
            if life.present and life.status is S.CRASHED:
                start = f"Go back some steps: %sandbox back {name} 5; or start it again"
            # Stopped, it may have processes beside its application, which a start lets go on and a restart ends.
            how = "start" if life.status is S.STOPPED and life.main is not None else "restart"
            return SandboxGone(f"sandbox {name!r} {_been(life)}{why}. {start}: %sandbox {how} {name}")
        case S.RUNNING:
            return UsageError(f"sandbox {name!r} is running; pause it first: %sandbox pause {name}")
        case S.PAUSED:
            return UsageError(f"sandbox {name!r} is paused; let it go on first: %sandbox resume {name}")
        case S.STARTING | S.RELOADING | S.STOPPING:
            return SandboxBusy(f"sandbox {name!r} is {life.status}; try again in a moment: %sandbox info {name}")
        case _:
            assert_never(life.status)


def _been(life: Life) -> str:
    return "crashed" if life.status is S.CRASHED else "is stopped"


# --- the reducer ----------------------------------------------------------------------------------------------------

_Step = tuple[Life, tuple[Action, ...]]


def apply(life: Life, event: LifeEvent) -> _Step:
    """The life after ``event`` and what has to be done about it.

    News of a guest that is no longer the current one changes nothing, and what else was under way does not change
    that a sandbox is being destroyed.
    Raises InternalError for an event that the table does not have.
    """
    if _stale(life, event):
        return life, ()
    target = MOVES[type(event)].get(life.status)
    if target is None:
        raise InternalError(f"{type(event).__name__} cannot happen while sandbox {life.name!r} is {life.status}")
    return _decide(life, event, target)


def _stale(life: Life, event: LifeEvent) -> bool:
    match event:
        case GuestTook(generation):
            return generation <= life.generation
        case BuildFailed():
            return life.status is not S.STARTING  # the guest took over before, or the sandbox was destroyed
        case RestartBegan() | DestroyAsked():
            return False
        case _:
            return event.generation != life.generation or not life.present


def _decide(life: Life, event: LifeEvent, target: S) -> _Step:
    match event:
        case GuestTook():
            return _took(life, event)
        case BuildFailed(reason):
            return _announced(replace(life, status=target, reason=reason, present=False))
        case RestartBegan():
            gone = replace(life, status=target, reason="", present=False)
            return gone, (*_retired(life, REPLACED), Announce())
        case Paused() | Resumed() | StopBegan():
            return _announced(replace(life, status=target, reason=_kept_reason(life, target)))
        case ReloadBegan():
            return _announced(replace(life, status=target, resting=life.status))
        case ReloadEnded():
            return _announced(replace(life, status=life.resting, reason=_kept_reason(life, life.resting)))
        case MainStarted(_, main):
            return _announced(replace(life, status=target, main=main, reason="", over=False))
        case StopEnded():
            return _announced(replace(life, status=target, reason="stopped by the user"))
        case LimitCounted(_, limit, message, seen, ends):
            text = message + _anew(life.name) if ends else message
            return life, (RaiseAlert(limit, text, again=seen), Announce())
        case DestroyAsked():
            gone = replace(life, status=target, reason="destroyed", present=False, destroyed=True)
            return gone, (*_retired(life, "destroyed"), Forget())
        case MainEnded() | StopRefused() | GuestExited() | MemoryOver() | DiskOver() | RuntimeOver() | HandlerOver():
            return _ended(life, event, target)
        case ProtocolBroken(_, message, limit):
            alert = RaiseAlert(limit, f"it was killed: {message}")
            return _killed(life, target, f"protocol: {message}", alert)
        case GivenUp(_, reason):
            return _killed(life, target, reason, None)
        case _:
            assert_never(event)


def _ended(
    life: Life,
    event: MainEnded | StopRefused | GuestExited | MemoryOver | DiskOver | RuntimeOver | HandlerOver,
    target: S,
) -> _Step:
    match event:
        case MainEnded(_, reason, normal):
            return _main_ended(life, reason, normal, target)
        case StopRefused(_, reason):
            return _killed(life, target, reason, None)
        case GuestExited(_, reason, dump, by):
            ended = replace(life, status=target, present=False, reason=_exit_reason(life, reason))
            news = life.status in _ALIVE and target is S.CRASHED
            told = (Tell(ended.reason, "", as_traceback(stack_in(dump))),) if news else ()
            alerts = _of_processor_time(life.name, by) or ((_crash(ended),) if news else ())
            return ended, (Retire(life.generation, ended.reason), *alerts, *told, Announce())
        case MemoryOver(kill=kill):
            alert = RaiseAlert("memory_limit", _memory_text(life.name, event), again=not kill)
            return _killed(life, target, f"memory: {alert.message}", alert) if kill else (life, (alert, Announce()))
        case DiskOver(_, used, files, process, unseen):
            text = f"it {disk_text(used, files, unseen)} and was killed{meanwhile(process)}"
            alert = RaiseAlert("disk_limit", f"{text}{_anew(life.name)} with an empty folder")
            return _killed(life, target, f"disk: {text}", alert)
        case RuntimeOver(_, limit_ms):
            text = f"it ran longer than max_runtime ({limit_ms / 1000:g} s) and was stopped{_longer(life.name)}"
            reason = f"it ran longer than max_runtime ({limit_ms / 1000:g} s)"
            if life.status in (S.STOPPED, S.CRASHED) and life.reason:
                reason = f"{life.reason}; its OS process ran on, longer than max_runtime ({limit_ms / 1000:g} s)"
            return _killed(life, target, reason, RaiseAlert("runtime_limit", text))
        case HandlerOver():
            return _handler_over(life, event, target)
        case _:
            assert_never(event)


def _took(life: Life, event: GuestTook) -> _Step:
    status = S.PAUSED if event.paused else S.RUNNING
    fresh = replace(
        life, status=status, reason="", generation=event.generation, present=True, main=event.main, over=False
    )
    return fresh, (*_retired(life, REPLACED), Announce())


def _main_ended(life: Life, reason: str, normal: bool, target: S) -> _Step:
    if life.over:
        return life, ()
    text = "the main application ended" if normal else f"the main application ended: {reason}"
    rest = S.STOPPED if normal else S.CRASHED
    status = rest if target is S.CRASHED else target
    ended = replace(life, status=status, reason=text, resting=rest, over=True)
    news = not normal and life.status in _ALIVE
    return ended, (*((_crash(ended),) if news else ()), Announce())


_STOPPED = "a signal has stopped its OS process (SIGSTOP, say)"
_UNBREAKABLE = "it computes in C, holds Python's lock and cannot be interrupted"


def _handler_over(life: Life, event: HandlerOver, target: S) -> _Step:
    text = f"{stuck(event)} ran longer than {event.budget_ms} ms"
    stack = stack_in(event.dump, beside=event.deaf)
    hangs = f"; it hangs at {stack[0]}" if stack else ""
    if event.last:
        where = f": {_STOPPED}{hangs}" if event.stopped else hangs
        reason = f"hang: {text} and could not be interrupted{where}"
        alert = RaiseAlert("hang", f"{text}; the sandbox was killed{where}{_anew(life.name)}")
        ended, actions = _killed(life, target, reason, alert)
        return ended, (Tell(reason, event.process, as_traceback(stack)), *actions)
    slower = f"it is being interrupted; `%sandbox limits {life.name} --handler-budget MS` lets it run longer"
    todo = _STOPPED if event.stopped else _UNBREAKABLE if event.deaf else slower
    alerts = (RaiseAlert("hang", f"{text}{hangs}; {todo}", again=True),) if event.attempt == 1 else ()
    return life, (Interrupt(life.generation), *alerts)


def stuck(event: HandlerOver) -> str:
    """What ran too long, in words."""
    if event.deaf:
        return "a thread beside its processes, for which everything waits,"
    if event.importing:
        return f"the import of {event.process}" if event.process else "an import"
    if event.changing:
        return f"the code_change of {event.process}"
    text = f"a callback of {event.process}" if event.process else "a callback"
    return f"{text}, or a thread that has everything wait," if event.waits else text


def _killed(life: Life, target: S, reason: str, alert: RaiseAlert | None) -> _Step:
    ended = replace(life, status=target, reason=reason, present=False)
    return ended, (Retire(life.generation, reason), *((alert,) if alert else ()), Announce())


def _retired(life: Life, reason: str) -> tuple[Retire, ...]:
    return (Retire(life.generation, reason),) if life.present else ()


def _announced(life: Life) -> _Step:
    return life, (Announce(),)


def _kept_reason(life: Life, target: S) -> str:
    return life.reason if target in (S.CRASHED, S.STOPPED) else ""


def _crash(ended: Life) -> RaiseAlert:
    """Whoever waits for an answer hears of it; behind a cast or a timer nobody waits."""
    return RaiseAlert("crash", f"{ended.reason}{_anew(ended.name)}")


def _of_processor_time(name: str, by: int | None) -> tuple[RaiseAlert, ...]:
    """The one limit that the operating system enforces by a signal of its own."""
    if by is None or by != getattr(signal, "SIGXCPU", None):
        return ()
    text = f"it used more processor time than max_runtime allows and was ended by the system{_longer(name)}"
    return (RaiseAlert("cpu_limit", text),)


def _anew(name: str) -> str:
    return f"; `%sandbox restart {name}` begins anew"


def _longer(name: str) -> str:
    return f"; `%sandbox limits {name} --max-runtime MS` and `%sandbox restart {name}` let it run longer"


def _exit_reason(life: Life, reason: str) -> str:
    if life.status in (S.STOPPED, S.CRASHED) and life.reason:
        return life.reason
    return f"its OS process ended with {reason}"


def _memory_text(name: str, event: MemoryOver) -> str:
    more = f"{meanwhile(event.process)}; `%sandbox limits {name} --max-memory SIZE` lets it have more"
    if not event.over:
        had = f"it has had {min(event.used, event.limit) / 1e6:.1f} of the {event.limit / 1e6:g} MB of max_memory"
        return f"{had}; what it asks for above that is refused{more}"
    over = f"{_up(event.used / 1e6)} MB, more than max_memory ({event.limit / 1e6:g} MB)"
    return (f"it used {over}, and was killed" if event.kill else f"it uses {over}") + more


def _up(figure: float) -> str:
    """With one decimal, and never less than it is.

    >>> _up(50.01), _up(60.0)
    ('50.1', '60.0')
    """
    return f"{math.ceil(figure * 10) / 10:.1f}"
