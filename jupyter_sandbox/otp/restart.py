"""Every decision of a supervisor, as a pure state machine: events in, one action at a time out.

``decide(state, event, now_s)`` returns the next Action or None when there is
nothing left to do. The outcome of each action comes back as the next event.
The state is changed in place and belongs to its supervisor alone; nothing here
reads a clock or touches a process. Rules: Erlang's ``supervisor``.
"""

from __future__ import annotations

from typing import Any, assert_never

from ..model.exits import SHUTDOWN, is_normal
from ..model.ids import Pid
from .child import Child
from .child_keys import key_of
from .restart_terms import (
    AUTO_SHUTDOWN,
    STRATEGIES,
    Action,
    Begin,
    Close,
    Entry,
    Event,
    Exited,
    Flags,
    GiveUp,
    NotStarted,
    Record,
    Retry,
    Start,
    Started,
    State,
    StopAll,
    StopChild,
    Stopped,
    TryAgain,
    Wait,
    WaitOver,
)

__all__ = [
    "Action", "AUTO_SHUTDOWN", "Begin", "Close", "Entry", "Event", "Exited", "Flags", "GiveUp", "NotStarted",
    "Record", "Retry", "STRATEGIES", "Start", "Started", "State", "StopAll", "StopChild", "Stopped", "TryAgain",
    "Wait", "WaitOver", "add", "decide", "drop_ignored", "find_dynamic", "next_action", "note_started", "window_left",
]  # fmt: skip


def decide(state: State, event: Event, now_s: int) -> Action | None:
    """Take an event in; say what to do next."""
    match event:
        case Exited():
            _exited(state, event, now_s)
        case Started():
            _started(state, event, now_s)
        case Begin():
            state.plan.extend(Start(id) for id in state.entries)
        case NotStarted():
            _not_started(state, event, now_s)
        case Stopped():
            _gone(state, event.id)
        case TryAgain():
            _try_again(state, event.id, now_s)
        case WaitOver():
            _wait_over(state, event)
        case Close():
            _close(state, event.reason)
        case _:
            assert_never(event)
    return next_action(state)


def next_action(state: State) -> Action | None:
    """The next thing of the plan."""
    if state.plan:
        return state.plan.popleft()
    state.group = {}
    return None


def add(state: State, child: Child, pid: Pid | None) -> Entry:
    """Note a child that has been started."""
    key = child.id if type(child.id) is str else key_of(child.id)
    entry = state.entries[key] = Entry(child, pid)
    if pid is not None:
        state.by_pid[pid] = key
    return entry


def note_started(state: State, entry: Entry, pid: Pid, now_s: int) -> None:
    """What Started changes when it is the first start of a child."""
    entry.pid, entry.started_s = pid, now_s
    id = entry.child.id
    state.by_pid[pid] = id if type(id) is str else key_of(id)


def window_left(state: State, now_s: int) -> int:
    """How many more restarts are allowed right now."""
    return state.flags.intensity - sum(now_s - at < state.flags.period_s + 1 for at in state.window)


# --- how each event changes the state ---------------------------------------------------------------------------------


def _started(state: State, event: Started, now_s: int) -> None:
    entry = state.entries[event.id]
    entry.started_s = now_s
    entry.restarting = False
    entry.ignored = event.pid is None
    entry.restarts += event.id in state.group
    _point(state, entry, event.id, event.pid)
    unnamed = state.dynamic and state.template is None
    if event.pid is None and state.template is not None:
        drop_ignored(state, event.id)
    if event.pid is None and (entry.child.restart == "temporary" or unnamed):
        del state.entries[event.id]


def drop_ignored(state: State, kept: Any = None) -> None:
    """``simple_one_for_one`` knows its children by pid: those whose restart ended with ignore share one place."""
    for id in [id for id, entry in state.entries.items() if entry.ignored and not entry.restarting and id != kept]:
        del state.entries[id]


def find_dynamic(state: State, pid: Pid) -> Any:
    """The id of a dynamic child by its pid, or by the pid it had before the restart that is being tried."""
    if pid in state.by_pid:
        return state.by_pid[pid]
    return next((id for id, entry in state.entries.items() if entry.restarting and entry.was == pid), None)


def _point(state: State, entry: Entry, id: Any, pid: Pid | None) -> None:
    if entry.pid is not None:
        state.by_pid.pop(entry.pid, None)
    entry.pid, entry.wait = pid, 0
    if pid is not None:
        state.by_pid[pid] = id


def _not_started(state: State, event: NotStarted, now_s: int) -> None:
    """A start failed: at the beginning that is the end; in a restart it is tried again, and each try counts."""
    state.plan.clear()
    if not state.group:
        failed = state.entries[event.id].child.id
        _close(state, ("shutdown", ("failed_to_start_child", failed, event.reason)))
        return
    entry = state.entries[event.id]  # one_for_all: those started already are stopped by the next try, not before
    _point(state, entry, event.id, None)
    entry.restarting = True
    state.failed = event.id
    state.plan.append(Record(event.id, None, event.reason, "start failed, tried again"))
    state.plan.append(Retry(event.id))


