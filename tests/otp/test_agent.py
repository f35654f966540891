"""Agents: values behind functions."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_sandbox.otp import (
    Agent,
    CallExit,
    CallTimeout,
    Node,
    OtpContext,
    StartError,
    Supervisor,
    sys,
    which_children,
)


def run(main: Any) -> Any:
    return Node().run_function(main)


def test_an_agents_value_is_read_and_changed_by_functions() -> None:
    async def main(self: OtpContext) -> Any:
        agent = await Agent.start(self, lambda: [1])
        await Agent.update(self, agent, lambda items, item: [*items, item], 2)
        Agent.cast(self, agent, lambda items: [*items, 3])
        last = await Agent.get_and_update(self, agent, lambda items: (items[-1], items[:-1]))
        return last, await Agent.get(self, agent, lambda items: items)

    assert run(main) == (3, [1, 2])


def test_nobody_can_change_the_value_from_outside() -> None:
    async def main(self: OtpContext) -> Any:
        mine = [1]
        agent = await Agent.start(self, mine)
        mine.append(2)
        (await Agent.get(self, agent, lambda items: items)).append(3)
        return await Agent.get(self, agent, lambda items: items)

    assert run(main) == [1]


def test_a_function_that_raises_crashes_the_agent_and_fails_its_caller() -> None:
    async def main(self: OtpContext) -> Any:
        agent = await Agent.start(self, 0)
        with pytest.raises(CallExit) as failed:
            await Agent.get(self, agent, lambda n: 1 // n)
        return failed.value.exit_reason.error, self.is_alive(agent)  # type: ignore[attr-defined]

    assert run(main) == ("ZeroDivisionError", False)


def test_a_first_value_that_cannot_be_made_is_a_failed_start() -> None:
    async def main(self: OtpContext) -> Any:
        with pytest.raises(StartError):
            await Agent.start(self, lambda: 1 // 0)

    run(main)


def test_calls_take_a_time_limit() -> None:
    async def main(self: OtpContext) -> Any:
        agent = await Agent.start(self, 0)
        await sys.suspend(self, agent)
        with pytest.raises(CallTimeout):
            await Agent.get(self, agent, lambda n: n, timeout_ms=10)
        return self.now()

    assert run(main) == 10


def test_an_agent_is_a_child_that_starts_again_with_its_first_value() -> None:
    class Top(Supervisor):
        def init(self, argument: Any) -> Any:
            return [(Agent, 7)]

    async def main(self: OtpContext) -> Any:
        top = await self.start(Top)
        ((id, pid, _, modules),) = await which_children(self, top)
        await Agent.update(self, pid, lambda n: n + 1)
        self.exit_signal(pid, "kill")
        await self.sleep(1)
        ((_, again, _, _),) = await which_children(self, top)
        return id, modules, again != pid, await Agent.get(self, again, lambda n: n)

    assert run(main) == ("Agent", ["Agent"], True, 7)


@pytest.mark.parametrize("wrong", [5, (1,), [1, 2], None])
def test_a_get_and_update_that_returns_no_pair_ends_the_agent_with_it(wrong: Any) -> None:
    async def main(self: OtpContext) -> Any:
        agent = await Agent.start(self, 1)
        with pytest.raises(CallExit) as failed:
            await Agent.get_and_update(self, agent, lambda value: wrong)
        return failed.value.exit_reason

    assert Node().run_function(main) == ("bad_return_value", wrong)
