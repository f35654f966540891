"""The same attacks when the kernel belongs to an ordinary user, who has no powers that could be given up."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator

import pytest

from .places import Place, ordinary_user
from .reaching import ALL, fails

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="only root can become another user"
)


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with ordinary_user() as found:
        yield found


def test_every_attempt_to_reach_out_fails_for_an_ordinary_user_too(strict_machine: None, place: Place) -> None:
    told = place.told("", ALL)
    assert told.profile == "strict" and all(told.layers.values()) and "capabilities" not in told.layers
    assert {name: answer for name, answer in told.answers.items() if not fails(name, answer)} == {}


def test_basic_is_the_same_for_an_ordinary_user(place: Place) -> None:
    attempts = {"limits": ALL["rights: limits up"], "a file": "open('/etc/passwd')"}
    told = place.told("basic", attempts)
    assert told.profile == "basic" and all(told.layers.values())
    assert told.answers == {"limits": "ValueError", "a file": "worked"}


HIDDEN = """
import json, sys
from jupyter_sandbox.manager.manager import SandboxManager
from jupyter_sandbox.model.errors import SandboxGone
options, source = json.loads(sys.argv[1])
with SandboxManager(store=":memory:") as manager:
    sandbox = manager.create(limits={"handler_budget": 20_000}, **options)
    try:
        told = sandbox.exec(source)
    except SandboxGone:
        told = sandbox.info().reason
    print(json.dumps(told))
"""
KEPT = """
kept = [open(f"f{number}", "xb", 0) for number in range(20)]
for one in kept:
    os.unlink(one.name)
    one.write(bytes(14_000_000))
"""
UNDUMPABLE = f"""
import ctypes, os, time
ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)
{KEPT}
time.sleep(8)
"""
UNREADABLE = """
import os, subprocess, time
with open("/bin/sleep", "rb") as source, open(os.open("program", os.O_CREAT | os.O_WRONLY, 0o100), "wb") as made:
    made.write(source.read())
subprocess.Popen(["./program", "60"])
time.sleep(8)
"""

ENDED = """
import os, time
for _ in range(20):
    if not os.fork(): os._exit(0)  # nobody waits for these
for _ in range(400):
    pid = os.fork()
    if not pid: os._exit(0)
    time.sleep(0.01)
    os.waitpid(pid, 0)
"lives"
"""


def fate(place: Place, options: dict[str, object], source: str) -> str:
    """Why a sandbox of its kernel has ended that ran this."""
    done = place.run(["-c", HIDDEN, json.dumps([options, source])], 90)
    assert done.returncode == 0, done.stderr[-2000:]
    return str(json.loads(done.stdout))


@pytest.mark.parametrize("profile", ["basic", "off"])
def test_who_keeps_itself_from_being_looked_into_ends_with_that_reason(place: Place, profile: str) -> None:
    """Root alone may look into who is not dumpable: its open files were nobody's, in whatever number."""
    assert "not dumpable" in fate(place, {"profile": profile}, UNDUMPABLE)


def test_a_program_that_nobody_may_look_into_ends_its_sandbox(strict_machine: None, place: Place) -> None:
    """One that can be executed and not read is such a program: what it is given and what is deleted then was in no
    count."""
    assert "a program that cannot be read" in fate(place, {"allow": {"subprocess": True}}, UNREADABLE)


@pytest.mark.parametrize("options", [{"profile": "basic"}, {"profile": "off"}, {"allow": {"subprocess": True}}])
def test_programs_that_have_ended_hide_nothing(strict_machine: None, place: Place, options: dict[str, object]) -> None:
    """Linux lets root alone look into who has ended, and has nothing open, until somebody waits for him."""
    assert "lives" in fate(place, options, ENDED)
