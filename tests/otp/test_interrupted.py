"""Code of a value's own class (how it is copied, compared, hashed, shown) runs in the node, outside any callback.

Whatever it raises there, and at whichever of its calls, nothing stays half done: a process that ends of it is gone for
everybody who has to do with it, and everybody else goes on. The interrupt of the watchdog is one of these exceptions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from jupyter_sandbox.guest.capture import Capture
from jupyter_sandbox.model.exits import Crash
from jupyter_sandbox.otp import (
    CallExit,
    Child,
    Down,
    Exit,
    GenServer,
    Node,
    NoReply,
    OtpContext,
    Registry,
    Reply,
    Stop,
    Supervisor,
    sys,
)
from jupyter_sandbox.runtime import Apply, Tick
from jupyter_sandbox.runtime.process import DEAD, WAITING
from jupyter_sandbox.trace.log import EventLog


class Interrupted(BaseException):
    """Like the interrupt of a callback over its budget: no Exception."""


@dataclass
class Trap:
    """Which method of the value raises what, and how often it may be called before."""

    hook: str = ""
    error: type[BaseException] = ValueError
    calls: int = 0
    sprung: bool = False


TRAP = Trap()


def _sprung(hook: str) -> None:
    if hook == TRAP.hook:
        if TRAP.calls <= 0:
            TRAP.sprung = True
            raise TRAP.error(f"{hook} was broken")
        TRAP.calls -= 1


class Value:
    """What the user's class may define."""

    def __deepcopy__(self, memo: Any) -> Value:
        _sprung("__deepcopy__")
        return Value()

    def __eq__(self, other: object) -> bool:
        _sprung("__eq__")
        return isinstance(other, Value)

    def __hash__(self) -> int:
        _sprung("__hash__")
        return 1

    def __repr__(self) -> str:
        _sprung("__repr__")
        return "a value"

    def __str__(self) -> str:
        _sprung("__str__")
        return "a value"

    def __bool__(self) -> bool:
        _sprung("__bool__")
        return True

    def whereis(self, node: Any) -> Any:
        _sprung("whereis")
        return node.names.get("other")

    def claim(self, process: Any) -> None:
        _sprung("claim")


class Odd(Exception):
    @property
    def args(self) -> Any:  # type: ignore[override]
        _sprung("args")
        return (Value(),)

    @args.setter
    def args(self, value: Any) -> None:
        """It keeps none."""

    def __str__(self) -> str:
        _sprung("__str__")
        return "odd"


class Actor(GenServer):
    """Does what it is asked to do, which is a function."""

    def init(self, argument: Any) -> Any:
        if argument == "trap":
            self.trap_exit()
        return 0

    def handle_call(self, request: Any, caller: Any, n: int) -> Any:
        if isinstance(request, Value):
            return Reply("a value", n + 1)
        return request(self, caller, n)

    def handle_cast(self, request: Any, n: int) -> Any:
        return NoReply(n) if isinstance(request, Value) else request(self, None, n)

    def handle_info(self, message: Any, n: int) -> Any:
        return NoReply(n)

    def format_status(self, status: dict[str, Any]) -> dict[str, Any]:
        _sprung("format_status")
        return status

    def state_text(self, word: str) -> str:
        """A method of the user's that only has this name: nobody calls it."""
        return word


class Picky(Actor):
    def init(self, argument: Any) -> Any:
        return Stop(Value())


class Wrong(Actor):
    def __init__(self, process: Any) -> None:
        super().__init__(process)
        raise Odd


class Top(Supervisor):
    def init(self, argument: Any) -> Any:
        return [
            Child(Actor, "trap", name="watcher"),
            Registry.child("keys", "duplicate"),
            Child(Actor, 0, name="victim"),
            Child(Actor, 0, name="other"),
            Child(Actor, 0, name=None, id=Value()),
        ]

    intensity = 10


# --- what the victim does: each is one place where a value's own code runs --------------------------------------------


def _stop(self: Any, caller: Any, n: int) -> Any:
    return Stop(Value(), n)


