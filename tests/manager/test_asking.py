"""Who asks again and again how a sandbox is doing harms nobody."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from jupyter_sandbox.manager.manager import SandboxManager
from jupyter_sandbox.manager.news import AT_ONCE
from jupyter_sandbox.manager.sandbox import Sandbox
from jupyter_sandbox.model.sandbox import SandboxStatus

TALKER = """
from jupyter_sandbox.otp import *

class Talker(GenServer):
    def init(self, n):
        return n
    def handle_call(self, request, caller, n):
        self.log("info", "asked")
        return Reply(n, n + 1)

class Desk(Supervisor):
    def init(self, _):
        return [Child(Talker, 0, name="talker")]
"""


@pytest.mark.parametrize("ask", [Sandbox.info, Sandbox.metrics, lambda sandbox: sandbox.snapshot("now")],
                         ids=["info", "metrics", "snapshot"])  # fmt: skip
def test_a_sandbox_that_is_asked_after_every_call_goes_on(
    manager: SandboxManager, ask: Callable[[Sandbox], object]
) -> None:
    desk = manager.create("desk", code={"desk.py": TALKER}, main="desk.Desk")
    for number in range(2 * AT_ONCE):
        assert desk.call("talker", "next") == number
        ask(desk)
    assert desk.info().status is SandboxStatus.RUNNING
    notices = [one for one in desk.log(10_000) if one.text == "asked"]
    assert 0 < len(notices) <= AT_ONCE, "some a second, however often it is asked"
