"""Stepping back is no news: nothing is printed again."""

from __future__ import annotations

from jupyter_sandbox.manager.manager import SandboxManager
from jupyter_sandbox.model.sandbox import OutputArrived

from .conftest import Told

PRINTS = """
from jupyter_sandbox.otp import GenServer, Reply
class Loud(GenServer):
    def init(self, argument):
        return 0
    def handle_call(self, request, caller, n):
        print("heard", request)
        return Reply(n, n + 1)
"""


def test_what_was_printed_before_is_not_printed_again(manager: SandboxManager, told: Told) -> None:
    loud = manager.create("loud", code={"tloud.py": PRINTS}, main="tloud.Loud")
    loud.call("Loud", "one")
    loud.call("Loud", "two")
    told.wait(lambda update: isinstance(update, OutputArrived) and "two" in update.text)
    loud.pause()
    loud.back(1)
    loud.resume()
    loud.call("Loud", "three")
    told.wait(lambda update: isinstance(update, OutputArrived) and "three" in update.text)
    shown = "".join(update.text for update in told.updates if isinstance(update, OutputArrived))
    assert shown.count("heard one") == 1
    assert shown.index("heard one") < shown.index("heard three")
