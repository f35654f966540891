"""Crash reports and logger events: when one is due, when none is, and what it says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from jupyter_sandbox.model.errors import UsageError
from jupyter_sandbox.otp import (
    IGNORE,
    Child,
    GenServer,
    Node,
    NoReply,
    OtpContext,
    Reply,
    Spec,
    StartError,
    Stop,
    Supervisor,
)  # fmt: skip
from jupyter_sandbox.runtime.process import Process
from jupyter_sandbox.trace.log import EventLog

Main = Callable[[OtpContext], Any]


class Server(GenServer):
    """Ends as it is told."""

    def init(self, argument: Any) -> Any:
        return argument() if callable(argument) else argument

    def handle_call(self, request: Any, caller: Any, state: Any) -> Any:
        return Reply(state, state)

    def handle_cast(self, request: Any, state: Any) -> Any:
        match request:
            case ("stop", reason):
                return Stop(reason, state)
            case ("exit", reason):
                self.exit(reason)
            case "raise":
                raise ValueError("broken")
            case "return":
                return "nothing known"
        return NoReply(state)


class Trapping(Server):
    def init(self, argument: Any) -> Any:
        self.trap_exit()
        return argument


class Top(Supervisor):
    def init(self, argument: Any) -> Any:
        return argument


def told(main: Main, kind: str = "crash") -> list[tuple[str, Any]]:
    """The events of a kind that a run gives: who (by class), and the data."""
    found: list[tuple[str, Any]] = []

    def sink(event: str, process: Process, data: Any) -> None:
        if event == kind:
            found.append((getattr(process.behaviour, "__name__", ""), data))

    Node(sink=sink).run_function(main)
    return found


def reports(main: Main) -> list[str]:
    """The reasons of all crash reports."""
    return [repr(data[1]) for _, data in told(main)]


def cast(request: Any) -> Main:
    async def main(self: OtpContext) -> None:
        self.cast(await self.start(Server, 0), request)
        await self.sleep(1)

    return main


# --- due or not -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["stop", "exit"])
@pytest.mark.parametrize("reason", ["normal", "shutdown", ("shutdown", "for today")], ids=repr)
def test_no_crash_report_is_due_for_a_normal_end(how: str, reason: Any) -> None:
    assert reports(cast((how, reason))) == []


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (("stop", "boom"), "'boom'"),
        (("exit", "boom"), "'boom'"),
        (("exit", "killed"), "'killed'"),
        (("stop", ("shutdown", 1, 2)), "('shutdown', 1, 2)"),
        ("raise", "ValueError: broken"),
        ("return", "('bad_return_value', 'nothing known')"),
    ],
)
def test_one_crash_report_is_due_for_every_other_end(request_: Any, reason: str) -> None:
    assert reports(cast(request_)) == [reason]


@pytest.mark.parametrize("signal", ["boom", "kill", "shutdown"])
def test_no_report_is_due_for_a_process_that_an_exit_signal_ends(signal: str) -> None:
    async def main(self: OtpContext) -> None:
        self.exit_signal(await self.start(Server, 0), signal)
        await self.sleep(1)

    assert reports(main) == []


@pytest.mark.parametrize(("reason", "due"), [("boom", ["'boom'"]), ("shutdown", []), ("normal", [])])
def test_a_process_that_traps_the_exit_of_its_parent_reports_by_the_reason(reason: str, due: list[str]) -> None:
    async def parent(self: OtpContext) -> None:
        await self.start_link(Trapping, 0)
        self.exit_signal(self.pid, reason) if reason == "shutdown" else self.exit(reason)

    async def main(self: OtpContext) -> None:
        self.spawn(parent)
        await self.sleep(1)

    crashed = [repr(data[1]) for who, data in told(main) if who == "Trapping"]
    assert crashed == due


@pytest.mark.parametrize(
    ("first", "due"),
    [
        (lambda: IGNORE, []),
        (lambda: Stop("normal"), []),
        (lambda: Stop("shutdown"), []),
        (lambda: Stop("boom"), ["'boom'"]),
        (lambda: 1 / 0, ["ZeroDivisionError: division by zero"]),
    ],
    ids=["ignore", "normal", "shutdown", "boom", "raises"],
)
def test_a_failed_init_reports_by_its_reason(first: Any, due: list[str]) -> None:
    async def main(self: OtpContext) -> None:
        try:
            await self.start(Server, first)
        except StartError:
            pass

    assert reports(main) == due


def test_a_failing_terminate_is_what_is_reported() -> None:
    class Untidy(Server):
        def terminate(self, reason: Any, state: Any) -> Any:
            raise KeyError("not tidy")

    async def main(self: OtpContext) -> None:
        self.cast(await self.start(Untidy, 0), ("stop", "normal"))
        await self.sleep(1)

    assert reports(main) == ["KeyError: 'not tidy'"]


def test_a_plain_process_reports_what_it_raised_and_what_it_exited_with_but_no_normal_end() -> None:
    async def raising(self: OtpContext) -> None:
        raise ValueError("plain")

    async def main(self: OtpContext) -> None:
        self.spawn(raising)
        for reason in ("boom", "normal", "shutdown"):
            self.spawn(lambda self, why: self.exit(why), reason)
        await self.sleep(1)

    assert reports(main) == ["ValueError: plain", "'boom'"]


def test_a_caller_that_exits_with_a_failed_call_reports_that() -> None:
    class Asking(Server):
        async def handle_cast(self, request: Any, state: Any) -> Any:
            await self.call("nobody", "hello")

    async def main(self: OtpContext) -> None:
        self.cast(await self.start(Asking, 0), "go")
        await self.sleep(1)

    assert reports(main) == ["('noproc', call to nobody)"]


# --- what it says -----------------------------------------------------------------------------------------------------


def test_a_report_has_the_message_the_reason_and_the_state() -> None:
    ((who, (message, reason, state)),) = told(cast("raise"))

    assert (who, message[1], state) == ("Server", "raise", 0)
    assert (reason.error, reason.value, reason.frames[-1].function) == ("ValueError", "broken", "handle_cast")


def test_a_report_shows_the_state_as_format_status_shows_it() -> None:
    class Secret(Server):
        def format_status(self, status: Any) -> Any:
            return status | {"state": "***"}

    async def main(self: OtpContext) -> None:
        self.cast(await self.start(Secret, "password"), "raise")
        await self.sleep(1)

    assert [data[2] for _, data in told(main)] == ["***"]


def test_children_that_their_supervisor_stops_report_nothing_and_the_restarted_one_once() -> None:
    async def main(self: OtpContext) -> None:
        children = [Child(Server, 1, name="one"), Child(Trapping, 2, name="two")]
        top = await self.start(Top, Spec(children, "one_for_all"))
        self.cast("one", "raise")
        await self.sleep(1)
        await self.stop(top)

    assert [who for who, _ in told(main)] == ["Server"]


def test_a_supervisor_that_gives_up_reports_no_crash_of_its_own_but_that_it_gave_up() -> None:
    async def main(self: OtpContext) -> None:
        await self.start(Top, Spec([Child(Server, 1, name="one")], intensity=0))
        self.cast("one", "raise")
        await self.sleep(1)

    assert [who for who, _ in told(main)] == ["Server"]
    assert [data.decision for _, data in told(main, "supervisor_gave_up")] == ["gave up: more than 0 restarts in 5 s"]


# --- the logger -------------------------------------------------------------------------------------------------------


def test_an_unexpected_message_is_an_error_event_and_no_crash() -> None:
    class Quiet(GenServer):
        pass

    async def main(self: OtpContext) -> None:
        self.send(await self.start(Quiet, 0), "hello")
        self.send(await self.start(Top, []), "hello")
        await self.sleep(1)

    events = [data for _, data in told(main, "log")]
    assert [level for level, _ in events] == ["error", "error"]
    assert events[0][1] == "<Quiet <0.1.0>> got an unexpected message: 'hello'"
    assert events[1][1] == "supervisor got an unexpected message: 'hello'"
    assert reports(main) == []


def test_events_are_logged_at_the_levels_that_erlang_has() -> None:
    levels = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"]

    async def main(self: OtpContext) -> None:
        for level in levels:
            self.log(level, "text")
        with pytest.raises(UsageError, match="level 'loud' is not known"):
            self.log("loud", "text")

    assert [data for _, data in told(main, "log")] == [(level, "text") for level in levels]


def test_events_are_told_in_words() -> None:
    log = EventLog()
    Node(sink=log).run_function(cast("raise"))

    assert [event.text for event in log.newest(9, ("crash", "process_exit"))] == [
        "exited: ValueError: broken", "ValueError: broken"
    ]  # fmt: skip
