"""Registries: keys for processes, names that are used like any other, and what is told to listeners."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_sandbox.model.errors import UsageError
from jupyter_sandbox.otp import (
    Agent,
    CallExit,
    Child,
    GenServer,
    Node,
    OtpContext,
    Registered,
    Registry,
    Reply,
    StartError,
    Supervisor,
    Unregistered,
    sys,
    which_children,
)  # fmt: skip


class Room(GenServer):
    """Answers with what it knows."""

    def handle_call(self, request: Any, caller: Any, topic: Any) -> Any:
        return Reply((request, topic), topic)


def run(main: Any) -> Any:
    return Node().run_function(main)


async def idle(self: OtpContext, registry: str, key: Any, value: Any = None) -> None:
    """Registers and stays."""
    Registry.register(self, registry, key, value)
    await self.sleep(60_000)


def test_a_via_name_starts_calls_and_stops_a_server() -> None:
    async def main(self: OtpContext) -> Any:
        await Registry.start_link(self, "rooms")
        room = Registry.via("rooms", ("room", 7), "a value")
        pid = await self.start(Room, "otp", name=room)
        called = await self.call(room, "hi")
        self.send(room, "logged and dropped")
        asked = await self.receive_response(self.send_request(room, "asked"))
        state = await sys.get_state(self, room)
        with pytest.raises(StartError) as taken:
            await self.start(Room, "again", name=room)
        entries = Registry.lookup(self, "rooms", ("room", 7))
        self.monitor(room)
        await self.stop(room)
        down = await self.receive()
        assert taken.value.reason == ("already_started", pid)
        assert entries == [(pid, "a value")]
        return called, asked, state, down.reason

    assert run(main) == (("hi", "otp"), ("asked", "otp"), "otp", "normal")


def test_a_name_that_nobody_has_behaves_like_one() -> None:
    async def main(self: OtpContext) -> Any:
        await Registry.start_link(self, "rooms")
        nobody = Registry.via("rooms", 1)
        self.cast(nobody, "dropped")
        with pytest.raises(CallExit) as missing:
            await self.call(nobody, "hi")
        with pytest.raises(Exception, match="no process is registered"):
            self.send(nobody, "hi")
        return missing.value.exit_reason

    assert run(main) == "noproc"


def test_a_child_of_a_supervisor_may_have_a_via_name_and_gets_it_again_after_a_restart() -> None:
    class Top(Supervisor):
        def init(self, argument: Any) -> Any:
            return [Registry.child("rooms"), Child(Room, "otp", name=Registry.via("rooms", 1), id="room")]

    async def main(self: OtpContext) -> Any:
        top = await self.start(Top)
        room = Registry.via("rooms", 1)
        ((first, _),) = Registry.lookup(self, "rooms", 1)
        self.exit_signal(first, "kill")
        await self.sleep(1)
        answer = await self.call(room, "hi")
        return answer, Registry.lookup(self, "rooms", 1)[0][0] != first, len(await which_children(self, top))

    assert run(main) == (("hi", "otp"), True, 2)


def test_a_unique_key_has_one_process() -> None:
    async def main(self: OtpContext) -> Any:
        await Registry.start_link(self, "names")
        pid = self.spawn(idle, "names", "a")
        await self.sleep(1)
        with pytest.raises(UsageError, match="registered by") as taken:
            Registry.register(self, "names", "a")
        Registry.register(self, "names", "b")
        return taken.value.kind, Registry.keys(self, "names", pid), Registry.keys(self, "names", self.pid)

    assert run(main) == ("already_registered", ["a"], ["b"])


def test_a_duplicate_key_has_many_in_the_order_of_registration() -> None:
    async def main(self: OtpContext) -> Any:
        await Registry.start_link(self, "topics", "duplicate")
        one = self.spawn(idle, "topics", "news", 1)
        await self.sleep(1)
        Registry.register(self, "topics", "news", 2)
        Registry.register(self, "topics", "news", 3)
        told: list[Any] = []
        Registry.dispatch(self, "topics", "news", told.extend)
        Registry.dispatch(self, "topics", "weather", told.extend)
        mine = Registry.values(self, "topics", "news", self.pid)
        assert told == [(one, 1), (self.pid, 2), (self.pid, 3)]
        return mine, Registry.count(self, "topics"), Registry.keys(self, "topics", self.pid)

    assert run(main) == ([2, 3], 3, ["news", "news"])


def test_entries_are_gone_before_links_and_monitors_tell_of_a_death() -> None:
    async def main(self: OtpContext) -> Any:
        await Registry.start_link(self, "names")
        pid = self.spawn(idle, "names", "a")
        self.monitor(pid)
        await self.sleep(1)
        self.exit_signal(pid, "boom")
        down = await self.receive()
        found = Registry.lookup(self, "names", "a"), Registry.keys(self, "names", pid), Registry.count(self, "names")
        Registry.register(self, "names", "a")
        await self.sleep(1)
        return down.reason, found, len(Registry.lookup(self, "names", "a"))

    assert run(main) == ("boom", ([], [], 0), 1)


def test_a_process_gives_its_keys_up_itself_or_by_ending_normally() -> None:
    async def main(self: OtpContext) -> Any:
        registry = await Registry.start_link(self, "names")
        Registry.register(self, "names", "a")
        Registry.unregister(self, "names", "a")
        Registry.unregister(self, "names", "never")
        self.spawn(lambda self: Registry.register(self, "names", "short"))
        await self.sleep(1)
        state = await sys.get_state(self, registry)
        return Registry.count(self, "names"), state.by_key, state.by_pid

    assert run(main) == (0, {}, {})


def test_registered_processes_die_with_their_registry() -> None:
    async def main(self: OtpContext) -> Any:
        self.trap_exit()
        registry = await Registry.start_link(self, "names")
        self.monitor(self.spawn(idle, "names", "a"))
        await self.sleep(1)
        self.exit_signal(registry, "kill")
        return {type(message).__name__: message.reason for message in [await self.receive(), await self.receive()]}

    assert run(main) == {"Exit": "killed", "Down": "killed"}


def test_listeners_are_told_of_every_coming_and_going() -> None:
    async def main(self: OtpContext) -> Any:
        self.register("listener")
        await Registry.start_link(self, "names", listeners=["listener", "nobody"])
        pid = self.spawn(idle, "names", "a", 1)
        self.monitor(pid)
        first = await self.receive()
        self.exit_signal(pid, "kill")
        second = await self.receive(Unregistered)
        return first == Registered("names", "a", pid, 1), second == Unregistered("names", "a", pid)

    assert run(main) == (True, True)


def test_a_value_is_changed_by_its_process_alone_and_copied() -> None:
    async def main(self: OtpContext) -> Any:
        await Registry.start_link(self, "names")
        value = [1]
        Registry.register(self, "names", "a", value)
        value.append(2)
        Registry.lookup(self, "names", "a")[0][1].append(3)
        new = Registry.update_value(self, "names", "a", lambda old: [*old, 4])
        none = Registry.update_value(self, "names", "b", lambda old: old)
        return new, none, Registry.values(self, "names", "a", self.pid)

    assert run(main) == ([1, 4], None, [[1, 4]])


def test_a_registry_that_is_not_there_and_bad_names_are_told_in_words() -> None:
    async def main(self: OtpContext) -> Any:
        with pytest.raises(UsageError, match=r"Registry\.child"):
            Registry.register(self, "names", "a")
        with pytest.raises(UsageError, match="kind of registry"):
            Registry.child("names", "some")
        with pytest.raises(UsageError, match="text or a via name"):
            await self.start(Room, name=7)
        await Registry.start_link(self, "names")
        with pytest.raises(UsageError, match="cannot be a key"):
            Registry.register(self, "names", ["may", "change"])
        agent = await Agent.start(self, 1, name=Registry.via("names", "agent"))
        return self.is_alive(agent)

    assert run(main)


def test_a_unique_registry_is_shown_in_a_few_words() -> None:
    async def main(self: OtpContext) -> Any:
        pid = await Registry.start_link(self, "names")
        Registry.register(self, "names", "a")
        process = self._process.node.processes[pid]
        return process.behaviour.state_text(process.state)

    assert run(main) == "unique, 1 keys"
