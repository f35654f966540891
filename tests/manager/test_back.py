"""Stepping back is no news, and possible as long as the OS process lives that holds the journal."""

from __future__ import annotations

import time
from datetime import datetime

import pytest

from jupyter_sandbox.manager.manager import SandboxManager
from jupyter_sandbox.manager.sandbox import Sandbox
from jupyter_sandbox.model.errors import CallExit, ProcessError, SandboxGone
from jupyter_sandbox.model.sandbox import InfoChanged, OutputArrived, SandboxStatus, Update

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


def crashed(update: Update) -> bool:
    return isinstance(update, InfoChanged) and update.info.status is SandboxStatus.CRASHED


def test_a_request_that_failed_before_is_no_news_after_going_back(shop: Sandbox) -> None:
    with pytest.raises(CallExit):
        shop.call("front", ("add", "x"))
    shop.pause()
    shop.back(1)
    shop.resume()
    assert shop.call("front", "next") == 0
    assert [notice.text for notice in shop.log() if "a request failed" in notice.text] == []


def test_one_can_go_back_to_before_a_supervisor_gave_up(shop: Sandbox, told: Told) -> None:
    for _ in range(4):
        try:
            shop.cast("front", "crash")
        except ProcessError:
            pass  # the one before it was the last
    told.wait(crashed)
    with pytest.raises(SandboxGone, match="Go back some steps: %sandbox back shop 5"):
        shop.call("back", "next")
    shop.back(5)
    assert shop.status is SandboxStatus.PAUSED
    assert {view.name for view in shop.tree().processes} == {"Shop", "front", "back"}


def test_what_died_with_its_os_process_is_told_with_the_ways_out(shop: Sandbox, told: Told) -> None:
    shop.snapshot("before")
    with pytest.raises(SandboxGone):
        shop.exec("import os; os._exit(3)")
    told.wait(crashed)
    with pytest.raises(SandboxGone, match=r"went with its OS process.*%sandbox snapshots shop.*%sandbox restart shop"):
        shop.back(1)
    shop.restore("before")
    assert shop.call("back", "next") == 100


DICE = """
import random, time, uuid
from datetime import datetime
from jupyter_sandbox.otp import GenServer, Reply
class Dice(GenServer):
    def init(self, argument):
        return []
    def handle_call(self, request, caller, seen):
        seen = [*seen, random.randint(1, 6), time.time(), datetime.now().isoformat(), str(uuid.uuid4())]
        return Reply(seen, seen)
"""


def test_time_and_chance_are_the_same_when_steps_are_taken_again(manager: SandboxManager) -> None:
    dice = manager.create("dice", code={"tdice.py": DICE}, main="tdice.Dice")
    for _ in range(3):
        seen = dice.call("Dice", "roll")
    assert isinstance(seen, list) and len(seen) == 12
    assert abs(seen[1] - time.time()) < 60 and seen[2][:10] == datetime.fromtimestamp(seen[1]).isoformat()[:10]
    dice.pause()
    dice.back(3)
    dice.step(3)
    dice.resume()
    assert dice.state("Dice") == seen
