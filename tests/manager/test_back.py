"""Stepping back is no news, and possible as long as the OS process lives that holds the journal."""

from __future__ import annotations

import time
from datetime import datetime

import pytest

from jupyter_sandbox.manager.manager import SandboxManager
from jupyter_sandbox.manager.sandbox import Sandbox
from jupyter_sandbox.model.errors import CallExit, ProcessError, SandboxBusy, SandboxGone, SnapshotError, UsageError
from jupyter_sandbox.model.sandbox import InfoChanged, OutputArrived, SandboxStatus, Update

from .conftest import Told

PRINTS = """
from jupyter_sandbox.otp import GenServer, NoReply, Reply
class Loud(GenServer):
    def init(self, argument):
        return 0
    def handle_call(self, request, caller, n):
        print("heard", request)
        return Reply(n, n + 1)
    async def handle_cast(self, request, n):
        await self.outside(lambda: [b"x" * 1_000_000])
        return NoReply(n)
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


@pytest.mark.parametrize(
    ("size", "limits", "words"),
    [
        (70, {"max_memory": 900_000_000}, "is too long to go back over: with all that was sent"),
        (40, {"max_memory": 110_000_000}, "memory ended while the journal of sandbox 'loud' was copied"),
    ],
)
def test_a_journal_that_is_too_long_is_told_with_what_helps(
    manager: SandboxManager, size: int, limits: dict[str, object], words: str
) -> None:
    loud = manager.create("loud", code={"tloud.py": PRINTS}, main="tloud.Loud", limits=limits)
    for _ in range(size):
        loud.cast("Loud", "fetch")
    loud.call("Loud", "one")
    loud.pause()
    with pytest.raises(SnapshotError, match=words) as raised:
        loud.back(1)
    assert str(raised.value).endswith("%sandbox snapshot loud NAME, then %sandbox restore loud NAME")
    loud.snapshot("here")  # and that does help
    loud.restore("here")
    assert loud.state("Loud") == 1
    loud.resume()
    loud.call("Loud", "two")
    loud.pause()
    loud.back(1)
    assert loud.state("Loud") in (1, 2)


SIZES = """
from jupyter_sandbox.otp import GenServer, Reply
class Scale(GenServer):
    def init(self, argument):
        return 0
    def handle_call(self, request, caller, n):
        return Reply(len(request), n + len(request))
"""


def test_what_was_sent_fills_no_memory_although_it_is_kept_to_go_back_to(manager: SandboxManager) -> None:
    scale = manager.create("scale", code={"tscale.py": SIZES}, main="tscale.Scale")
    for _ in range(100):
        assert scale.call("Scale", b"x" * 900_000) == 900_000
    assert scale.info().alerts == ()
    scale.pause()
    before = scale.state("Scale")
    scale.back(2)
    assert scale.state("Scale") < before == 90_000_000


HANGS = """
import os
from jupyter_sandbox.otp import Child, GenServer, Reply, Supervisor
class Top(Supervisor):
    def init(self, _):
        return [Child(Hangs, 0, name="hangs")]
class Hangs(GenServer):
    def init(self, argument):
        return 0
    def handle_call(self, request, caller, n):
        while request == "hang" or type(request) is tuple and request[0] != os.getpid():
            pass
        return Reply(n, n + 1)
async def rest(self):
    await self.sleep(1_000_000)
