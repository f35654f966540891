"""The report of what protects the user says what is so, tried from inside and asked of the operating system."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from jupyter_sandbox.isolation import layers as module
from jupyter_sandbox.isolation import system
from jupyter_sandbox.isolation.layers import protect, rlimits_for
from jupyter_sandbox.isolation.recheck import verify_from_outside
from jupyter_sandbox.isolation.syscalls import NUMBERS
from jupyter_sandbox.isolation.zygote import Zygote
from jupyter_sandbox.model.boot import Boot
from jupyter_sandbox.model.limits import Limits
from jupyter_sandbox.model.protection import Layer, Protection

from .conftest import HERE, Launcher, Story, Told, launcher

Play = Callable[[Story], None]
CAP_SYS_RESOURCE = 24
REPORT = "import msgspec; answer = msgspec.to_builtins(protection)"


async def report_of(told: Told) -> Protection:
    return msgspec.convert(await told.ask(REPORT), Protection)


def test_every_layer_of_basic_is_in_force_and_says_so(play: Play) -> None:
    async def story(launcher: Launcher) -> None:
        told = await launcher.guest(profile="basic")
        report = await report_of(told)
        assert report.profile == "basic"
        names = {layer.name for layer in report.layers}
        assert {"parent_death", "session", "environment", "closed_files", "no_new_privs", "rlimits"} <= names
        assert [layer for layer in report.layers if not layer.active or not layer.verified] == []
        assert verify_from_outside(told.process.pid, report) == report

    play(story)


def test_what_basic_does_not_stop_is_said_in_words(play: Play) -> None:
    async def story(launcher: Launcher) -> None:
        report = await report_of(await launcher.guest(profile="basic"))
        assert any("read and change your files" in text for text in report.not_stopped)
        assert any("network" in text for text in report.not_stopped)

    play(story)


@pytest.mark.parametrize(
    ("attempt", "error"),
    [
        ("[open('/dev/null') for _ in range(5000)]", "EMFILE"),
        ("open('big', 'wb').write(bytes(17_000_000))", "EFBIG"),
        ("__import__('resource').setrlimit(7, (4096, 4096))", "ValueError"),
        ("__import__('os').setuid(12345)", "EPERM"),
    ],
)
def test_an_attempt_to_get_around_a_layer_fails(play: Play, attempt: str, error: str) -> None:
    async def story(launcher: Launcher) -> None:
        if attempt.endswith("setuid(12345)") and os.geteuid() != 0:
            return
        told = await launcher.guest()
        answer = await told.ask(
            f"import errno\ntry:\n  {attempt}\n  answer = 'worked'\n"
            "except OSError as e:\n  answer = errno.errorcode[e.errno]\nexcept ValueError:\n  answer = 'ValueError'"
        )
        assert answer == error

    play(story)


def test_nothing_of_the_kernels_environment_or_files_is_left(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_TOKEN", "secret")

    async def story(launcher: Launcher) -> None:
        told = await launcher.guest(profile="basic")
        names = await told.ask("import os; answer = sorted(os.environ)")
        assert "API_TOKEN" not in names and "HOME" in names
        raw = await told.ask("answer = 'secret' in open('/proc/self/environ').read()")
        assert raw is False
        files = await told.ask("answer = sorted(map(int, os.listdir('/proc/self/fd')))")
        assert len(files) <= 6, "three streams, the control socket, the heartbeat's mapping, and the listing itself"
        assert await told.ask("answer = os.getcwd()") == told.process.scratch

    play(story)


def test_sets_have_the_same_order_in_every_zygote(play: Play) -> None:
    async def story(launcher: Launcher) -> None:
        assert await (await launcher.guest()).ask("answer = hash('a')") == await in_new_zygote("answer = hash('a')")

    async def in_new_zygote(text: str) -> int:
        async with launcher() as other:
            return int(await (await other.guest()).ask(text))

    play(story)


class Missing:
    name = "missing"

    def apply(self) -> None:
        raise OSError("not on this machine")

    def verify(self) -> str:
        raise AssertionError("never asked")


class Hollow:
    name = "hollow"

    def apply(self) -> None: ...

    def verify(self) -> str:
        return "an attempt succeeded"


def test_a_layer_that_cannot_be_had_or_does_not_hold_is_reported_as_that() -> None:
    report = protect([Missing(), Hollow()], Boot("guest", profile="basic"))
    assert report.layers == (
        Layer("missing", True, False, False, "not on this machine"),
        Layer("hollow", True, True, False, "an attempt succeeded"),
    )
    assert report.line() == "off · missing – (not on this machine) · hollow (not verified)"


def liftable(name: str) -> list[str]:
    """What does not hold either where this layer is missing: who keeps root's power over resources can lift limits."""
    return ["rlimits"] if name == "capabilities" and system.capabilities() >> CAP_SYS_RESOURCE & 1 else []