def _stop_and_answer(self: Any, caller: Any, n: int) -> Any:
    return Stop(Value(), n, Value())


def _stop_in_order(self: Any, caller: Any, n: int) -> Any:
    return Stop(("shutdown", Value()), n)


def _stop_with_two_values(self: Any, caller: Any, n: int) -> Any:
    return Stop((Value(), (Value(), Value())), n)


def _exit(self: Any, caller: Any, n: int) -> Any:
    self.exit(Value())


def _raise(self: Any, caller: Any, n: int) -> Any:
    raise ValueError(Value())


def _raise_odd(self: Any, caller: Any, n: int) -> Any:
    raise Odd


async def _raise_later(self: Any, caller: Any, n: int) -> Any:
    await self.sleep(1)
    self.exit(Value())


def _return_nonsense(self: Any, caller: Any, n: int) -> Any:
    return Value()


def _end_another(self: Any, caller: Any, n: int) -> Any:
    self.exit_signal("other", Value())
    return Reply("done", n)


def _tell_one_who_traps(self: Any, caller: Any, n: int) -> Any:
    self.exit_signal("watcher", Value())
    return Reply("done", n)


def _end_oneself(self: Any, caller: Any, n: int) -> Any:
    self.exit_signal(self.pid, Value())
    return Reply("done", n)


def _spawn_one_that_exits(self: Any, caller: Any, n: int) -> Any:
    self.spawn_link(lambda self: self.exit(Value()))
    return Reply("done", n)


async def _start_one_that_stops(self: Any, caller: Any, n: int) -> Any:
    await self.start_link(Picky)
    return Reply("done", n)


async def _start_one_that_cannot_be_made(self: Any, caller: Any, n: int) -> Any:
    await self.start(Wrong)
    return Reply("done", n)


async def _start_with(self: Any, caller: Any, n: int) -> Any:
    await self.start(Actor, Value())
    return Reply("done", n)


async def _start_by_name(self: Any, caller: Any, n: int) -> Any:
    await self.start(Actor, name=Value())
    return Reply("done", n)


def _answer(self: Any, caller: Any, n: int) -> Any:
    return Reply(Value(), n + 1)


async def _answer_later(self: Any, caller: Any, n: int) -> Any:
    await self.sleep(1)
    return Reply([Value()], n + 1)


def _answer_by_hand(self: Any, caller: Any, n: int) -> Any:
    self.reply(caller, Value())
    return NoReply(n)


def _send(self: Any, caller: Any, n: int) -> Any:
    self.send("other", Value())
    self.cast("other", Value())
    return Reply("done", n)


def _send_to_a_value(self: Any, caller: Any, n: int) -> Any:
    self.send(Value(), "hello")
    return Reply("done", n)


async def _ask(self: Any, caller: Any, n: int) -> Any:
    return Reply(await self.call("other", Value()), n)


async def _ask_a_value(self: Any, caller: Any, n: int) -> Any:
    return Reply(await self.call(Value(), Value(), 20), n)


async def _ask_a_silent_value(self: Any, caller: Any, n: int) -> Any:
    return Reply(await self.call(Value(), lambda self, caller, n: NoReply(n), 20), n)


async def _request(self: Any, caller: Any, n: int) -> Any:
    return Reply(await self.receive_response(self.send_request("other", _answer), 20), n)


def _timers(self: Any, caller: Any, n: int) -> Any:
    self.send_after(2, "other", Value())
    self.send_after(2, Value(), "hello")
    self.send_interval(3, "other", Value())
    self.send_interval(3, Value(), "hello")
    return Reply("done", n)


def _interval(self: Any, caller: Any, n: int) -> Any:
    self.send_interval(3, "other", Value())
    return Reply("done", n)


def _table(self: Any, caller: Any, n: int) -> Any:
    table = self.ets.new("rows", access="public", heir=self._process.node.names["other"], heir_data=Value())
    self.ets.insert(table, [(Value(), Value()), (1, Value()), (Value(), 2)])
    self.ets.lookup(table, Value())
    self.exit("leaves its table")