"""


def hung(manager: SandboxManager, name: str) -> tuple[Sandbox, int]:
    """A sandbox in which a callback was interrupted, and a step before that."""
    sandbox = manager.create(name, code={"thangs.py": HANGS}, main="thangs.Top", limits={"handler_budget": 200})
    sandbox.call("hangs", "next")
    before = sandbox.pause()
    sandbox.resume()
    return sandbox, before


def interrupt(sandbox: Sandbox) -> None:
    with pytest.raises(CallExit, match="HandlerTimeout"):
        sandbox.call("hangs", "hang")


def test_one_can_go_back_to_what_was_after_an_interrupted_callback(manager: SandboxManager) -> None:
    sandbox, before = hung(manager, "hung")
    interrupt(sandbox)
    after = sandbox.pause()
    sandbox.resume()
    for number in range(3):
        assert sandbox.call("hangs", "next") == number
    now = sandbox.pause()
    began = time.monotonic()
    sandbox.back(1)
    sandbox.step(1)
    assert sandbox.state("hangs") == 3
    with pytest.raises(UsageError) as refused:
        sandbox.back(now - before)
    assert str(refused.value) == (
        f"step {before} is not valid: the recording goes back to step {after}: it begins after what was interrupted in "
        f"hangs <0.3.0> at step {before + 2}, which cannot be done again; %sandbox back hung {now - after} goes there, "
        "and what was saved before is in %sandbox snapshots hung"
    )
    assert time.monotonic() - began < 5 and sandbox.state("hangs") == 3
    sandbox.back(now - after)
    assert sandbox.state("hangs") == 0
    with pytest.raises(UsageError, match=r"begins after what was interrupted.*that is where it stands"):
        sandbox.back(1)


def test_where_no_recording_can_begin_after_an_interruption_it_is_said_why_until_it_can(
    manager: SandboxManager,
) -> None:
    sandbox, _ = hung(manager, "hung")
    sandbox.spawn("thangs.rest", name="resting")
    interrupt(sandbox)
    sandbox.call("hangs", "next")
    sandbox.pause()
    with pytest.raises(
        SnapshotError, match=r"interrupted in hangs <0.3.0> at step \d+ cannot be done again.*process resting is"
    ):
        sandbox.back(1)
    sandbox.resume()
    sandbox.kill("resting")
    sandbox.call("hangs", "next")
    sandbox.pause()
    with pytest.raises(UsageError, match="goes back to step"):
        sandbox.back(1)  # only now it has begun
    sandbox.resume()
    sandbox.call("hangs", "next")
    sandbox.pause()
    sandbox.back(1)
    sandbox.step(1)
    assert sandbox.state("hangs") == 3


def test_a_replay_that_does_not_end_is_told_as_that_and_not_as_a_sandbox_that_is_paused(
    manager: SandboxManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jupyter_sandbox.manager.changing.STATE_S", 1.0)
    sandbox, _ = hung(manager, "hung")
    assert sandbox.call("hangs", (sandbox.info().os_pid,)) == 1
    sandbox.pause()
    with pytest.raises(SandboxBusy) as told:
        sandbox.back(1)
    assert "made ready for it was given up, it did not answer within 1 s" in str(told.value)
    assert sandbox.state("hangs") == 2


CROWDS = """
from jupyter_sandbox.otp import Child, GenServer, NoReply, Reply, Supervisor
from jupyter_sandbox.runtime import SystemLimit
class Top(Supervisor):
    def init(self, _):
        return [Child(Crowd, 0, name="Crowd")]
class Crowd(GenServer):
    def init(self, argument):
        return 0
    def handle_cast(self, request, n):
        for _ in range(60):
            self.send(self.pid, "message")
        return NoReply(n)
    def handle_call(self, request, caller, n):
        try:
            for _ in range(request):
                self.spawn(rest)
                n += 1
        except SystemLimit:
            pass
        return Reply(n, n)
    def handle_info(self, message, n):
        return NoReply(n + 1)
async def rest(self):
    await self.sleep(1_000_000)
"""


def crowd(manager: SandboxManager, **limits: object) -> Sandbox:
    return manager.create("crowd", code={"tcrowd.py": CROWDS}, main="tcrowd.Top", limits=limits)


@pytest.mark.parametrize("later", [100, 10])
def test_what_was_had_the_limits_of_then_and_what_comes_has_those_of_now(manager: SandboxManager, later: int) -> None:
    sandbox = crowd(manager, max_processes=20)
    met = sandbox.call("Crowd", 30)
    assert isinstance(met, int) and 10 < met < 20
    then = sandbox.pause()
    sandbox.resume()
    sandbox.limits(max_processes=later)
    sandbox.call("Crowd", 1)
    sandbox.back(sandbox.pause() - then)
    assert sandbox.state("Crowd") == met
    sandbox.resume()
    assert sandbox.call("Crowd", 1) == met + (
        2 if later == 100 else 0
    )  # the first call waited there, and is made again
    sandbox.back(sandbox.pause() - then)  # and that is a past, too
    assert sandbox.state("Crowd") == met


def test_a_mailbox_that_was_too_long_is_so_when_one_goes_back(manager: SandboxManager) -> None:
    sandbox = crowd(manager, max_mailbox=50)
    assert sandbox.call("Crowd", 3) == 3
    sandbox.cast("Crowd", "flood")
    sandbox.exec("1")
    assert sandbox.state("Crowd") == 0  # its supervisor has restarted it
    sandbox.limits(max_mailbox=1_000)
    sandbox.exec("1")
    sandbox.pause()
    sandbox.back(1)
    assert sandbox.state("Crowd") == 0
