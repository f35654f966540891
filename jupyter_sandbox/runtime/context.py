"""What ``self`` is inside a process: every operation a callback can perform. There is no current process elsewhere.

Operations that wait return awaitables and need an ``async def`` callback;
all others act at once. Rules: Erlang's reference manual, "Processes". One long class
of short operations, because ``self`` is one object and this is its reference.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Any, Final, NoReturn, TypeVarTuple, overload

from ..model.errors import NoProcess, UsageError
from ..model.ids import Pid, Ref
from . import delivery, lifecycle, requests, timers
from .exceptions import ProcessExit, WaitInPlainCallback
from .generic import TypeVar
from .isolate import ATOMIC
from .operations import OP_OUTSIDE, OP_RECEIVE, OP_SLEEP, OP_START, OP_YIELD, ask, call
from .process import FRESH, IDLE, READY, Process
from .process_info import info
from .signals import CALL, CAST, INFO, MISSING, Asks, Caller, Timeout, Value

Other = TypeVar("Other")
Args = TypeVarTuple("Args")

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
        set_process(self, process)

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
        """A random stream of this process alone, from the sandbox's seed.

        >>> from jupyter_sandbox.otp import Node
        >>> async def throw(self):
        ...     return [self.random.randint(1, 6) for _ in range(20)]
        >>> def dice(seed):
        ...     return Node(seed=seed).run_function(throw)
        >>> dice(1) == dice(1), dice(1) == dice(2)
        (True, False)
        """
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
        node = process.node
        found = node.processes.get(target) if type(target) is Pid else None
        if found is not None and type(message) in ATOMIC and node.trace is None:
            node.sent += 1  # what follows is as delivery.send would, for the most frequent cases
            box = found.mailbox
            if box and found.status <= READY and len(box) < node.max_mailbox:
                box.append((INFO, message, process.number))
            else:
                delivery.deliver(node, found, (INFO, message, process.number))
        elif not delivery.send(node, process, target, message):
            raise NoProcess(f"no process is registered as {target!r}")

    def cast(self, target: Any, request: Any) -> None:
        """Send a request that wants no answer; to nobody it is dropped (``gen_server:cast``)."""
        process = self._process
        node = process.node
        node.sent += 1
        if node.trace is not None:
            node.trace("message_send", process, ("cast", target, request))
        try:
            found = node.processes.get(target)
        except TypeError:
            found = None
        if found is None:
            found = delivery.lookup(node, target)
            if found is None:
                return
        if type(request) not in ATOMIC:
            request = node.copy(request)
        box = found.mailbox  # what follows is as deliver would, for the most frequent cases
        if found.status == IDLE and box is not None:
            box.append((CAST, request, process.number))
            found.status = FRESH
            node.ready.append(found)
        elif box and found.status <= READY and len(box) < node.max_mailbox:
            box.append((CAST, request, process.number))
        else:
            delivery.deliver(node, found, (CAST, request, process.number))

    @overload
    def call(self, target: Any, request: Asks[Value], timeout_ms: int | None = CALL_MS) -> Awaitable[Value]: ...
    @overload
    def call(self, target: Any, request: Any, timeout_ms: int | None = CALL_MS) -> Awaitable[Any]: ...
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
            if timeout_ms == 0:
                return requests.without_waiting(self._process, target, request, CALL, "call")
        return call(target, request, timeout_ms, CALL)

    def send_request(self, target: Any, request: Any) -> Ref:
        """Call without waiting: the outcome is taken with ``receive_response`` (``gen_server:send_request``).

        >>> from jupyter_sandbox.otp import GenServer, Node, Reply
        >>> class Echo(GenServer):
        ...     async def handle_call(self, request, caller, state):
        ...         await self.sleep(100)
        ...         return Reply(request, state)
        >>> async def main(self):
        ...     asked = [self.send_request(await self.start(Echo), n) for n in range(3)]
        ...     answers = [await self.receive_response(one, 1_000) for one in asked]
        ...     return answers, f"all within {self.now()} ms"
        >>> Node().run_function(main)
        ([0, 1, 2], 'all within 100 ms')
        """
        return requests.send(self._process.node, self._process, target, request)

    def receive_response(self, request: Ref, timeout_ms: int | None = None) -> Awaitable[Any]:
        """Wait for the answer to a ``send_request``.

        Raises CallExit when the other process exits first or is not there, and
        CallTimeout after ``timeout_ms``: the request is abandoned then, a late answer dropped.
        """
        self._may_wait("receive_response", timeout_ms)
        return requests.take(self._process, request, timeout_ms)

    def reply(self, caller: Caller[Value], value: Value) -> None:
        """Answer a call, now or later, from any process (``gen_server:reply``)."""
        if type(caller) is not Caller:
            raise UsageError("caller", caller, hint="give the caller that handle_call was given")
        delivery.reply(self._process.node, caller, value)

    @overload
    def receive(self, match: type[Value], *, timeout_ms: int | None = None) -> Awaitable[Value]: ...
    @overload
    def receive(self, match: type[Value], *, timeout_ms: int | None, default: Other) -> Awaitable[Value | Other]: ...
    @overload
    def receive(
        self, match: Callable[[Any], Any] | None = None, *, timeout_ms: int | None = None, default: Any = MISSING
    ) -> Awaitable[Any]: ...
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
            return ask((OP_RECEIVE, lambda message: isinstance(message, kind), default, timeout_ms, None))
        return ask((OP_RECEIVE, match, default, timeout_ms, None))

    def sleep(self, ms: int) -> Awaitable[None]:
        """Wait; messages stay in the mailbox meanwhile."""
        self._may_wait("sleep")
        return ask((OP_SLEEP, check_duration(ms), None, None, None))

    def yield_(self) -> Awaitable[None]:
        """Let the others go first (``erlang:yield``)."""
        self._may_wait("yield_")
        return ask((OP_YIELD, None, None, None, None))

    @overload
    def outside(self, work: Awaitable[Value]) -> Awaitable[Value]: ...
    @overload
    def outside(self, work: Callable[[], Value]) -> Awaitable[Value]: ...
    def outside(self, work: Callable[[], Any] | Awaitable[Any]) -> Awaitable[Any]:
        """The door to threads, files, sockets and other people's coroutines.

        A callable runs in a thread, an awaitable on an asyncio loop; the result
        is journalled, so a replay gets it without doing the work again:
        ``page = await self.outside(lambda: path.read_text())``.
        """
        self._may_wait("outside")
        return ask((OP_OUTSIDE, work, None, None, None))

    def _may_wait(self, what: str, timeout_ms: int | None = None) -> None:
        if self._process.coro is None:
            raise WaitInPlainCallback(what)
        if timeout_ms is not None:
            check_duration(timeout_ms)

    # --- processes ---------------------------------------------------------------------------------------------------

    def spawn(self, function: Callable[[Any, *Args], Any], *args: *Args) -> Pid:
        """Run ``function(self, *args)`` in a new process, which exits when it returns."""
        return self._spawn(function, args, None).pid

    def spawn_link(self, function: Callable[[Any, *Args], Any], *args: *Args) -> Pid:
        """Spawn and link in one."""
        child = self._spawn(function, args, None)
        child.parent = self._process.pid
        lifecycle.join(self._process, child)
        return child.pid

    def spawn_monitor(self, function: Callable[[Any, *Args], Any], *args: *Args) -> tuple[Pid, Ref]:
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

        >>> from jupyter_sandbox.otp import Node
        >>> async def main(self):
        ...     async def opener(self, lock):
        ...         self.init_ack(f"{lock} is open, said by the child of {self.parent == boss}")
        ...     boss = self.pid
        ...     return await self.start_plain(opener, "the door")
        >>> Node().run_function(main)
        'the door is open, said by the child of True'
        """
        from . import plain

        self._may_wait("start_plain", timeout_ms)
        first = (function, self._process.node.copy(args))
        how = (relation, lambda process, _: plain.prepare(process, function))
        return ask((OP_START, plain.run_plain, first, timeout_ms, how))

    def init_ack(self, value: Any) -> None:
        """Tell the starter that this process is up."""
        lifecycle.acknowledge(self._process.node, self._process, value)

    def exit(self, reason: Any = "normal") -> NoReturn:
        """End this process with a reason."""
        raise ProcessExit(reason)

    def exit_signal(self, target: Any, reason: Any) -> None:
        """Send an exit signal: ``kill`` cannot be trapped, ``normal`` does nothing to a process that does not trap.

        >>> from jupyter_sandbox.otp import Down, Node
        >>> async def main(self):
        ...     stubborn, _ = self.spawn_monitor(lambda self: (self.trap_exit(), self.receive())[1])
        ...     await self.sleep(1)
        ...     self.exit_signal(stubborn, "kill")
        ...     return (await self.receive(Down)).reason
        >>> Node().run_function(main)
        'killed'
        """
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

        >>> from jupyter_sandbox.otp import Node
        >>> async def main(self):
        ...     other = self.spawn(lambda self: self.receive())
        ...     self.link(other)
        ...     self.unlink(other)
        ...     self.exit_signal(other, "kill")
        ...     await self.yield_()
        ...     return "this process lives on"
        >>> Node().run_function(main)
        'this process lives on'
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

        >>> from jupyter_sandbox.otp import Down, Node
        >>> async def main(self):
        ...     other, watch = self.spawn_monitor(lambda self: self.sleep(10))
        ...     again = self.monitor(other)
        ...     self.demonitor(watch)
        ...     down = await self.receive(Down)
        ...     return down.ref == again, down.reason, self.is_alive(other)
        >>> Node().run_function(main)
        (True, 'normal', False)
        """
        if alias is not None and alias not in lifecycle.ALIAS_ENDS:
            raise UsageError("alias", alias, allowed=lifecycle.ALIAS_ENDS)
        options: dict[str, Any] = {} if tag is MISSING else {"tag": tag}
        return lifecycle.monitor(self._process.node, self._process, target, alias=alias, **options)

    def demonitor(self, ref: Ref, *, flush: bool = False) -> bool:
        """Take a monitor away; ``flush`` also removes its Down message."""
        return lifecycle.demonitor(self._process.node, self._process, ref, flush=flush)

    def trap_exit(self, on: bool = True) -> bool:
        """From now on exit signals arrive as ``Exit(process, reason)`` messages. Returns the old setting.

        >>> from jupyter_sandbox.otp import Exit, Node
        >>> async def main(self):
        ...     self.trap_exit()
        ...     child = self.spawn_link(lambda self: self.exit("tired"))
        ...     end = await self.receive(Exit)
        ...     return end.process == child, end.reason
        >>> Node().run_function(main)
        (True, 'tired')
        """
        old, self._process.trap_exit = self._process.trap_exit, on
        return old

    def is_alive(self, target: Pid) -> bool:
        """Whether a process is alive and not about to die of an exit signal."""
        found = delivery.lookup(self._process.node, target)
        return found is not None and found.doom is None

    # --- names, aliases, timers ---------------------------------------------------------------------------------------

    def register(self, name: str, target: Pid | None = None) -> None:
        """Register this process, or another one, under a name. Raises UsageError when that cannot be.

        >>> from jupyter_sandbox.otp import Node
        >>> async def main(self):
        ...     self.register("clerk")
        ...     self.send("clerk", "a letter to myself")
        ...     known = self.whereis("clerk") == self.pid
        ...     self.unregister("clerk")
        ...     return known, self.whereis("clerk"), await self.receive(str)
        >>> Node().run_function(main)
        (True, None, 'a letter to myself')
        """
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
        """A reference that messages can be sent to until ``unalias``.

        >>> from jupyter_sandbox.otp import Node
        >>> async def main(self):
        ...     door = self.alias()
        ...     self.send(door, "in time")
        ...     self.unalias(door)
        ...     self.send(door, "too late")
        ...     return [await self.receive(str), await self.receive(str, timeout_ms=10, default="nothing")]
        >>> Node().run_function(main)
        ['in time', 'nothing']
        """
        ref = self._process.node.new_ref()
        lifecycle.make_alias(self._process.node, self._process, ref)
        return ref

    def unalias(self, ref: Ref) -> bool:
        """Drop what is sent to the alias from now on."""
        return lifecycle.drop_alias(self._process.node, self._process, ref)

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
        """What ``erlang:process_info`` tells; None when the process is dead.

        >>> from jupyter_sandbox.otp import GenServer, Node
        >>> class Clerk(GenServer):
        ...     def init(self, argument):
        ...         self.set_label("desk 7")
        ...         self.dictionary["luck"] = 7
        ...         return argument
        >>> async def main(self):
        ...     info = self.process_info(await self.start(Clerk, name="clerk"))
        ...     return [info[key] for key in ("registered_name", "label", "dictionary", "status")]
        >>> Node().run_function(main)
        ['clerk', 'desk 7', {'luck': 7}, 'waiting']
        """
        found = delivery.lookup(self._process.node, target)
        return None if found is None else info(found)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._process.name or self._process.pid}>"


set_process: Final[Callable[[Context, Process], None]] = Context.__dict__["_process"].__set__
"""Sets the one attribute there is, past ``__setattr__``, which refuses."""


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