def _heir(self: Any, caller: Any, n: int) -> Any:
    self.ets.new("rows", heir=self._process.node.names["other"], heir_data=Value())
    self.exit("leaves its table")


def _register(self: Any, caller: Any, n: int) -> Any:
    Registry.register(self, "keys", Value(), Value())
    Registry.lookup(self, "keys", Value())
    return Reply("done", n)


def _monitor(self: Any, caller: Any, n: int) -> Any:
    self.monitor(self.spawn(lambda self: self.exit(Value())), tag=Value())
    self.monitor(Value())
    return Reply("done", n)


def _log(self: Any, caller: Any, n: int) -> Any:
    self.log("error", f"a crash is to come {short(Value())}")
    self.set_label(Value())
    return Reply("done", n)


def short(value: object) -> str:
    return f"{value} {value!r}"


async def _close(self: Any, caller: Any, n: int) -> Any:
    """Killed while it waits, with a ``finally`` that raises."""
    self.send_after(1, "other", "kill")
    self.cast("other", lambda self, caller, n: (self.exit_signal("victim", "kill"), NoReply(n))[1])
    try:
        await self.sleep(1_000)
    finally:
        raise Odd


def _look(self: Any, caller: Any, n: int) -> Any:
    return Reply("done", Value())


PLACES = [
    _stop, _stop_and_answer, _stop_in_order, _stop_with_two_values, _exit, _raise, _raise_odd, _raise_later,
    _return_nonsense, _end_another, _tell_one_who_traps, _end_oneself, _spawn_one_that_exits, _start_one_that_stops,
    _start_one_that_cannot_be_made, _start_with, _start_by_name, _answer, _answer_later, _answer_by_hand, _send,
    _send_to_a_value, _ask, _ask_a_value, _ask_a_silent_value, _request, _timers, _table, _heir, _register, _monitor,
    _log, _close, _look,
]  # fmt: skip
HOOKS = [
    "__deepcopy__", "__eq__", "__hash__", "__repr__", "__str__", "__bool__", "whereis", "claim", "args",
    "format_status",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _no_trap() -> Iterator[None]:
    yield
    TRAP.hook = ""


async def _meet(self: OtpContext, place: Any, trap: tuple[str, type[BaseException], int]) -> dict[str, Any]:
    """Let the victim come to the place, with everybody who can be waiting for it; what they hear."""
    self.trap_exit()
    await self.start_link(Top)
    node = self._process.node
    victim, other = node.names["victim"], node.names["other"]
    ref, _ = self.monitor("victim"), await self.call("watcher", _watch)
    asked = self.send_request("victim", place)
    TRAP.hook, TRAP.error, TRAP.calls, TRAP.sprung = *trap, False
    heard: dict[str, Any] = {}
    try:
        heard["answer"] = await self.receive_response(asked, 50)
    except CallExit as error:
        heard["error"] = error.exit_reason
    if place is _look:
        for look in (sys.get_state, sys.get_status):
            try:
                await look(self, "victim", 50)
            except Exception as error:
                heard[look.__name__] = str(error)[:80]
    await self.sleep(20)
    TRAP.hook = ""
    heard["down"] = await self.receive(lambda m: type(m) is Down and m.ref == ref, timeout_ms=0, default=None)
    heard["exit"] = await self.receive(Exit, timeout_ms=0, default=None)
    heard["gone"] = victim not in node.processes
    heard["other gone"] = other not in node.processes
    for name in ("watcher", "victim", "other"):
        assert await self.call(name, _count, 50) is not None, f"{name} answers"
    return heard


def _watch(self: Any, caller: Any, n: int) -> Any:
    self.monitor("victim")
    self.link(self._process.node.names["victim"])
    return Reply("watches", n)


def _count(self: Any, caller: Any, n: int) -> Any:
    return Reply(1, n)


def whole(node: Node) -> None:
    """Nothing is half done: who lives is known to those it is tied to, who is gone to nobody."""
    assert node.current is None and node.woken is None
    for pid, process in node.processes.items():
        assert process.status != DEAD
        for other in process.links or ():
            assert pid in (node.processes[other].links or ())
        for ref, target in (process.monitors or {}).items():
            assert ref in (node.processes[target].monitored_by or ())
        for ref in process.monitored_by or ():
            assert ref in (node.processes[process.monitored_by[ref][0]].monitors or ())
        if process.status == WAITING and process.token and type(process.wait) is tuple and process.wait[0] <= 1:
            assert any(process.token in (one.callers or ()) for one in node.processes.values())
    assert all(pid in node.processes for pid in node.names.values())
    assert all(pid in node.processes for pid in node.tables.owned)


def judge(node: Node, heard: dict[str, Any], why: object) -> None:
    whole(node)
    assert heard["gone"] == (heard["down"] is not None), (why, heard, "who watched it heard of its end")
    assert heard["exit"] is None, (why, heard, "the tree lives on")
    assert "answer" in heard or "error" in heard


@pytest.mark.parametrize("calls", [0, 1, 2])
@pytest.mark.parametrize("error", [Interrupted, ValueError, SystemExit])
@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__.strip("_"))
def test_what_a_values_own_code_raises_leaves_nothing_half_done(
    place: Any, error: type[BaseException], calls: int
) -> None:
    sprung = set()
    for hook in HOOKS:
        node = Node(sink=EventLog())
        judge(node, node.run_function(_meet, place, (hook, error, calls)), hook)
        if TRAP.sprung:
            sprung.add(hook)
    assert sprung or calls, "this is a place where such code runs"


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__.strip("_"))
def test_nor_does_it_where_somebody_looks_on(place: Any) -> None:
    for hook in HOOKS:
        log = EventLog()
        node = Node(sink=log)
        Capture(("message_send", "message_handled", "state_change"), node, log)
        judge(node, node.run_function(_meet, place, (hook, Interrupted, 0)), hook)
        assert all(event.text is not None for event in log.newest(10_000))


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__.strip("_"))
def test_nor_does_it_in_steps_that_are_told(place: Any) -> None:
    for hook in HOOKS:
        node = Node(sink=EventLog())
        node.admit(Apply(1, f"{__name__}:_meet", (place, (hook, Interrupted, 0))))
        while not (replies := node.take_replies()):
            if node.step(node.now_ms) is None:
                deadline = node.next_deadline()
                assert deadline is not None
                node.admit(Tick(deadline))
        assert replies[0].error is None
        judge(node, replies[0].value, hook)


