"""Supervisor: starts children in order, restarts them as its strategy says, stops them in reverse order.

This file acts; every decision is made in ``restart``. Rules: Erlang's ``supervisor``.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from types import CoroutineType, coroutine
from typing import Any, ClassVar, Final, assert_never

import msgspec

from ..model.ids import Pid
from ..model.text import short_text
from ..runtime import delivery, lifecycle
from ..runtime.exceptions import WaitInPlainCallback
from ..runtime.operations import OP_ROW, UP
from ..runtime.process import Process, Running
from ..runtime.signals import CALL, CAST, EXIT, INFO, INIT, SYSTEM, Caller, Entry
from ..runtime.storytelling import state_text
from . import children, gen, inheritance, restart, served
from .child import Form, Settling, SpecError
from .child_keys import key_of
from .hints import Maybe
from .process import OtpProcess
from .returns import IGNORE, Ignore, Ok, Stop
from .row import Row
from .sys import SysError

_RETRY = "$supervisor_retry"
_WAIT_OVER = "$supervisor_wait_over"


class Spec(msgspec.Struct, frozen=True):
    """What a supervisor's init may return instead of a plain list of children: the flags come with it.

    >>> from jupyter_sandbox.otp import Child, GenServer, Node, Spec, Supervisor, count_children
    >>> class Worker(GenServer):
    ...     pass
    >>> class Pool(Supervisor):
    ...     def init(self, size):  # the flags depend on the argument, too
    ...         workers = [Child(Worker, n, id=n) for n in range(size)]
    ...         return Spec(workers, "one_for_all", intensity=2 * size, period_s=60)
    >>> async def main(self):
    ...     return (await count_children(self, await self.start(Pool, 4)))["active"]
    >>> Node().run_function(main)
    4
    """

    children: Iterable[Form]
    strategy: Any = "one_for_one"
    intensity: Any = 3
    period_s: Any = 5
    auto_shutdown: Any = "never"
    max_children: Any = None
    """Of a DynamicSupervisor; None for any number."""
    extra_arguments: Any = ()
    """Of a DynamicSupervisor: what every child's init gets before its own argument."""


class Supervisor(OtpProcess):
    """Subclass it, set the flags as class attributes and return the children from ``init``.

    >>> from jupyter_sandbox.otp import GenServer, Child, Node, which_children
    >>> class Worker(GenServer):
    ...     pass
    >>> class Top(Supervisor):
    ...     strategy = "one_for_all"
    ...     def init(self, argument):
    ...         return [Child(Worker, 1, name="left"), Child(Worker, 2, name="right")]
    >>> async def main(self):
    ...     top = await self.start(Top)
    ...     return [entry[0] for entry in await which_children(self, top)]
    >>> Node().run_function(main)
    ['right', 'left']
    """

    strategy: str = "one_for_one"
    intensity: int = 3
    period_s: int = 5
    auto_shutdown: str = "never"
    dynamic: ClassVar[bool] = False
    """Whether children are added one by one, told apart by pid, and stopped all at once."""
    restart = "permanent"
    type = "supervisor"
    shutdown_ms: int | str | None = None

    def init(self, argument: Any) -> Maybe[Iterable[Form] | Spec | Ignore]:
        """The children: a list of ``Child(...)``, classes or ``(class, argument)``; or ``Spec(...)``, or ``IGNORE``."""
        return []

    @staticmethod
    def state_text(state: Any) -> str:
        """A supervisor's state in a few words."""
        if type(state) is not restart.State:
            return ""
        running = sum(entry.pid is not None for entry in state.entries.values())
        return f"{state.flags.strategy}, {running} of {len(state.entries)} children running"


def dispatch(process: Process, entry: Entry) -> Running | None:
    """Handle one mailbox entry."""
    kind, payload, source = entry
    if kind in (INIT, SYSTEM) or (kind == EXIT and delivery.is_parent(process, source)):
        return gen.control(process, entry)
    if kind == EXIT:
        assert isinstance(source, Pid)
        last = () if process.dictionary is None else inheritance.left(process, source)
        if source not in process.state.by_pid:
            return None
        return _follow(process, restart.Exited(source, payload.reason, last))  # type: ignore[attr-defined]
    if kind == CALL:
        assert type(source) is Caller
        return served.serve(process, payload, source)
    if kind == CAST:
        if type(payload) is tuple and len(payload) == 2 and payload[0] == "try_again_restart":
            return None  # OTP's own order to itself, which is for a child that waits for its restart
        return served.refuse(process, payload)
    if kind == INFO and type(payload) is tuple and len(payload) == 2 and payload[0] == _RETRY:
        return _follow(process, restart.TryAgain(payload[1]))
    if kind == INFO and type(payload) is tuple and len(payload) == 3 and payload[0] == _WAIT_OVER:
        return _follow(process, restart.WaitOver(payload[1], payload[2]))
    process.node.emit("log", process, ("error", f"supervisor got an unexpected message: {short_text(payload)}"))
    return None


