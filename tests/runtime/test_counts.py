"""What a node counts of itself for those who watch it: it costs next to nothing, and is exact all the same."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_sandbox.otp import Child, GenServer, Node, Supervisor


class Idle(GenServer):
    def init(self, start: Any) -> Any:
        return start


class Many(Supervisor):
    def init(self, size: int) -> Any:
        return [Child(Idle, 0, id=index) for index in range(size)]


def shown(node: Node) -> int:
    return sum(not process.hidden for process in node.processes.values())


async def brief(self: Any) -> None:
    await self.receive()


@given(st.lists(st.integers(1, 6), max_size=8))
def test_the_most_processes_at_one_time_are_counted_at_deaths_alone(waves: list[int]) -> None:
    async def main(self: Any) -> None:
        for size in waves:
            for pid in [self.spawn(brief) for _ in range(size)]:
                self.send(pid, "go")
            await self.sleep(1)

    node = Node()
    node.run_function(main)
    assert node.living == shown(node)
    assert node.most_processes == max(waves, default=0) + (node.living if waves else node.most_processes)


def test_a_row_of_children_is_counted_like_any_other() -> None:
    async def main(self: Any) -> None:
        top = await self.start(Many, 40)
        await self.stop(top)

    node = Node()
    node.run_function(main)
    assert node.most_processes - node.living == 41


@pytest.mark.parametrize("lengths", [[3, 7, 5], [1], [20]])
def test_the_longest_mailbox_is_known_exactly(lengths: list[int]) -> None:
    async def main(self: Any) -> None:
        for length in lengths:
            pid = self.spawn(brief)
            await self.yield_()
            for _ in range(length):
                self.send(pid, "x")
            await self.sleep(1)

    node = Node()
    node.run_function(main)
    assert node.longest == max(max(lengths), 1)


def test_who_waits_for_something_else_is_ended_by_a_full_mailbox_too() -> None:
    async def picky(self: Any) -> None:
        await self.receive(lambda message: message == "never")

    async def main(self: Any) -> bool:
        pid = self.spawn(picky)
        for number in range(60):
            self.send(pid, number)
            await self.yield_()
        return bool(self.is_alive(pid))

    met: list[tuple[str, int]] = []
    node = Node(max_mailbox=50, sink=lambda kind, process, data: met.append(data) if kind == "limit" else None)
    assert node.run_function(main) is False
    assert met == [("mailbox_limit", 50)]
