"""Laws of signals, over random systems and schedules: order per pair, and whom an exit reaches."""

from __future__ import annotations

from collections import deque
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_sandbox.otp import Exit, Node, OtpContext, Pid

from .chance import Shuffled

seeds = st.integers(0, 2**16)


@given(
    seed=seeds,
    plans=st.lists(st.lists(st.tuples(st.integers(0, 2), st.booleans()), max_size=12), min_size=1, max_size=4),
)
@settings(max_examples=80, deadline=None)
def test_signals_from_one_sender_arrive_in_the_order_they_were_sent(
    seed: int, plans: list[list[tuple[int, bool]]]
) -> None:
    heard: list[list[tuple[Pid, int]]] = [[], [], []]

    async def listen(self: OtpContext, number: int) -> None:
        self.trap_exit()
        while True:
            message = await self.receive()
            if isinstance(message, Exit):
                heard[number].append((message.process, message.reason))  # type: ignore[arg-type]
            else:
                heard[number].append(message)

    async def speak(self: OtpContext, receivers: list[Pid], plan: list[tuple[int, bool]]) -> None:
        for count, (number, signal) in enumerate(plan):
            if signal:
                self.exit_signal(receivers[number], count)
            else:
                self.send(receivers[number], (self.pid, count))
            if count % 3 == 2:
                await self.yield_()

    async def main(self: OtpContext) -> list[Pid]:
        receivers = [self.spawn(listen, number) for number in range(3)]
        for _ in receivers:
            await self.yield_()
        await self.sleep(1)
        return [self.spawn(speak, receivers, plan) for plan in plans]

    node = Node(policy=Shuffled(seed))
    senders = node.run_function(main)
    node.run(node.now_ms)

    for sender, plan in zip(senders, plans, strict=True):
        for number in range(3):
            sent = [count for count, (receiver, _) in enumerate(plan) if receiver == number]
            assert [count for pid, count in heard[number] if pid == sender] == sent


@st.composite
def linked_systems(draw: st.DrawFn) -> tuple[list[bool], set[tuple[int, int]], int]:
    traps = draw(st.lists(st.booleans(), min_size=1, max_size=8))
    numbers = st.integers(0, len(traps) - 1)
    links = draw(st.sets(st.tuples(numbers, numbers), max_size=14))
    return traps, {(a, b) for a, b in links if a != b}, draw(numbers)


@given(seed=seeds, system=linked_systems(), reason=st.sampled_from(["boom", "shutdown", "normal", "kill"]))
@settings(max_examples=150, deadline=None)
def test_an_exit_reaches_exactly_the_linked_set(
    seed: int, system: tuple[list[bool], set[tuple[int, int]], int], reason: str
) -> None:
    traps, links, first = system
    told: list[set[tuple[Pid, Any]]] = [set() for _ in traps]

    async def sit(self: OtpContext, number: int) -> None:
        self.trap_exit(traps[number])
        while True:
            message = await self.receive()
            if message == "exit":
                self.exit(reason)
            elif isinstance(message, Exit):
                told[number].add((message.process, message.reason))
            else:
                self.link(message)

    async def main(self: OtpContext) -> list[Pid]:
        pids = [self.spawn(sit, number) for number in range(len(traps))]
        for one, other in sorted(links):
            self.send(pids[one], pids[other])
        await self.sleep(1)
        if reason == "kill":
            self.exit_signal(pids[first], "kill")
        else:
            self.send(pids[first], "exit")
        return pids

    node = Node(policy=Shuffled(seed))
    pids = node.run_function(main)
    node.run(node.now_ms)

    shown = "killed" if reason == "kill" else reason
    dead, expected = _fallen(traps, links, first, reason == "normal")
    assert {number for number, pid in enumerate(pids) if pid not in node.processes} == dead
    for number in set(range(len(traps))) - dead:
        assert told[number] == {(pids[other], shown) for other in expected[number]}


def _fallen(
    traps: list[bool], links: set[tuple[int, int]], first: int, normal: bool
) -> tuple[set[int], dict[int, set[int]]]:
    """Who dies, and who of the others is told of whose end."""
    partners: dict[int, set[int]] = {number: set() for number in range(len(traps))}
    for one, other in links:
        partners[one].add(other)
        partners[other].add(one)
    dead, queue = {first}, deque([first])
    told: dict[int, set[int]] = {number: set() for number in range(len(traps))}
    while queue:
        number = queue.popleft()
        for other in partners[number]:
            if traps[other]:
                told[other].add(number)
            elif not normal and other not in dead:
                dead.add(other)
                queue.append(other)
    return dead, told


@given(seed=seeds, steps=st.lists(st.integers(0, 5), max_size=25), reason=st.sampled_from(["boom", "normal", "kill"]))
@settings(max_examples=80, deadline=None)
def test_nothing_of_a_process_is_left_after_it(seed: int, steps: list[int], reason: str) -> None:
    async def survivor(self: OtpContext) -> None:
        self.trap_exit()
        while True:
            await self.receive()

    async def owner(self: OtpContext, other: Pid, mine: list[int]) -> None:
        for count, what in enumerate(mine):
            match what:
                case 0:
                    self.send_after(1_000 + count, self.pid, "late")
                case 1:
                    self.monitor(other, alias="demonitor")
                case 2:
                    self.ets.fix(self.ets.new(f"table {count}", named=True))
                case 3:
                    self.alias()
                case 4:
                    self.link(other)
                case _:
                    self.send_interval(500, self.pid, "again")
        self.register(f"owner {self.pid}")
        await self.receive(lambda message: message == "end")
        self.exit(reason)

    async def main(self: OtpContext) -> tuple[Pid, list[Pid]]:
        other = self.spawn(survivor)
        await self.sleep(1)  # it traps exits before anybody links with it
        owners = [self.spawn(owner, other, steps[number::2]) for number in range(2)]
        await self.sleep(1)
        for pid in owners:
            if reason == "kill":
                self.exit_signal(pid, "kill")
            else:
                self.send(pid, "end")
        return other, owners

    node = Node(policy=Shuffled(seed))
    other, owners = node.run_function(main)
    node.run(node.now_ms)

    assert not set(owners) & set(node.processes)
    assert not node.names and not node.aliases
    assert not node.tables.by_id and not node.tables.names and not node.tables.owned and not node.tables.fixing
    assert node.next_deadline() is None and not node.timers
    left = node.processes[other]
    assert not left.links and not left.monitored_by


def test_names_and_tables_are_free_before_anybody_hears_of_the_death() -> None:
    async def owner(self: OtpContext) -> None:
        self.register("owner")
        self.ets.new("owned", named=True)
        await self.receive()

    async def main(self: OtpContext) -> tuple[Any, Any]:
        self.trap_exit()
        pid = self.spawn_link(owner)
        await self.sleep(1)
        self.exit_signal(pid, "kill")
        await self.receive(Exit)
        return self.whereis("owner"), self.ets.whereis("owned")

    assert Node().run_function(main) == (None, None)
