"""What ``self`` is inside a process: every operation a callback can perform. There is no current process elsewhere.

Operations that wait return awaitables and need an ``async def`` callback;
all others act at once. Rules: Erlang's reference manual, "Processes". One long class
of short operations, because ``self`` is one object and this is its reference.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Any, Final, NoReturn

from ..model.errors import NoProcess, UsageError
from ..model.ids import Pid, Ref
from . import delivery, lifecycle, requests, timers
from .exceptions import ProcessExit, WaitInPlainCallback
from .isolate import ATOMIC
from .operations import OP_OUTSIDE, OP_RECEIVE, OP_SLEEP, OP_START, OP_YIELD, ask, call
from .process import HIBERNATED, IDLE, READY, STATUS_NAMES, Process
from .signals import CALL, CAST, MISSING, Caller, Timeout

CALL_MS: Final = 5_000
"""How long a call waits unless told otherwise."""


class _NoAttributes(type):
    """Gives every class no instance attributes: what a process knows is in the state its callbacks return."""

    def __new__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any) -> Any:
        namespace.setdefault("__slots__", ())
        return super().__new__(cls, name, bases, namespace, **options)


class Context(metaclass=_NoAttributes):
    """The process as its own code sees it.

    >>> from jupyter_sandbox.runtime import Node
    >>> async def main(self):
    ...     async def echo(self):
    ...         request = await self.receive()
    ...         self.reply(request.caller, request.message)
    ...     return await self.call(self.spawn(echo), "hello")
    >>> Node().run_function(main)
    'hello'
    """

    __slots__ = ("_process",)
    _process: Process

    def __init__(self, process: Process) -> None:
        _set_process(self, process)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(
            f"cannot set self.{name}: a process keeps its state in what its callbacks return, "
            f"for example `return NoReply(new_state)`"
        )

    # --- who and when -----------------------------------------------------------------------------------------------

    @property
    def pid(self) -> Pid:
        """This process's own pid."""
        return self._process.pid

    @property
    def parent(self) -> Pid | None:
        """The process that started this one."""
        return self._process.parent

    def now(self) -> int:
        """The node's time in milliseconds. It stands still while the sandbox is paused and during a step."""
        return self._process.node.now_ms

    @property
    def random(self) -> random.Random:
        """A random stream of this process alone, from the sandbox's seed."""
        found = self.dictionary.get("$random")
        if found is None:
            found = self.dictionary["$random"] = self._process.node.random_stream(f"process {self._process.number}")
        assert isinstance(found, random.Random)
        return found

    @property
    def dictionary(self) -> dict[Any, Any]:
        """The process dictionary: private to this process, for data about it rather than its state."""
        if self._process.dictionary is None:
            self._process.dictionary = {}
        return self._process.dictionary

    def set_label(self, label: object) -> None:
        """A label for people to read where the process has no name (``proc_lib:set_label``)."""
        self._process.label = label

    # --- messages ----------------------------------------------------------------------------------------------------

    def send(self, target: Any, message: Any) -> None:
        """Send a message to a pid, a registered name or an alias; never waits. To a dead pid it is dropped.

        Raises NoProcess when a name is not registered (Erlang: badarg).
        """
        process = self._process
        if not delivery.send(process.node, process, target, message):
            raise NoProcess(f"no process is registered as {target!r}")

    def cast(self, target: Any, request: Any) -> None:
        """Send a request that wants no answer; to nobody it is dropped (``gen_server:cast``)."""
        process = self._process
        node = process.node
        node.messages_sent += 1
        if node.trace is not None:
            node.trace("message_send", process, ("cast", target, request))
        try:
            found = node.processes.get(target)
        except TypeError:
            found = None
        if found is None:
            found = delivery.lookup(node, target)
        if found is not None:
            if type(request) not in ATOMIC:
                request = node.copy(request)
            if found.status == IDLE and found.mailbox is not None:  # as deliver would, for the most frequent case
                found.mailbox.append((CAST, request, process.number))
                found.status = READY
                node.ready.append(found)
            else:
                delivery.deliver(node, found, (CAST, request, process.number))

    def call(self, target: Any, request: Any, timeout_ms: int | None = CALL_MS) -> Awaitable[Any]:
        """Ask and wait for the answer: ``value = await self.call("front", "next")``.

        Raises CallExit when the other process exits first or is not there,
        CallTimeout after ``timeout_ms`` (None waits for ever). Whoever does not
        catch that exits with it (``gen_server:call``).
        """
        if self._process.coro is None:
            raise WaitInPlainCallback("call")
        if timeout_ms is not CALL_MS and timeout_ms is not None:
            check_duration(timeout_ms)
        return call(target, request, timeout_ms, CALL)

    def send_request(self, target: Any, request: Any) -> Ref:
        """Call without waiting: the outcome is taken with ``receive_response`` (``gen_server:send_request``)."""
        return requests.send(self._process.node, self._process, target, request)

    def receive_response(self, request: Ref, timeout_ms: int | None = None) -> Awaitable[Any]:
        """Wait for the answer to a ``send_request``.

        Raises CallExit when the other process exits first or is not there, and
        CallTimeout after ``timeout_ms``: the request is abandoned then, a late answer dropped.
        """
        self._may_wait("receive_response", timeout_ms)
        return requests.take(self._process, request, timeout_ms)

    def reply(self, caller: Caller, value: Any) -> None:
        """Answer a call, now or later, from any process (``gen_server:reply``)."""
        if type(caller) is not Caller:
            raise UsageError("caller", caller, hint="give the caller that handle_call was given")
        delivery.reply(self._process.node, caller, value)

    def receive(
        self, match: type | Callable[[Any], Any] | None = None, *, timeout_ms: int | None = None, default: Any = MISSING
    ) -> Awaitable[Any]:
        """Wait for the first message in the mailbox that matches; the others stay, in order.

        ``match`` is a class, a predicate, or None for any message. After
        ``timeout_ms`` the result is ``default``; without one ReceiveTimeout is raised.
        """
        if self._process.coro is None:
            raise WaitInPlainCallback("receive")
        if timeout_ms is not None:
            check_duration(timeout_ms)
        if match is not None and isinstance(match, type):
            kind = match
            return ask((OP_RECEIVE, lambda message: isinstance(message, kind), timeout_ms, default))
        return ask((OP_RECEIVE, match, timeout_ms, default))

    def sleep(self, ms: int) -> Awaitable[None]:
        """Wait; messages stay in the mailbox meanwhile."""
        self._may_wait("sleep")
        return ask((OP_SLEEP, check_duration(ms)))

    def yield_(self) -> Awaitable[None]:
        """Let the others go first (``erlang:yield``)."""
        self._may_wait("yield_")
        return ask((OP_YIELD,))

    def outside(self, work: Callable[[], Any] | Awaitable[Any]) -> Awaitable[Any]:
        """The door to threads, files, sockets and other people's coroutines.

        A callable runs in a thread, an awaitable on an asyncio loop; the result
        is journalled, so a replay gets it without doing the work again:
        ``page = await self.outside(lambda: path.read_text())``.
        """
        self._may_wait("outside")
        return ask((OP_OUTSIDE, work))

    def _may_wait(self, what: str, timeout_ms: int | None = None) -> None:
        if self._process.coro is None:
            raise WaitInPlainCallback(what)
        if timeout_ms is not None:
            check_duration(timeout_ms)

    # --- processes ---------------------------------------------------------------------------------------------------

    def spawn(self, function: Callable[..., Any], *args: Any) -> Pid:
        """Run ``function(self, *args)`` in a new process, which exits when it returns."""
        return self._spawn(function, args, None).pid

    def spawn_link(self, function: Callable[..., Any], *args: Any) -> Pid:
        """Spawn and link in one."""
        child = self._spawn(function, args, None)
        child.parent = self._process.pid
        lifecycle.join(self._process, child)
        return child.pid

    def spawn_monitor(self, function: Callable[..., Any], *args: Any) -> tuple[Pid, Ref]:
        """Spawn and monitor in one."""
        child = self._spawn(function, args, None)
        return child.pid, lifecycle.monitor(self._process.node, self._process, child.pid)

    def _spawn(self, function: Callable[..., Any], args: tuple[Any, ...], name: str | None) -> Process:
        from . import plain  # plain needs Context

        node = self._process.node
        first = (function, node.copy(args))
        child = lifecycle.spawn(node, plain.run_plain, first, parent=self._process)
        plain.prepare(child, function)
        if name is not None:
            _claim(self._process, name, child)
        node.emit("process_spawn", child, self._process.pid)
        if node.trace is not None:
            node.trace("spawn", self._process, child)
        node.ready.append(child)
        return child

    def start_plain(
        self, function: Callable[..., Any], *args: Any, relation: str = "link", timeout_ms: int | None = None
    ) -> Awaitable[Any]:
        """Start a process and wait until it calls ``self.init_ack(value)``, whose value is the result (``proc_lib``).

        Raises StartError when it exits before, CallTimeout after ``timeout_ms``.
        """
        from . import plain

        self._may_wait("start_plain", timeout_ms)
        first = (function, self._process.node.copy(args))
        return ask((OP_START, plain.run_plain, first, relation, timeout_ms, lambda p, _: plain.prepare(p, function)))

    def init_ack(self, value: Any) -> None:
        """Tell the starter that this process is up."""
        lifecycle.acknowledge(self._process.node, self._process, value)

    def exit(self, reason: Any = "normal") -> NoReturn:
        """End this process with a reason."""
        raise ProcessExit(reason)

    def exit_signal(self, target: Any, reason: Any) -> None:
        """Send an exit signal: ``kill`` cannot be trapped, ``normal`` does nothing to a process that does not trap."""
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
        """
        if not lifecycle.link(self._process.node, self._process, target):
            raise NoProcess(f"cannot link to {target!r}: it is not alive")

    def unlink(self, target: Pid) -> None:
        """Take the link away."""
        lifecycle.unlink(self._process.node, self._process, target)

    def monitor(self, target: Any, *, alias: str | None = None, tag: Any = MISSING) -> Ref:
        """Get one ``Down(ref, process, reason)`` message when the target exits.

        With ``alias`` the reference is also an alias, until ``unalias``
        (``"explicit_unalias"``), until the monitor ends (``"demonitor"``) or until
        one message came through it (``"reply_demonitor"``). With ``tag`` the
        message is ``(tag, Down(...))``.
        """
        if alias is not None and alias not in lifecycle.ALIAS_ENDS:
            raise UsageError("alias", alias, allowed=lifecycle.ALIAS_ENDS)
        options: dict[str, Any] = {} if tag is MISSING else {"tag": tag}
        return lifecycle.monitor(self._process.node, self._process, target, alias=alias, **options)

    def demonitor(self, ref: Ref, *, flush: bool = False) -> bool:
        """Take a monitor away; ``flush`` also removes its Down message."""
        return lifecycle.demonitor(self._process.node, self._process, ref, flush=flush)

    def trap_exit(self, on: bool = True) -> bool:
        """From now on exit signals arrive as ``Exit(process, reason)`` messages. Returns the old setting."""
        old, self._process.trap_exit = self._process.trap_exit, on
        return old

    def is_alive(self, target: Pid) -> bool:
        """Whether a process is alive and not about to die of an exit signal."""
        found = delivery.lookup(self._process.node, target)
        return found is not None and found.doom is None

    # --- names, aliases, timers ---------------------------------------------------------------------------------------

    def register(self, name: str, target: Pid | None = None) -> None:
        """Register this process, or another one, under a name. Raises UsageError when that cannot be."""
        node = self._process.node
        if not isinstance(name, str):
            raise UsageError("name", name, hint="a name is a text", kind="badarg")
        process = self._process if target is None else node.processes.get(target)
        problem = "it is not alive" if process is None else lifecycle.register(node, name, process)
        if problem is not None:
            raise UsageError("name", name, hint=problem, kind="badarg")

    def unregister(self, name: str) -> None:
        """Take a name away. Raises UsageError when nobody has it."""
        if not lifecycle.unregister(self._process.node, name):
            raise UsageError("name", name, hint="nobody is registered under it", kind="badarg")

    def whereis(self, name: str) -> Pid | None:
        """The pid registered under a name."""
        return self._process.node.names.get(name)

    def alias(self) -> Ref:
        """A reference that messages can be sent to until ``unalias``."""
        ref = self._process.node.new_ref()
        lifecycle.make_alias(self._process.node, self._process, ref)
        return ref

    def unalias(self, ref: Ref) -> bool:
        """Drop what is sent to the alias from now on."""
        return lifecycle.drop_alias(self._process.node, self._process, ref)

    def send_after(self, ms: int, target: Any, message: Any) -> Ref:
        """Send a message in ``ms`` milliseconds; returns the timer."""
        node = self._process.node
        ref = node.new_ref()
        timers.send_after(node, check_duration(ms), target, node.copy(message), ref)
        return ref

    def start_timer(self, ms: int, target: Any, message: Any) -> Ref:
        """Like send_after, but the message is ``Timeout(ref, message)``."""
        node = self._process.node
        ref = node.new_ref()
        timers.send_after(node, check_duration(ms), target, Timeout(ref, node.copy(message)), ref)
        return ref

    def send_interval(self, ms: int, target: Any, message: Any) -> Ref:
        """Send a message every ``ms`` milliseconds until cancelled, or until the target pid is dead."""
        if check_duration(ms) == 0:
            raise UsageError("milliseconds", ms, hint="an interval is 1 or more")
        node = self._process.node
        ref = node.new_ref()
        timers.send_interval(node, ms, target, node.copy(message), ref)
        return ref

    def cancel_timer(self, timer: Ref) -> int | None:
        """Milliseconds that were left; None when it has fired or is no timer."""
        return timers.cancel(self._process.node, timer)

    def read_timer(self, timer: Ref) -> int | None:
        """Milliseconds left; None when it has fired or is no timer."""
        return timers.read(self._process.node, timer)

    def process_info(self, target: Pid) -> dict[str, Any] | None:
        """What ``erlang:process_info`` tells; None when the process is dead."""
        found = delivery.lookup(self._process.node, target)
        return None if found is None else info(found)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._process.name or self._process.pid}>"


_set_process: Final[Callable[[Context, Process], None]] = Context.__dict__["_process"].__set__
"""Sets the one attribute there is, past ``__setattr__``, which refuses."""


def info(process: Process) -> dict[str, Any]:
    """The facts of a process, under Erlang's names."""
    return {
        "registered_name": process.name,
        "status": STATUS_NAMES[process.status],
        "links": list(process.links or ()),
        "monitors": [_watched(process, ref, target) for ref, target in (process.monitors or {}).items()],
        "monitored_by": [watcher for watcher, _ in (process.monitored_by or {}).values()],
        "message_queue_len": len(process.mailbox or ()),
        "trap_exit": process.trap_exit,
        "parent": process.parent,
        "ancestors": process.ancestors,
        "hibernated": process.timer == HIBERNATED,
        "label": process.label,
        "dictionary": dict(process.dictionary or {}),
        "reductions": process.steps,
    }


def _watched(process: Process, ref: Ref, target: Any) -> Any:
    """What a monitor was set on: a pid, or the name if it was a name."""
    other = process.node.processes.get(target)
    by = None if other is None or other.monitored_by is None else other.monitored_by.get(ref)
    watched = target if by is None else by[1]
    return watched.target if type(watched) is lifecycle.Tagged else watched


def _claim(parent: Process, name: str, child: Process) -> None:
    problem = lifecycle.register(child.node, name, child)
    if problem is not None:
        lifecycle.exit_process(child.node, child, "normal")
        raise UsageError("name", name, hint=problem)


def check_duration(ms: int) -> int:
    """The milliseconds, if they are some. Raises UsageError (Erlang: badarg)."""
    if isinstance(ms, bool) or not isinstance(ms, int) or ms < 0:
        raise UsageError("milliseconds", ms, hint="give a whole number, 0 or more")
    return ms
