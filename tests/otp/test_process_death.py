"""What the death of a process does, and what it cannot be stopped from doing."""

from __future__ import annotations

from typing import Any

from jupyter_sandbox.otp import Down, Node


def test_finally_runs_when_a_suspended_process_is_killed_and_cannot_hold_it_back() -> None:
    ran: list[str] = []

    async def stubborn(self: Any) -> None:
        try:
            await self.sleep(60_000)
        finally:
            ran.append("finally")
            await self.sleep(60_000)

    async def main(self: Any) -> Any:
        pid, ref = self.spawn_monitor(stubborn)
        await self.sleep(1)
        self.exit_signal(pid, "kill")
        down = await self.receive(Down)
        return down.ref == ref, down.reason, self.is_alive(pid), self.now()

    assert Node().run_function(main) == (True, "killed", False, 1)
    assert ran == ["finally"]
