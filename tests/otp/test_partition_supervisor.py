"""PartitionSupervisor: a key always goes to the same of several children."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_sandbox.model.errors import UsageError
from jupyter_sandbox.otp import (
    Agent,
    CallExit,
    DynamicSupervisor,
    GenServer,
    Node,
    OtpContext,
    Partitions,
    PartitionSupervisor,
    Reply,
    StartError,
    start_child,
    terminate_child,
    which_children,
)  # fmt: skip


class Counter(GenServer):
    """Counts its calls."""

    def handle_call(self, request: Any, caller: Any, n: Any) -> Any:
        return Reply(n, n + 1)


def run(main: Any) -> Any:
    return Node().run_function(main)


async def asked(self: OtpContext, *keys: Any) -> list[Any]:
    return [await self.call(PartitionSupervisor.via("pool", key), "next") for key in keys]


def test_a_key_goes_to_the_same_partition_every_time_on_every_machine() -> None:
    async def main(self: OtpContext) -> Any:
        await self.start(PartitionSupervisor, Partitions((Counter, 0), 3), name="pool")
        count = PartitionSupervisor.partitions(self, "pool")
        return count, await asked(self, 0, 1, 3, -1, 4), await asked(self, "ada", ("x", 1), "ada", ("x", 1))

    count, numbers, others = run(main)
    assert (count, numbers) == (3, [0, 0, 1, 1, 2])
    assert others[2] > others[0]
    assert others[3] > others[1]
    assert run(main) == (count, numbers, others)


def test_each_partition_may_get_an_argument_of_its_own() -> None:
    async def main(self: OtpContext) -> Any:
        spec = Partitions((Counter, 100), 3, with_arguments=lambda argument, partition: argument + partition)
        await self.start(PartitionSupervisor, spec, name="pool")
        return await asked(self, 0, 1, 2)

    assert run(main) == [100, 101, 102]


def test_a_partition_is_restarted_alone_and_under_its_own_number() -> None:
    async def main(self: OtpContext) -> Any:
        top = await self.start(PartitionSupervisor, Partitions((Counter, 0), 2), name="pool")
        await asked(self, 0, 1)
        pids = {id: pid for id, pid, _, _ in await which_children(self, top)}
        self.exit_signal(pids[1], "kill")
        await self.sleep(1)
        return await asked(self, 0, 1)

    assert run(main) == [1, 0]


def test_dynamic_supervisors_may_be_partitions() -> None:
    async def main(self: OtpContext) -> Any:
        await self.start(PartitionSupervisor, Partitions(DynamicSupervisor, 2), name="pool")
        pid = await start_child(self, PartitionSupervisor.via("pool", "ada"), (Agent, 1))
        return await Agent.get(self, pid, lambda n: n)

    assert run(main) == 1


@pytest.mark.parametrize("argument", [None, Partitions((Counter, 0), 0), Partitions((Counter, 0), True)])
def test_bad_arguments_are_a_failed_start(argument: Any) -> None:
    async def main(self: OtpContext) -> Any:
        with pytest.raises(StartError, match="give"):
            await self.start(PartitionSupervisor, argument)

    run(main)


def test_a_supervisor_that_is_not_there_is_named_and_a_partition_that_is_down_is_noproc() -> None:
    async def main(self: OtpContext) -> Any:
        with pytest.raises(UsageError, match="pool"):
            PartitionSupervisor.partitions(self, "pool")
        top = await self.start(PartitionSupervisor, Partitions((Counter, 0), 1), name="pool")
        await terminate_child(self, top, 0)
        with pytest.raises(CallExit) as missing:
            await asked(self, 0)
        with pytest.raises(StartError):
            await self.start(PartitionSupervisor, Partitions((Counter, 0), 1), name="pool")
        return missing.value.exit_reason

    assert run(main) == "noproc"
