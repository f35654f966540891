"""Whatever users get wrong: OTP's exact reason, told in words, with the process named; nobody else is harmed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from jupyter_sandbox.model.errors import NoProcess, UsageError
from jupyter_sandbox.model.exits import CallFailed, Crash
from jupyter_sandbox.otp import (
    IGNORE,
    After,
    CallExit,
    Child,
    ChildError,
    Continue,
    Error,
    GenServer,
    GenStatem,
    KeepState,
    NextState,
    Node,
    NoReply,
    Ok,
    OtpContext,
    Reply,
    SetStateTimeout,
    Spec,
    StartError,
    Stop,
    Supervisor,
    check_childspecs,
    delete_child,
    get_childspec,
    restart_child,
    start_child,
    terminate_child,
    which_children,
)  # fmt: skip
from jupyter_sandbox.otp import sys as otp_sys
from jupyter_sandbox.otp.sys import SysError
from jupyter_sandbox.runtime.isolate import NotCopyable

WRONG: Any = "soon"
UNEQUAL: Any = bytearray(b"x")
"""Where the types want something else."""


class Server(GenServer):
    """Returns what it is told to."""

    def init(self, argument: Any) -> Any:
        return argument

    def handle_call(self, request: Any, caller: Any, state: Any) -> Any:
        return request() if callable(request) else Reply(request, state)

    def handle_cast(self, request: Any, state: Any) -> Any:
        return request() if callable(request) else NoReply(state)

    def handle_info(self, message: Any, state: Any) -> Any:
        return message() if callable(message) else NoReply(state)

    def handle_continue(self, argument: Any, state: Any) -> Any:
        return argument() if callable(argument) else NoReply(state)


class Top(Supervisor):
    def init(self, argument: Any) -> Any:
        if isinstance(argument, Exception):
            raise argument
        return argument


def run(main: Any) -> Any:
    return Node().run_function(main)


def start_error(behaviour: Any, argument: Any = None) -> StartError:
    """What the start of a behaviour is refused with."""

    async def main(self: OtpContext) -> StartError:
        with pytest.raises(StartError) as caught:
            await self.start(behaviour, argument)
        return caught.value

    found: StartError = run(main)
    return found


def exit_of(what: Any, how: str = "cast") -> Any:
    """The reason a server exits with that is told to do something."""

    async def main(self: OtpContext) -> Any:
        server = await self.start(Server, 0)
        ref = self.monitor(server)
        {"cast": self.cast, "send": self.send}[how](server, what)
        down = await self.receive(lambda message: getattr(message, "ref", None) == ref, timeout_ms=1_000, default=None)
        return "alive" if down is None else down.reason

    return run(main)


# --- flags and specifications -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "reason", "text"),
    [
        (Spec([], "some"), ("invalid_strategy", "some"), "strategy 'some' is none of one_for_one"),
        (Spec([], ["x"]), ("invalid_strategy", ["x"]), "strategy ['x'] is none of"),
        (Spec([], intensity=-1), ("invalid_intensity", -1), "intensity -1 is no whole number, 0 or more"),
        (Spec([], intensity=True), ("invalid_intensity", True), "intensity True is no whole number"),
        (Spec([], intensity=1.5), ("invalid_intensity", 1.5), "intensity 1.5 is no whole number"),
        (Spec([], period_s=0), ("invalid_period", 0), "period_s 0 is no number of whole seconds"),
        (Spec([], auto_shutdown="all"), ("invalid_auto_shutdown", "all"), "auto_shutdown 'all' is none of never"),
        (Spec([], max_children=-1), ("invalid_max_children", -1), "max_children -1 is neither None nor"),
        (Spec([], extra_arguments=5), ("invalid_extra_arguments", 5), "extra_arguments 5 is no list"),
    ],
)
def test_a_bad_flag_starts_nothing_and_is_named(spec: Spec, reason: Any, text: str) -> None:
    error = start_error(Top, spec)

    assert error.reason == ("supervisor_data", reason)
    assert str(error).startswith(f"Top did not start: {text}")


@pytest.mark.parametrize(
    ("child", "reason", "text"),
    [
        (5, ("invalid_child_spec", 5), "5 is no child"),
        ({"start": 5}, "missing_id", "a child has no id"),
        (Child(), "missing_start", "a child has no class to start"),
        (Child(int), ("invalid_mfa", int), "<class int> is no behaviour"),
        (Child(Server, start=5), ("invalid_mfa", 5), "5 is no behaviour"),
        (Child(Server, restart="always"), ("invalid_restart_type", "always"), "restart 'always' is none of permanent"),
        (Child(Server, type="boss"), ("invalid_child_type", "boss"), "type 'boss' is neither worker"),
        (Child(Server, shutdown_ms=-1), ("invalid_shutdown", -1), "shutdown_ms -1 is neither milliseconds"),
        (Child(Server, modules="Server"), ("invalid_modules", "Server"), "modules 'Server' is neither a list"),
        (Child(Server, significant=1), ("invalid_significant", 1), "significant 1 is neither True nor False"),
        (Child(Server, id=UNEQUAL), ("invalid_child_id", UNEQUAL), "id bytearray(b'x') of a child cannot be compared"),
        (Child(Server, timeout_ms=WRONG), ("invalid_timeout", WRONG), "timeout_ms 'soon' is neither None nor"),
        (Child(Server, timeout_ms=2**32), ("invalid_timeout", 2**32), "timeout_ms 4294967296 is neither None nor"),
        (Child(Server, shutdown_ms=2**32), ("invalid_shutdown", 2**32), "shutdown_ms 4294967296 is neither"),
    ],
)
def test_a_bad_child_starts_nothing_and_is_named(child: Any, reason: Any, text: str) -> None:
    error = start_error(Top, [child])

    assert error.reason == ("start_spec", reason)
    assert str(error).startswith(f"Top did not start: {text}")
    assert check_childspecs([child]) == reason


def test_two_children_of_one_id_start_nothing() -> None:
    error = start_error(Top, [Server, Server])

    assert error.reason == ("start_spec", ("duplicate_child_name", "Server"))
    assert str(error) == "Top did not start: two children have the id 'Server': give each one its own"


@pytest.mark.parametrize("children", [5, None, "ab"])
def test_children_that_are_no_list_start_nothing(children: Any) -> None:
    assert start_error(Top, Spec(children)).reason == ("bad_start_spec", children)


@pytest.mark.parametrize("returned", [5, None, "children", {"a": 1}])
def test_a_supervisor_whose_init_returns_something_else_does_not_start(returned: Any) -> None:
    error = start_error(Top, returned)

    assert error.reason == ("bad_return", (Top, "init", returned))
    assert str(error).startswith("Top did not start: init of Top returned ")


def test_a_child_that_does_not_start_is_named_with_its_supervisor() -> None:
    error = start_error(Top, [Child(Top, ValueError("no config"), name="inner")])

    assert str(error) == "Top did not start: its child 'inner' failed: ValueError: no config"


def test_a_running_supervisor_refuses_bad_children_and_unknown_ids_and_goes_on() -> None:
    async def main(self: OtpContext) -> Any:
        top = await self.start(Top, [Child(Server, 1, name="a")])
        refused = []
        for function, argument in (
            (start_child, 5), (start_child, Child(Server, id=UNEQUAL)), (start_child, Child(Server, name="a")),
            (terminate_child, "b"), (terminate_child, UNEQUAL), (restart_child, "a"), (restart_child, {}),
            (delete_child, "a"), (delete_child, []), (get_childspec, []),
        ):  # fmt: skip
            with pytest.raises(ChildError) as caught:
                await function(self, top, argument)
            refused.append(caught.value.reason if function is not start_child else type(caught.value.reason).__name__)
        return refused, len(await which_children(self, top))

    assert run(main) == (
        ["tuple", "tuple", "tuple", "not_found", "not_found", "running", "not_found", "running", "not_found",
         "not_found"],
        1,
    )  # fmt: skip


# --- what callbacks return and raise ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "returned",
    [None, 5, ("reply", 1, 2), Ok(1), Error("x"), IGNORE, NoReply(1, WRONG), NoReply(1, After(-1))],
    ids=repr,
)
@pytest.mark.parametrize("callback", ["handle_call", "handle_cast", "handle_info", "handle_continue"])
def test_a_bad_return_value_ends_the_server_with_it(callback: str, returned: Any) -> None:
    async def main(self: OtpContext) -> Any:
        server = await self.start(Server, 0)
        ref = self.monitor(server)
        match callback:
            case "handle_call":
                self.send_request(server, lambda: returned)
            case "handle_cast":
                self.cast(server, lambda: returned)
            case "handle_info":
                self.send(server, lambda: returned)
            case _:
                self.cast(server, lambda: NoReply(0, Continue(lambda: returned)))
        return (await self.receive(lambda message: getattr(message, "ref", None) == ref)).reason

    assert run(main) == ("bad_return_value", returned)


@pytest.mark.parametrize("returned", [Reply(1, 2), Stop("x", 1, reply=2)], ids=repr)
def test_a_cast_cannot_be_replied_to(returned: Any) -> None:
    assert exit_of(lambda: returned) == ("bad_return_value", returned)


@pytest.mark.parametrize(
    "first", [Reply(1, 2), NoReply(1), After(5), Continue(), Ok(1, WRONG), Ok(1, After(WRONG))], ids=repr
)
def test_init_may_not_return_what_belongs_elsewhere(first: Any) -> None:
    error = start_error(Server, first)

    assert error.reason == ("bad_return_value", first)
    assert str(error).startswith("Server did not start: a callback returned ")


@pytest.mark.parametrize(
    ("raised", "reason"),
    [(ValueError("no"), "ValueError: no"), (KeyError(1), "KeyError: 1"), (SystemExit(3), "SystemExit: 3"),
     (KeyboardInterrupt(), "KeyboardInterrupt")],
)  # fmt: skip
def test_whatever_a_callback_raises_ends_that_process_alone(raised: BaseException, reason: str) -> None:
    def fail() -> Any:
        raise raised

    assert repr(exit_of(fail)) == reason
    assert repr(exit_of(fail, "send")) == reason


def test_whatever_terminate_raises_is_the_reason() -> None:
    class Untidy(Server):
        def terminate(self, reason: Any, state: Any) -> Any:
            raise KeyError(reason)

    async def main(self: OtpContext) -> Any:
        server = await self.start(Untidy, 0)
        with pytest.raises(CallExit) as caught:
            await self.stop(server)
        return caught.value.exit_reason

    found = run(main)
    assert isinstance(found, Crash) and (found.error, found.value) == ("KeyError", "normal")


async def changed_to(self: OtpContext, made: Any, state: Any = "state") -> Any:
    """The state after a code_change that returns this, or what is told of it."""

    class Newer(Server):
        def code_change(self, old_version: Any, state: Any, extra: Any) -> Any:
            return made() if callable(made) else made

    server = await self.start(Server, state)
    await otp_sys.suspend(self, server)
    try:
        await otp_sys.change_code(self, server, Newer)
    except SysError as error:
        return str(error)
    return await otp_sys.get_state(self, server)


async def forgot_to_be_plain() -> None:
    """A code_change that is ``async def``."""


@pytest.mark.parametrize(
    "returned",
    [None, Ok(1, After(5)), NoReply(1), Reply(1, 2), Stop("x"), IGNORE, forgot_to_be_plain],
    ids=lambda returned: type(returned).__name__,
)
def test_a_code_change_that_returns_no_state_is_refused_and_told_what_it_returns(returned: Any) -> None:
    told = run(lambda self: changed_to(self, returned))
    assert "code_change returned" in told and "it returns the new state" in told


def test_a_code_change_may_wrap_the_state_and_so_return_none() -> None:
    assert run(lambda self: changed_to(self, Ok(7))) == 7
    assert run(lambda self: changed_to(self, Ok(None))) is None
    assert run(lambda self: changed_to(self, None, state=None)) is None


@pytest.mark.parametrize("refusal", ["raise", "error"])
def test_a_code_change_that_fails_keeps_code_and_state(refusal: str) -> None:
    class Newer(Server):
        def code_change(self, old_version: Any, state: Any, extra: Any) -> Any:
            if refusal == "raise":
                raise RuntimeError("no way")
            return Error("not yet")

    async def main(self: OtpContext) -> Any:
        server = await self.start(Server, "state")
        await otp_sys.suspend(self, server)
        with pytest.raises(SysError) as caught:
            await otp_sys.change_code(self, server, Newer)
        await otp_sys.resume(self, server)
        assert server is not None
        process = self._process.node.processes[server]
        return caught.value.reason, await otp_sys.get_state(self, server), process.behaviour

    reason, state, behaviour = run(main)
    assert (state, behaviour) == ("state", Server)
    assert reason == ("error", "not yet") if refusal == "error" else repr(reason) == "('EXIT', RuntimeError: no way)"


@pytest.mark.parametrize("formatted", ["raises", 5])
def test_a_format_status_that_fails_hides_the_state_and_harms_nobody(formatted: Any) -> None:
    class Secret(Server):
        def format_status(self, status: Any) -> Any:
            if formatted == "raises":
                raise ValueError("hidden")
            return formatted

    async def main(self: OtpContext) -> Any:
        server = await self.start(Secret, "password")
        return await otp_sys.get_status(self, server), await otp_sys.get_state(self, server)

    status, state = run(main)
    assert status["EXIT"] == "format_status of Secret failed or returned no dictionary"
    assert "state" not in status and state == "password"


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        ("off", ("bad_return_from_init", "off")),
        (("ok", "off", 0), ("bad_return_from_init", ("ok", "off", 0))),
        (Ok(1), ("bad_return_from_init", Ok(1))),
    ],
)
def test_a_state_machine_needs_a_state_to_begin_with(first: Any, reason: Any) -> None:
    class Machine(GenStatem):
        def init(self, argument: Any) -> Any:
            return argument

    error = start_error(Machine, first)
    assert error.reason == reason
    assert "a state machine's returns NextState(state, data)" in str(error)


@pytest.mark.parametrize(
    ("returned", "kind"),
    [
        (5, "bad_return_from_state_function"),
        (NoReply(1), "bad_return_from_state_function"),
        (KeepState(1, ["jump"]), "bad_action_from_state_function"),
        (KeepState(1, [SetStateTimeout(-1, "x")]), "bad_action_from_state_function"),
        (KeepState(1, [SetStateTimeout(2**53 + 1, "x")]), "bad_action_from_state_function"),
        (KeepState(1, [SetStateTimeout(WRONG, "x")]), "bad_action_from_state_function"),
    ],
    ids=repr,
)
def test_a_state_function_that_returns_something_else_ends_its_machine(returned: Any, kind: str) -> None:
    class Machine(GenStatem):
        def init(self, argument: Any) -> Any:
            return NextState("on", 0)

        def on(self, event: Any, data: Any) -> Any:
            return returned

    async def main(self: OtpContext) -> Any:
        machine = await self.start(Machine)
        ref = self.monitor(machine)
        self.cast(machine, "event")
        return (await self.receive(lambda message: getattr(message, "ref", None) == ref)).reason

    found = run(main)
    assert isinstance(found, Crash) and isinstance(found.value, tuple) and found.value[0] == kind


def test_a_class_whose_constructor_fails_does_not_start_and_leaves_nothing() -> None:
    class Odd(Server):
        def __init__(self) -> None:
            """Takes no process."""

    async def main(self: OtpContext) -> Any:
        with pytest.raises(StartError, match=r"Odd did not start: TypeError: .*__init__\(\) takes 1 positional"):
            await self.start(Odd, name="odd")
        return self.whereis("odd"), len(self._process.node.processes)

    assert run(main) == (None, 1)


# --- calls, messages, waits -------------------------------------------------------------------------------------------


def test_a_process_that_calls_itself_is_told_so() -> None:
    class Mirror(Server):
        async def handle_call(self, request: Any, caller: Any, state: Any) -> Any:
            return Reply(await self.call(self.pid, request), state)

    async def main(self: OtpContext) -> Any:
        with pytest.raises(CallExit, match="a process cannot call itself"):
            await self.call(self.pid, "me")
        mirror = await self.start(Mirror, 0, name="mirror")
        with pytest.raises(CallExit) as caught:
            await self.call(mirror, "you")
        return caught.value.exit_reason

    found = run(main)
    assert isinstance(found, CallFailed) and found.reason == "calling_self"


def test_a_message_that_cannot_be_copied_is_refused_where_it_is_sent() -> None:
    lock = threading.Lock()

    async def main(self: OtpContext) -> Any:
        server = await self.start(Server, 0)
        for send in (
            lambda: self.send(server, lock), lambda: self.cast(server, ("x", [lock])), lambda: self.spawn(print, lock),
            lambda: self.send_after(5, server, lock), lambda: self.send_request(server, lock),
        ):  # fmt: skip
            with pytest.raises(NotCopyable, match=r"cannot be copied: cannot pickle '_thread.lock' object"):
                send()
        with pytest.raises(NotCopyable):
            await self.call(server, lock)
        with pytest.raises(NotCopyable):
            await self.start(Server, lock)
        return await self.call(server, "still here")

    assert run(main) == "still here"


@pytest.mark.parametrize(
    "reply", [Reply(threading.Lock(), 0), Stop("x", 0, reply=threading.Lock())], ids=["reply", "stop"]
)
def test_a_reply_that_cannot_be_copied_ends_the_server_and_its_caller_is_told(reply: Any) -> None:
    async def main(self: OtpContext) -> Any:
        with pytest.raises(CallExit) as caught:
            await self.call(await self.start(Server, 0), lambda: reply)
        return caught.value.exit_reason

    found = run(main)
    assert isinstance(found, Crash) and found.error == "NotCopyable"


@pytest.mark.parametrize("bad", ["1s", -1, 1.5, True, 10**40])
def test_a_bad_time_is_refused_before_anything_is_done(bad: Any) -> None:
    async def main(self: OtpContext) -> Any:
        server = await self.start(Server, 0)
        assert server is not None
        waits: list[Callable[[], Any]] = [
            lambda: self.call(server, lambda: Stop("called"), bad), lambda: self.receive(timeout_ms=bad),
            lambda: self.sleep(bad), lambda: self.start(Server, 0, timeout_ms=bad),
            lambda: self.start_link(Server, 0, timeout_ms=bad), lambda: self.stop(server, timeout_ms=bad),
            lambda: self.receive_response(self.send_request(server, 1), bad),
            lambda: otp_sys.get_state(self, server, timeout_ms=bad),
            lambda: self.send_after(bad, server, 1), lambda: self.start_timer(bad, server, 1),
            lambda: self.send_interval(bad, server, 1),
        ]  # fmt: skip
        for wait in waits:
            with pytest.raises(UsageError, match=r"milliseconds .* is not valid: give a whole number"):
                await wait()
        return await self.call(server, "still here")

    assert run(main) == "still here"


def test_nobody_waits_for_another_longer_than_erlang_does_but_a_timer_may() -> None:
    longest = 2**32 - 1

    async def main(self: OtpContext) -> Any:
        server = await self.start(Server, 0)
        refused: list[Callable[[], Any]] = [
            lambda: self.receive(timeout_ms=longest + 1), lambda: self.call(server, int, longest + 1),
            lambda: self.start(Server, 0, timeout_ms=longest + 1), lambda: self.stop(server, timeout_ms=longest + 1),
            lambda: otp_sys.get_state(self, server, timeout_ms=longest + 1),
        ]  # fmt: skip
        for wait in refused:
            with pytest.raises(UsageError, match=r"4294967296 is not valid: .* from 0 to 4294967295"):
                await wait()
        with pytest.raises(UsageError, match="from 0 to 4294967295; send_after takes more"):
            After(longest + 1)
        self.send_after(longest + 2, self.pid, "late")
        await self.sleep(longest + 1)
        return await self.receive(timeout_ms=longest), self.now(), After(longest)

    assert run(main) == ("late", longest + 2, After(longest))


def test_a_server_that_asks_for_more_than_its_clock_has_ends_and_is_told() -> None:
    async def main(self: OtpContext) -> Any:
        server = await self.start(Server, 0)
        with pytest.raises(CallExit, match="milliseconds 9007199254740993 is not valid"):
            await self.call(server, lambda: After(2**53 + 1))
        await self.sleep(2**53)
        with pytest.raises(UsageError, match="from 0 to 0"):
            self.send_after(1, self.pid, "never")
        return self.now()

    assert run(main) == 2**53


def test_an_interval_ends_with_its_clock() -> None:
    async def main(self: OtpContext) -> Any:
        timer = self.send_interval(2**52, self.pid, "tick")
        first, left = await self.receive(), self.read_timer(timer)
        return first, left, await self.receive(), self.read_timer(timer)

    assert run(main) == ("tick", 2**52, "tick", None)


def test_a_predicate_that_raises_does_so_in_its_receive_whenever_the_message_comes() -> None:
    async def main(self: OtpContext) -> Any:
        self.send(self.pid, 1)
        with pytest.raises(TypeError):
            await self.receive(lambda message: message["key"])
        await self.receive()
        self.send_after(5, self.pid, 2)
        with pytest.raises(TypeError):
            await self.receive(lambda message: message["key"])
        return await self.receive()

    assert run(main) == 2


def test_names_that_are_taken_or_none_are_refused() -> None:
    async def main(self: OtpContext) -> Any:
        first = await self.start(Server, 0, name="a")
        with pytest.raises(StartError, match=r"a did not start: <0\.\d+\.0> has the name already") as caught:
            await self.start(Server, 0, name="a")
        with pytest.raises(UsageError, match="the name 'a' is taken by"):
            self.register("a")
        self.register("b")
        with pytest.raises(UsageError, match="is registered as 'b' already"):
            self.register("c")
        for bad in (5, None, ["x"], "", "undefined"):
            with pytest.raises(UsageError):
                self.register(bad, first)  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="nobody is registered under it"):
            self.unregister("zzz")
        return caught.value.reason == ("already_started", first)

    assert run(main)


@pytest.mark.parametrize("target", ["nobody", 5, [5], None], ids=repr)
def test_a_target_that_is_nobody(target: Any) -> None:
    async def main(self: OtpContext) -> Any:
        with pytest.raises(NoProcess):
            self.send(target, "hello")
        with pytest.raises(CallExit) as caught:
            await self.call(target, "hello")
        self.cast(target, "dropped")
        self.exit_signal(target, "dropped")
        return caught.value.exit_reason

    assert run(main) == "noproc"


@pytest.mark.parametrize("behaviour", [5, int, None, "Server", Server.init])
def test_only_behaviours_can_be_started(behaviour: Any) -> None:
    async def main(self: OtpContext) -> None:
        with pytest.raises(UsageError, match="give a subclass of GenServer"):
            await self.start(behaviour)

    run(main)


def test_a_reply_goes_to_callers_only() -> None:
    async def main(self: OtpContext) -> None:
        with pytest.raises(UsageError, match="give the caller that handle_call was given"):
            self.reply(self.pid, 1)  # type: ignore[arg-type]

    run(main)


# --- too much ---------------------------------------------------------------------------------------------------------


def test_a_restart_loop_ends_by_the_intensity() -> None:
    class Doomed(Server):
        def handle_continue(self, argument: Any, state: Any) -> Any:
            raise ValueError("again")

        def init(self, argument: Any) -> Any:
            return Ok(0, Continue())

    async def main(self: OtpContext) -> Any:
        top = await self.start(Top, Spec([Child(Doomed)], intensity=10, period_s=5))
        ref = self.monitor(top)
        down = await self.receive(lambda message: getattr(message, "ref", None) == ref)
        return down.reason, self._process.node.process_spawns, self.now()

    reason, spawned, now = run(main)
    assert (reason, spawned, now) == ("shutdown", 1 + 1 + 10, 0)


def test_ten_thousand_waiting_messages_do_not_hide_the_one_that_is_wanted_nor_get_out_of_order() -> None:
    async def main(self: OtpContext) -> Any:
        for number in range(10_000):
            self.send(self.pid, number)
        self.send(self.pid, "wanted")
        found = [await self.receive(str)]
        found += [await self.receive(lambda message: message == 9_999), await self.receive(lambda m: m == 5_000)]
        rest = [await self.receive() for _ in range(9_998)]
        return found, rest == [number for number in range(9_999) if number != 5_000]

    assert run(main) == (["wanted", 9_999, 5_000], True)


def test_a_server_with_ten_thousand_messages_can_still_call() -> None:
    class Busy(Server):
        async def handle_cast(self, request: Any, state: Any) -> Any:
            return NoReply(await self.call("other", request)) if request == "ask" else NoReply(state)

    async def main(self: OtpContext) -> Any:
        await self.start(Server, 0, name="other")
        busy = await self.start(Busy, 0)
        self.cast(busy, "ask")
        for number in range(10_000):
            self.send(busy, number)
        return await otp_sys.get_state(self, busy)

    assert run(main) == "ask"


def test_a_process_that_always_finds_a_message_does_not_starve_the_others() -> None:
    async def greedy(self: OtpContext) -> None:
        while True:
            self.send(self.pid, "more")
            await self.receive()

    async def polling(self: OtpContext) -> None:
        while True:
            await self.receive(timeout_ms=0, default=None)

    async def main(self: OtpContext) -> Any:
        loops = [self.spawn(greedy), self.spawn(polling)]
        server = await self.start(Server, 0)
        answer = await self.call(server, "answered")
        for pid in loops:
            self.exit_signal(pid, "kill")
        return answer

    assert run(main) == "answered"