@pytest.mark.parametrize(
    ("layer", "name", "seen_outside"),
    [
        ("ParentDeath", "parent_death", False),
        ("Session", "session", True),
        ("ClosedFiles", "closed_files", False),
        ("NoNewPrivs", "no_new_privs", True),
        ("ResourceLimits", "rlimits", True),
        ("Capabilities", "capabilities", True),
    ],
)
def test_a_layer_switched_off_is_missed_inside_and_outside(
    tmp_path: Path, layer: str, name: str, seen_outside: bool
) -> None:
    if name == "capabilities" and os.geteuid() != 0:
        pytest.skip("an ordinary user has none")
    (tmp_path / "sabotage.py").write_text(
        f"from jupyter_sandbox.isolation import layers\nlayers.{layer}.apply = lambda self: None\n"
    )

    async def story() -> None:
        path = [str(tmp_path), HERE, *sys.path]
        zygote = await Zygote.start(preload=["sabotage"], entry="told_guest:run", sys_path=path)
        told = Told(await zygote.fork(Boot("weak", profile="basic")))
        try:
            report = await report_of(told)
            assert [one.name for one in report.layers if not one.verified] == [*liftable(name), name]
            lie = replace(report, layers=tuple(replace(one, verified=True, reason="") for one in report.layers))
            outside = [one.name for one in verify_from_outside(told.process.pid, lie).layers if not one.verified]
            assert outside == ([name] if seen_outside else [])
        finally:
            told.process.close()
            await zygote.close()

    asyncio.run(story())


@pytest.mark.parametrize("name", ["no_new_privs", "rlimits", "session", "environment", "seccomp"])
def test_a_claim_that_the_operating_system_denies_is_turned_down(name: str) -> None:
    claim = Protection("strict", (Layer(name, True, True, True),))
    with subprocess.Popen(["sleep", "60"]) as plain:  # in our session, which it does not lead
        (layer,) = verify_from_outside(plain.pid, claim).layers
        plain.kill()
    assert (layer.active, layer.verified) == (False, False)
    assert "the operating system does not" in layer.reason


def test_a_claim_of_a_dead_process_is_not_verified() -> None:
    claim = Protection("basic", (Layer("no_new_privs", True, True, True), Layer("rlimits", True, False, False, "why")))
    first, second = verify_from_outside(1 << 22, claim).layers
    assert not first.verified
    assert second == replace(claim.layers[1])


def test_limits_of_memory_stand_on_top_of_what_is_used() -> None:
    values = rlimits_for(Limits(max_memory=1000), mapped=102_400, private=10_240)
    assert values[resource.RLIMIT_DATA] == 10 * 1024 + 1000
    assert values[resource.RLIMIT_AS] == 100 * 1024 + 1000 + module.ADDRESS_SLACK
    assert values[resource.RLIMIT_CORE] == 1


CLOSING = """
import errno, os, sys
from jupyter_sandbox.isolation import system
from jupyter_sandbox.isolation.layers import ClosedFiles

keep = {0, 1, 2, 7, 9, 300}
for number in (*keep, 3, 5, 8, 10, 299, 301):
    if number > 2:
        os.dup2(0, number)
if refusal := int(sys.argv[1]):
    def refuse(number, *_):
        assert number == system.CLOSE_RANGE
        raise OSError(refusal, os.strerror(refusal))
    system.syscall = refuse
layer = ClosedFiles(keep)
layer.apply()
left = {number for number in range(400) if os.path.exists(f"/proc/self/fd/{number}")}
print(left == keep, repr(layer.verify()))
"""


@pytest.mark.parametrize("refusal", [0, errno.ENOSYS, errno.EPERM], ids=["at once", "an older Linux", "a container"])
def test_all_files_but_those_that_are_kept_are_closed(refusal: int) -> None:
    command = [sys.executable, "-c", CLOSING, str(refusal)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("True ''\n", "")


def test_the_number_of_the_call_that_closes_is_that_of_linux_for_every_machine() -> None:
    assert {table["close_range"] for table in NUMBERS.values()} == {system.CLOSE_RANGE}
