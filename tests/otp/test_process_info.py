"""What a process tells about itself: ``process_info``, initial call, ancestors, label, hibernation."""

from __future__ import annotations

from typing import Any

from jupyter_sandbox.otp import HIBERNATE, Child, GenServer, Node, NoReply, OtpContext, Supervisor, application


class Worker(GenServer):
    def init(self, argument: Any) -> Any:
        self.set_label("a worker")
        self.dictionary["key"] = [1]
        return argument

    async def handle_cast(self, request: Any, state: Any) -> Any:
        if request == "busy":
            await self.sleep(10)
        return NoReply(state, HIBERNATE if request == "hibernate" else None)


class Top(Supervisor):
    def init(self, argument: Any) -> Any:
        return [Child(Worker, 1, name="worker")]


class App(application.Application):
    def start(self, kind: str, argument: Any) -> Any:  # type: ignore[override]
        return Child(Top, name="top")


def _info_after(*casts: Any) -> dict[str, Any]:
    async def main(self: OtpContext) -> dict[str, Any] | None:
        await application.load(self, application.Spec("shop", App))
        await application.start(self, "shop")
        for cast in casts:
            self.cast("worker", cast)
            await self.sleep(1)
        pid = self.whereis("worker")
        assert pid is not None
        info = self.process_info(pid)
        assert info is not None and info["parent"] == self.whereis("top") and info["links"] == [self.whereis("top")]
        return info

    found: dict[str, Any] = Node().run_function(main)
    return found


def test_a_process_tells_what_it_runs_who_started_it_and_what_it_belongs_to() -> None:
    info = _info_after()
    assert info["registered_name"] == "worker" and info["label"] == "a worker"
    assert info["initial_call"] == f"{__name__}.Worker"
    assert info["ancestors"][0] == "top" and len(info["ancestors"]) == 2, "its supervisor and the application's master"
    assert info["application"] == "shop"
    assert info["dictionary"] == {"key": [1]}
    assert (info["status"], info["trap_exit"], info["message_queue_len"]) == ("waiting", False, 0)


def test_messages_that_wait_are_told_in_their_order() -> None:
    info = _info_after("busy", "one", ["two"])
    assert (info["messages"], info["message_queue_len"]) == (["one", ["two"]], 2)


def test_hibernation_shows_until_the_next_message() -> None:
    assert _info_after("hibernate")["hibernated"] is True
    assert _info_after("hibernate", "x")["hibernated"] is False
