"""Details of stopping and restarting that the manual leaves open and Erlang's supervisor decides."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_sandbox.otp import (
    Child,
    GenServer,
    Node,
    NoReply,
    Ok,
    OtpContext,
    Spec,
    StartError,
    Stop,
    Supervisor,
    count_children,
    start_child,
    terminate_child,
    which_children,
)  # fmt: skip

said: list[Any] = []
tries: dict[str, int] = {}


class Worker(GenServer):
    """Fails its second and third start if ``argument`` says so; tells of its starts and ends."""

    async def init(self, argument: Any) -> Any:
        name, fails = argument
        self.trap_exit()
        tries[name] = tries.get(name, 0) + 1
        if fails and tries[name] in (2, 3):
            said.append(f"{name} failed")
            await self.sleep(100)
            return Stop("not yet")
        said.append(f"{name} started")
        return Ok(name)

    async def handle_cast(self, request: Any, name: Any) -> Any:
        match request:
            case "crash":
                return Stop("crashed", name)
            case "exit":
                self.trap_exit(False)
                self.exit_signal(self.pid, "enough")
        return NoReply(name)

    async def terminate(self, reason: Any, name: Any) -> None:
        said.append(f"{name} stopped: {reason}")
        await self.sleep(100)


class Top(Supervisor):
    def init(self, argument: Any) -> Any:
        return argument


def _child(name: str, *, fails: bool = False, **fields: Any) -> Child:
    return Child(Worker, (name, fails), name=name, **fields)


def _run(main: Any) -> Any:
    said.clear()
    tries.clear()
    return Node().run_function(main)


def test_a_child_that_is_being_shut_down_stays_linked_to_its_supervisor() -> None:
    async def main(self: OtpContext) -> Any:
        top = await self.start(Top, [_child("a")])
        child = self.whereis("a")
        self.spawn(lambda self: terminate_child(self, top, "a"))
        await self.sleep(50)
        return top in self.process_info(child)["links"], said[-1]

    assert _run(main) == (True, "a stopped: shutdown")


def test_an_exit_signal_to_oneself_that_is_not_trapped_runs_no_terminate() -> None:
    async def main(self: OtpContext) -> Any:
        server, _ = await self.start_monitor(Worker, ("a", False))
        self.cast(server, "exit")
        return (await self.receive()).reason, said

    assert _run(main) == ("enough", ["a started"])


def test_a_restart_of_all_that_fails_stops_those_already_started_at_the_next_try() -> None:
    async def main(self: OtpContext) -> Any:
        await self.start(Top, Spec([_child("a"), _child("b", fails=True)], "one_for_all", intensity=5))
        said.clear()
        self.cast("b", "crash")
        await self.sleep(2_000)
        return said

    assert _run(main) == [
        "b stopped: crashed", "a stopped: shutdown",
        "a started", "b failed", "a stopped: shutdown",
        "a started", "b failed", "a stopped: shutdown",
        "a started", "b started",
    ]  # fmt: skip


def test_a_dynamic_child_that_waits_for_its_next_attempt_is_found_by_its_old_pid() -> None:
    async def main(self: OtpContext) -> Any:
        template = Child(Worker, ("a", True), id="worker")
        top = await self.start(Top, Spec([template], "simple_one_for_one", intensity=5))
        old = await start_child(self, top)
        self.cast(old, "crash")
        await self.sleep(150)
        stopping = self.spawn_monitor(lambda self: terminate_child(self, top, old))
        await self.sleep(1_000)
        assert not self.is_alive(stopping[0])
        return await which_children(self, top), await count_children(self, top)

    assert _run(main) == ([], {"specs": 1, "active": -1, "supervisors": 0, "workers": 0})


@pytest.mark.parametrize("module", [1, ["a"], 1.5])
def test_modules_that_are_neither_classes_nor_names_are_refused(module: Any) -> None:
    async def main(self: OtpContext) -> Any:
        await self.start(Top, [_child("a", modules=["fine", module])])

    with pytest.raises(StartError) as caught:
        _run(main)
    assert caught.value.reason == ("start_spec", ("invalid_module", module))


def test_an_exception_is_a_crash_whatever_it_carries() -> None:
    class Worker(GenServer):
        def init(self, argument: Any) -> Any:
            return None

        def handle_cast(self, request: Any, state: Any) -> Any:
            raise ValueError("shutdown")

    class Top(Supervisor):
        def init(self, argument: Any) -> Any:
            return [Child(Worker, name="worker", restart="transient")]

    async def main(self: OtpContext) -> Any:
        await self.start(Top)
        first = self.whereis("worker")
        self.cast("worker", "fail")
        await self.sleep(1)
        return self.whereis("worker") not in (None, first)

    assert Node().run_function(main), "in Erlang error(shutdown) is {shutdown, Stack}, which passes for an orderly end"


@pytest.mark.parametrize("how", ["stop", "restart"])
def test_nothing_of_the_children_that_were_stopped_waits_in_the_mailbox_of_their_supervisor(how: str) -> None:
    class Worker(GenServer):
        def init(self, argument: Any) -> Any:
            self.trap_exit()
            return argument

        def terminate(self, reason: Any, state: Any) -> Any:
            self.send("main", self.process_info(self.parent)["message_queue_len"])  # type: ignore[arg-type,index]

    class Top(Supervisor):
        strategy = "one_for_all"

        def init(self, argument: Any) -> Any:
            return [Child(Worker, id=str(number), name=f"worker {number}") for number in range(20)]

    async def main(self: OtpContext) -> Any:
        self.register("main")
        top = await self.start(Top)
        if how == "stop":
            await self.stop(top)
        else:
            self.exit_signal(self.whereis("worker 10"), "kill")  # type: ignore[arg-type]
            await self.sleep(1)
        return [await self.receive(int) for _ in range(20 if how == "stop" else 19)]

    assert set(Node().run_function(main)) == {0}, "or stopping many would take time with the square of their number"