def _exited(state: State, event: Exited, now_s: int) -> None:
    id = state.by_pid.get(event.pid)
    if id is None:
        return
    entry = state.entries[id]
    restart = entry.child.restart
    if restart == "permanent" or (restart == "transient" and not is_normal(event.reason)):
        _note_end(entry, event, now_s)
        _restart(state, entry, event.pid, event.reason, now_s)
        return
    _point(state, entry, id, None)
    if restart == "temporary" or state.dynamic:
        del state.entries[id]
    why = "temporary" if restart == "temporary" else "transient and its exit was normal"
    state.plan.append(Record(id, event.pid, event.reason, f"not restarted: {why}"))
    _auto_shutdown(state, entry)


def _auto_shutdown(state: State, entry: Entry) -> None:
    """A significant child that ended by itself may take the supervisor with it."""
    if not entry.child.significant or state.flags.auto_shutdown == "never":
        return
    others = any(other.child.significant and other.pid is not None for other in state.entries.values())
    if state.flags.auto_shutdown == "any_significant" or not others:
        _close(state, SHUTDOWN)


def _restart(state: State, entry: Entry, pid: Pid | None, reason: Any, now_s: int) -> None:
    id = key_of(entry.child.id)
    _point(state, entry, id, None)
    if pid is not None:
        entry.was = pid
    if not _allowed(state, now_s):
        flags = state.flags
        state.plan.append(
            Record(id, pid, reason, f"gave up: more than {flags.intensity} restarts in {flags.period_s} s")
        )
        _close(state, SHUTDOWN)
        return
    state.failed = id
    stop, start = _reach(state, id)
    used = len(state.window)
    flags = state.flags
    decision = f"{flags.strategy} restart {used} of {flags.intensity} in {flags.period_s} s"
    delay_ms = 0 if entry.child.backoff is None else _delay(entry)
    if delay_ms:
        decision += f", after {delay_ms} ms"
    state.plan.append(Record(id, pid, reason, decision, tuple(stop), tuple(start)))
    if stop:
        state.plan.extend(StopChild(other) for other in stop)
    if delay_ms:
        state.waits = entry.wait = state.waits + 1
        entry.restarting = True
        state.plan.append(Wait(id, delay_ms, entry.wait))
        return
    state.plan.extend([Start(other) for other in start])
    state.group = dict.fromkeys(start)


def _note_end(entry: Entry, event: Exited, now_s: int) -> None:
    """What counts beyond OTP: the state of a crashed child is kept, one that ran for long has no attempts behind it."""
    entry.last = () if is_normal(event.reason) else event.last
    if entry.child.backoff is not None and (now_s - entry.started_s) * 1_000 > entry.child.backoff.max_ms:
        entry.attempts = 0


def _delay(entry: Entry) -> int:
    entry.attempts += 1
    return int(entry.child.backoff.delay_ms(entry.attempts))


def _wait_over(state: State, event: WaitOver) -> None:
    """Restart now, unless the child was stopped or restarted otherwise meanwhile. It has been counted already."""
    entry = state.entries.get(event.id)
    if entry is None or entry.wait != event.number or not entry.restarting:
        return
    state.failed = event.id
    stop, start = _reach(state, event.id)
    state.plan.extend(StopChild(other) for other in stop)
    state.plan.extend(Start(other) for other in start)
    state.group = dict.fromkeys(start)


def _allowed(state: State, now_s: int) -> bool:
    """Add a restart to the window and say whether the intensity still allows it (whole seconds, one per event)."""
    period = state.flags.period_s
    while state.window and now_s - state.window[0] > period:
        state.window.popleft()
    state.window.append(now_s)
    return len(state.window) <= state.flags.intensity


def _reach(state: State, id: Any) -> tuple[list[Any], list[Any]]:
    """Who is stopped (in reverse start order) and who is started (in start order) when ``id`` is restarted."""
    if state.flags.strategy in ("one_for_one", "simple_one_for_one"):
        return [], [id]
    ids = list(state.entries)
    group = ids if state.flags.strategy == "one_for_all" else ids[ids.index(id) :]
    stop = [other for other in reversed(group) if other != id and state.entries[other].pid is not None]
    start = [other for other in group if other == id or state.entries[other].child.restart != "temporary"]
    for other in group:
        if other != id and state.entries[other].child.restart == "temporary" and state.entries[other].pid is None:
            del state.entries[other]
    return stop, start


def _gone(state: State, id: Any) -> None:
    """A child was stopped by its supervisor: a temporary one loses its specification."""
    entry = state.entries.get(id)
    if entry is None:
        return
    _point(state, entry, id, None)
    entry.restarting = False
    if entry.child.restart == "temporary":
        del state.entries[id]


def _try_again(state: State, id: Any, now_s: int) -> None:
    entry = state.entries.get(id)
    if entry is not None and entry.restarting:
        entry.restarting = False
        _restart(state, entry, None, "start failed", now_s)
        if state.closing is None:
            entry.restarting = True


def _close(state: State, reason: Any) -> None:
    for entry in state.entries.values():
        entry.restarting = False
    state.closing = (reason,)
    if state.dynamic:
        state.plan.append(StopAll())
    else:
        state.plan.extend(StopChild(id) for id in _running_backwards(state, state.entries))
    state.plan.append(GiveUp(reason))


def _running_backwards(state: State, ids: dict[Any, Any]) -> list[Any]:
    return [id for id in reversed(ids) if id in state.entries and state.entries[id].pid is not None]
