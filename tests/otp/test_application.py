"""Applications: what waits while one is stopped, as in Erlang, whose application controller stops it itself."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_sandbox.otp import CallTimeout, Child, GenServer, Node, NoReply, OtpContext, Supervisor, application
from jupyter_sandbox.otp.application import Application, ApplicationError, Spec
from jupyter_sandbox.otp.waits import deadlocks

said: list[Any] = []


class Worker(GenServer):
    """Does ``argument["terminate"]`` when it is told to stop, and any other work that it is sent."""

    def init(self, argument: Any) -> Any:
        self.trap_exit()
        return argument

    async def handle_info(self, message: Any, argument: Any) -> Any:
        await message(self)
        return NoReply(argument)

    async def terminate(self, reason: Any, argument: Any) -> None:
        await argument.get("terminate", _nothing)(self)


class Top(Supervisor):
    def init(self, argument: Any) -> Any:
        return [Child(Worker, argument, name=argument["name"], shutdown_ms=argument.get("shutdown_ms"))]


class App(Application):
    async def start(self, kind: str, argument: Any) -> Any:
        await argument.get("start", _nothing)(self)
        return await self.start_link(Top, argument), argument

    async def prep_stop(self, argument: Any) -> Any:
        await argument.get("prep_stop", _nothing)(self)
        return argument

    async def stop(self, argument: Any) -> None:
        await argument.get("stop", _nothing)(self)


async def _nothing(self: OtpContext) -> None:
    pass


async def _load(self: OtpContext, name: str, **what: Any) -> None:
    await application.load(self, Spec(name, App, {"name": f"{name}_worker", **what}))


def _run(main: Any) -> Any:
    said.clear()
    node = Node()
    return node.run_function(main)


def test_an_application_may_start_and_stop_others_in_its_own_start() -> None:
    async def others(self: OtpContext) -> None:
        await application.start(self, "b")
        await application.stop(self, "c")
        said.append(await application.which_applications(self))

    async def main(self: OtpContext) -> Any:
        await _load(self, "a", start=others)
        await _load(self, "b")
        await _load(self, "c")
        await application.start(self, "c")
        await application.start(self, "a")
        return await application.which_applications(self)

    assert _run(main) == ["a", "b"]
    assert said == [["b"]]


def test_it_cannot_stop_itself_in_its_own_start() -> None:
    async def itself(self: OtpContext) -> None:
        with pytest.raises(ApplicationError) as refused:
            await application.stop(self, "a")
        said.append(refused.value.reason)

    async def main(self: OtpContext) -> Any:
        await _load(self, "a", start=itself)
        await application.start(self, "a")
        return await application.which_applications(self)

    assert _run(main) == ["a"]
    assert said == [("not_started", "a")]


@pytest.mark.parametrize("what", ["start", "stop", "ensure_all_started"])
def test_nothing_is_started_or_stopped_while_an_application_stops(what: str) -> None:
    async def slowly(self: OtpContext) -> None:
        await self.sleep(200)

    async def other(self: OtpContext) -> None:
        await getattr(application, what)(self, "c" if what == "stop" else "b")
        said.append((what, self.now()))

    async def main(self: OtpContext) -> Any:
        await _load(self, "a", terminate=slowly)
        await _load(self, "b")
        await _load(self, "c")
        await application.start(self, "a")
        await application.start(self, "c")
        self.spawn(lambda self: application.stop(self, "a"))
        await self.sleep(50)
        self.spawn(other)
        await self.sleep(100)
        assert said == []
        await self.sleep(100)

    _run(main)
    assert said == [(what, 200)]


def test_an_application_that_is_being_stopped_can_be_started_again_after_that() -> None:
    async def slowly(self: OtpContext) -> None:
        await self.sleep(200)

    async def main(self: OtpContext) -> Any:
        await _load(self, "a", terminate=slowly)
        await application.start(self, "a")
        old = self.whereis("a_worker")
        self.spawn(lambda self: application.stop(self, "a"))
        await self.sleep(50)
        await application.start(self, "a")
        assert self.now() == 200
        return old != self.whereis("a_worker")

    assert _run(main) is True


@pytest.mark.parametrize("place", ["terminate", "prep_stop", "stop"])
def test_who_asks_for_a_start_in_what_is_being_stopped_waits_for_ever_and_is_named(place: str) -> None:
    async def start_other(self: OtpContext) -> None:
        await application.start(self, "b")

    async def main(self: OtpContext) -> Any:
        await _load(self, "a", **{place: start_other})
        await _load(self, "b")
        await application.start(self, "a")
        stopper = self.spawn(lambda self: application.stop(self, "a"))
        await self.sleep(60_000)
        assert self.is_alive(stopper)
        return deadlocks(self._process.node)

    (cycle,) = _run(main)
    assert ("a_worker" in cycle) == (place == "terminate")


def test_the_time_limit_of_a_worker_ends_such_a_wait() -> None:
    async def start_other(self: OtpContext) -> None:
        await application.start(self, "b")

    async def main(self: OtpContext) -> Any:
        await _load(self, "a", terminate=start_other, shutdown_ms=300)
        await _load(self, "b")
        await application.start(self, "a")
        await application.stop(self, "a")
        return self.now(), await application.which_applications(self)

    assert _run(main) == (300, [])


def test_a_worker_that_stops_its_own_application_is_killed_while_it_waits() -> None:
    async def stop_own(self: OtpContext) -> None:
        await application.stop(self, "a")
        said.append("went on")

    async def main(self: OtpContext) -> Any:
        await _load(self, "a", shutdown_ms=300)
        await application.start(self, "a")
        self.send("a_worker", stop_own)
        await self.sleep(301)
        return await application.which_applications(self), self.whereis("a_worker")

    assert _run(main) == ([], None)
    assert said == []


def test_questions_wait_while_an_application_stops_and_the_environment_is_read_at_once() -> None:
    async def slowly(self: OtpContext) -> None:
        await self.sleep(300)

    async def which(self: OtpContext) -> None:
        said.append((await application.which_applications(self), self.now()))

    async def environment(self: OtpContext) -> None:
        await application.put_env(self, "a", "x", 1)
        said.append(("set", self.now()))
        await application.unset_env(self, "a", "x")

    async def loading(self: OtpContext) -> None:
        await application.unload(self, "b")
        await application.load(self, Spec("b"))
        said.append(("loaded", self.now()))

    async def main(self: OtpContext) -> Any:
        await _load(self, "a", terminate=slowly)
        await _load(self, "b")
        await application.start(self, "a")
        self.spawn(lambda self: application.stop(self, "a"))
        await self.sleep(100)
        for question in (which, environment, loading):
            self.spawn(question)
        said.append((application.get_env(self, "a", "x"), application.loaded_applications(self), self.now()))
        await self.sleep(1_000)

    _run(main)
    assert said[0] == (None, ["a", "b"], 100)
    assert sorted(said[1:], key=str) == [("loaded", 300), ("set", 300), ([], 300)]


def test_who_asks_what_runs_in_what_is_being_stopped_gives_up_after_its_patience() -> None:
    async def ask(self: OtpContext) -> None:
        try:
            await application.which_applications(self)
        except CallTimeout:
            said.append(self.now())

    async def main(self: OtpContext) -> Any:
        await _load(self, "a", stop=ask)
        await application.start(self, "a")
        await application.stop(self, "a")

    _run(main)
    assert said == [5_000]


@pytest.mark.parametrize("failure", ["broken", "normal"])
@pytest.mark.parametrize("kind", ["permanent", "transient", "temporary"])
def test_a_permanent_or_transient_application_that_does_not_start_takes_the_node_down(kind: str, failure: str) -> None:
    async def fail(self: OtpContext) -> None:
        self.exit(failure)

    async def tell(self: OtpContext) -> None:
        said.append("stopped")

    async def main(self: OtpContext) -> Any:
        await _load(self, "a", start=fail)
        await _load(self, "b", stop=tell)
        await application.start(self, "b")
        with pytest.raises(ApplicationError):
            await application.start(self, "a", kind)
        await self.sleep(10)
        return await application.which_applications(self)

    down = kind == "permanent" or (kind == "transient" and failure == "broken")
    if down:
        with pytest.raises(RuntimeError, match="the client was stopped"):
            _run(main)
    else:
        assert _run(main) == ["b"]
    assert said == (["stopped"] if down else [])


def test_what_runs_already_is_left_alone_whatever_type_is_asked_for() -> None:
    async def main(self: OtpContext) -> Any:
        await application.load(self, Spec("lib"))
        await application.load(self, Spec("b", applications=["lib"]))
        await application.start(self, "lib")
        with pytest.raises(ApplicationError) as caught:
            await application.ensure_all_started(self, "b", "for ever")
        return caught.value.reason, await application.ensure_all_started(self, "lib", "for ever")

    assert _run(main) == (("b", ("invalid_restart_type", "for ever")), [])


def test_all_who_ask_for_a_start_at_one_moment_get_its_outcome() -> None:
    async def slowly(self: OtpContext) -> None:
        await self.sleep(100)

    async def ask(self: OtpContext) -> None:
        said.append(await application.start(self, "b"))

    async def main(self: OtpContext) -> Any:
        await _load(self, "a", terminate=slowly)
        await _load(self, "b")
        await application.start(self, "a")
        self.spawn(lambda self: application.stop(self, "a"))
        await self.sleep(50)
        for _ in range(3):
            self.spawn(ask)
        await self.sleep(1_000)
        return await application.which_applications(self)

    assert _run(main) == ["b"]
    assert said == [None, None, None]


def test_an_unload_during_a_start_leaves_the_application_running_until_it_is_stopped() -> None:
    async def main(self: OtpContext) -> Any:
        await application.load(self, Spec("shop", App, {"name": "worker", "start": _sleep}, env={"port": 80}))
        starting = self.spawn_link(lambda other: application.start(other, "shop"))
        await self.sleep(5)
        await application.unload(self, "shop")
        gone = application.loaded_applications(self), application.get_env(self, "shop", "port")
        with pytest.raises(ApplicationError) as again:
            await application.unload(self, "shop")
        ref = self.monitor(starting)
        await self.receive(lambda message: getattr(message, "ref", None) == ref)
        runs = application.get_application(self, self.whereis("worker"))
        everything = await application.ensure_all_started(self, "shop")
        await application.stop(self, "shop")
        left = self.whereis("worker"), await application.which_applications(self)
        with pytest.raises(ApplicationError) as unknown:
            await application.start(self, "shop")
        return gone, again.value.reason, runs, everything, left, unknown.value.reason[0]

    assert Node().run_function(main) == (
        ([], None), ("not_loaded", "shop"), "shop", [], (None, []), "no such file or directory",
    )  # fmt: skip


async def _sleep(self: OtpContext) -> None:
    await self.sleep(100)


def test_loading_again_what_was_unloaded_during_its_start_finds_it_running() -> None:
    async def main(self: OtpContext) -> Any:
        spec = Spec("shop", App, {"name": "worker", "start": _sleep})
        await application.load(self, spec)
        self.spawn_link(lambda other: application.start(other, "shop"))
        await self.sleep(5)
        await application.unload(self, "shop")
        await application.load(self, spec)
        await self.sleep(200)
        with pytest.raises(ApplicationError) as caught:
            await application.start(self, "shop")
        return caught.value.reason, application.loaded_applications(self)

    assert Node().run_function(main) == (("already_started", "shop"), ["shop"])


def test_a_start_that_gives_a_state_but_no_pid_is_a_badarg() -> None:
    class Wrong(Application):
        def start(self, kind: str, argument: Any) -> Any:
            return "no pid", "state"

    async def main(self: OtpContext) -> Any:
        await application.load(self, Spec("shop", Wrong))
        with pytest.raises(ApplicationError) as caught:
            await application.start(self, "shop")
        return caught.value.reason

    reason = Node().run_function(main)
    assert (reason.error, reason.value) == ("badarg", "badarg")
    assert "'no pid'" in reason.text