def test_a_reason_that_cannot_be_copied_is_told_to_all_as_why() -> None:
    log = EventLog()
    heard = Node(sink=log).run_function(_meet, _stop, ("__deepcopy__", Interrupted, 0))
    told = heard["down"].reason
    assert type(told) is Crash and told.error == "Interrupted"
    assert told.text.startswith("__deepcopy__ was broken (while ") and told.text.endswith("Value> was copied)")
    assert heard["error"] == told, "the same to all"
    assert "__deepcopy__ was broken" in log.newest(1, ("crash",))[0].text


def test_a_timer_whose_message_cannot_be_copied_ends_and_nobody_else() -> None:
    log = EventLog()
    node = Node(sink=log)
    heard = node.run_function(_meet, _interval, ("__deepcopy__", Interrupted, 2))
    assert not (heard["gone"] or heard["other gone"]) and not node.timers
    told = [event.text for event in log.newest(100, ("log",))]
    assert len(told) == 1 and told[0].startswith("[error] a timer's message to other was not sent, and the timer ends")


def test_whose_state_cannot_be_copied_lives_on_when_it_is_asked_for_it() -> None:
    heard = Node(sink=EventLog()).run_function(_meet, _look, ("__deepcopy__", Interrupted, 0))
    assert "__deepcopy__ was broken" in heard["get_state"] and not heard["gone"]