async def _follow(process: Process, event: restart.Event) -> None:
    """Let ``restart`` decide, do what it says, and exit if it gives up."""
    reason = await pursue(process, event)
    if reason is not None:
        lifecycle.exit_process(process.node, process, gen.report(process, reason[0]))
    elif process.upgrade is not None:
        process.upgrade(process)


async def pursue(process: Process, event: restart.Event) -> tuple[Any] | None:
    """Carry a decision out to its end; a one-tuple with the reason when the supervisor gives up."""
    state: restart.State = process.state
    record: restart.Record | None = None
    action = restart.decide(state, event, process.node.now_ms // 1000)
    while action is not None:
        outcome: restart.Event | None = None
        match action:
            case restart.Record():
                record = action
                _record(process, action)
            case restart.Start():
                entry = state.entries[action.id]
                last, entry.last = entry.last, ()
                outcome = await children.start_child(process, action.id, entry.child, last)
            case restart.StopChild():
                entry = state.entries[action.id]
                await children.stop_child(process, entry)
                outcome = restart.Stopped(action.id)
            case restart.StopAll():
                await children.stop_all(process, state)
            case restart.Retry():
                delivery.deliver(process.node, process, (INFO, (_RETRY, action.id), process.pid))
            case restart.Wait():
                process.context.send_after(action.ms, process.pid, (_WAIT_OVER, action.id, action.number))
            case restart.GiveUp():
                return (action.reason,)
            case _:
                assert_never(action)
        if outcome is None:
            action = restart.next_action(state)
        else:
            action = restart.decide(state, outcome, process.node.now_ms // 1000)
    if process.node.sink is None:
        return None
    if record is not None and record.started:
        _record_result(process, state, record.id)
    elif type(event) is restart.WaitOver:
        _record_result(process, state, event.id)
    return None


def _record(process: Process, record: restart.Record) -> None:
    gave_up = record.decision.startswith("gave up")
    process.node.restarts += bool(record.started)
    process.node.emit("supervisor_gave_up" if gave_up else "supervisor_restart", process, record)


def _record_result(process: Process, state: restart.State, id: Any) -> None:
    """What the restarted child came back with, for the restart history."""
    entry = state.entries.get(id)
    child = process.node.processes.get(entry.pid) if entry is not None and entry.pid is not None else None
    process.node.emit("restart_done", process, (id, "" if child is None else state_text(child)))


# --- starting ---------------------------------------------------------------------------------------------------------


def _init(process: Process, argument: Any) -> Any:
    process.trap_exit = True
    return _boot(process, argument)


async def _boot(process: Process, argument: Any) -> Any:
    spec = process.context.init(argument)
    if type(spec) is CoroutineType:
        spec = await spec
    if isinstance(spec, Ignore) or spec is IGNORE:
        return IGNORE
    try:
        process.state = read_spec(process.context, spec)
    except SpecError as error:
        return Stop(error.reason)
    process.state.argument = argument
    reason = None
    if not process.state.dynamic:
        reason = await _begin(process, process.state)
    return Ok(process.state) if reason is None else Stop(reason[0])


@coroutine
def _begin(process: Process, state: restart.State) -> Generator[Any, Any, tuple[Any] | None]:
    """What ``pursue`` does for Begin, for as long as all goes well without a decision; then ``pursue`` goes on."""
    row = Row(state)
    while row.at < len(row.entries):
        try:
            outcome: restart.Event | None = None
            pid = yield (OP_ROW, row, None, None, None)
            entry = row.entries[row.at - 1]
            if pid is UP and row.at < len(row.entries):
                entry = row.entries[row.at]
                row.at += 1
                child = entry.child
                if child.start is not None or child.keep_state or child.extra:
                    outcome = yield from children.start_child(process, key_of(child.id), child)
                else:
                    pid = yield gen.request(process, child.module, child.argument, child.name, "link", child.timeout_ms)
        except BaseException as error:  # whatever was raised is judged there
            outcome = children.failed(key_of(row.entries[row.at - 1].child.id), error)
        else:
            if outcome is None and pid is not IGNORE:
                if pid is not UP:
                    restart.note_started(state, entry, pid, process.node.now_ms // 1000)
                continue
            outcome = outcome or restart.Started(key_of(entry.child.id), None)
        state.plan.extend([restart.Start(key_of(other.child.id)) for other in row.entries[row.at :]])
        given_up: tuple[Any] | None = yield from pursue(process, outcome)
        return given_up
    return None


def read_spec(context: Supervisor, spec: Any) -> restart.State:
    """The state that init's return value asks for. Raises SpecError with OTP's reason."""
    if not isinstance(spec, Spec):
        if not isinstance(spec, (list, tuple)):
            raise SpecError(("bad_return", (type(context), "init", spec)), "init returns a list of children")
        spec = Spec(spec, context.strategy, context.intensity, context.period_s, context.auto_shutdown)
    flags = read_flags(spec, dynamic=context.dynamic)
    state = restart.State(flags)
    if isinstance(spec.children, (str, bytes, Mapping)) or not isinstance(spec.children, Iterable):
        raise SpecError(("bad_start_spec", spec.children), "the children are a list")
    forms = list(spec.children)
    if flags.strategy == "simple_one_for_one" and len(forms) != 1:
        raise SpecError(("bad_start_spec", forms), "simple_one_for_one takes exactly one child")
    settled, entries = Settling(flags.auto_shutdown).settled, state.entries
    for form in forms:
        try:
            child = settled(form)
        except SpecError as error:
            raise SpecError(("start_spec", error.reason), error.hint) from None
        if type(id := child.id) is not str:
            id = key_of(id)
        if id in entries:
            raise SpecError(("start_spec", ("duplicate_child_name", child.id)), "give each child an id of its own")
        entries[id] = restart.Entry(child)
    if flags.strategy == "simple_one_for_one":
        state.template = state.entries.popitem()[1].child
    return state


def read_flags(spec: Spec, *, dynamic: bool = False) -> restart.Flags:
    """Check the flags. Raises SpecError with OTP's reason."""
    whole = isinstance(spec.intensity, int) and not isinstance(spec.intensity, bool)
    period = isinstance(spec.period_s, int) and not isinstance(spec.period_s, bool)
    if spec.strategy not in restart.STRATEGIES:
        raise _bad_flag("invalid_strategy", spec.strategy, f"one of {', '.join(restart.STRATEGIES)}")
    if not whole or spec.intensity < 0:
        raise _bad_flag("invalid_intensity", spec.intensity, "a whole number, 0 or more")
    if not period or spec.period_s < 1:
        raise _bad_flag("invalid_period", spec.period_s, "whole seconds, 1 or more")
    if spec.auto_shutdown not in restart.AUTO_SHUTDOWN:
        raise _bad_flag("invalid_auto_shutdown", spec.auto_shutdown, f"one of {', '.join(restart.AUTO_SHUTDOWN)}")
    limit = spec.max_children
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 0):
        raise _bad_flag("invalid_max_children", limit, "a whole number, 0 or more, or None")
    if not isinstance(spec.extra_arguments, (list, tuple)):
        raise _bad_flag("invalid_extra_arguments", spec.extra_arguments, "a list or a tuple")
    return restart.Flags(
        spec.strategy, spec.intensity, spec.period_s, spec.auto_shutdown,
        dynamic=dynamic or spec.strategy == "simple_one_for_one", max_children=limit,
        extra_arguments=tuple(spec.extra_arguments),
    )  # fmt: skip


def _bad_flag(reason: str, value: Any, hint: str) -> SpecError:
    return SpecError(("supervisor_data", (reason, value)), hint)


def _terminate(process: Process, reason: Any) -> Any:
    return pursue(process, restart.Close(reason))


def _code_change(process: Process, context: Any, old_version: Any, extra: Any) -> Any:
    """Run the new init: flags and specifications are replaced, running children stay, nobody is started or stopped."""
    old: restart.State = process.state
    spec = _at_once(context.init(old.argument))
    if spec is _WAITS:
        text = "its init waits, which a code change cannot: flags and specifications stay until it is started anew"
        process.node.emit("log", process, ("warning", text))
        return old
    if isinstance(spec, Ignore):
        return old
    if not isinstance(spec, (Spec, list, tuple)):
        raise SysError("change_code", spec)
    fresh = read_spec(context, spec)
    for id, entry in fresh.entries.items():
        if id in old.entries:
            before = old.entries[id]
            entry.pid, entry.restarts, entry.restarting = before.pid, before.restarts, before.restarting
            entry.wait, entry.attempts, entry.last = before.wait, before.attempts, before.last
    for id, entry in old.entries.items():
        fresh.entries.setdefault(id, entry)
    fresh.by_pid, fresh.window, fresh.serial = dict(old.by_pid), old.window.copy(), old.serial
    fresh.argument, fresh.waits = old.argument, old.waits
    return fresh


_WAITS: Final = object()


def _at_once(result: Any) -> Any:
    """What an init returns without waiting for anything; ``_WAITS`` when it waits."""
    if not isinstance(result, CoroutineType):
        return result
    try:
        result.send(None)
    except StopIteration as end:
        return end.value
    except WaitInPlainCallback:
        return _WAITS
    result.close()
    return _WAITS


Supervisor.engine = gen.Engine("supervisor", dispatch, _init, _terminate, _code_change, restart.State)
