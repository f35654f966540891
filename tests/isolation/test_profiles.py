"""What layers add up to, in one word and in sentences; what may be opened by name; what a guest may read."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from itertools import product

import pytest

from jupyter_sandbox.isolation.landlock import READ, Right, handled
from jupyter_sandbox.isolation.paths import rules_for, split_search_path
from jupyter_sandbox.isolation.profiles import demand, judge
from jupyter_sandbox.model.boot import Boot
from jupyter_sandbox.model.errors import Unsupported, UsageError
from jupyter_sandbox.model.openings import Openings
from jupyter_sandbox.model.protection import Layer, Protection

NAMES = ("no_new_privs", "rlimits", "landlock", "seccomp")


def layers(*holding: str) -> list[Layer]:
    return [Layer(name, True, name in holding, name in holding, "" if name in holding else "missing") for name in NAMES]


@pytest.mark.parametrize(
    ("holding", "level"),
    [
        (NAMES, "strict"),
        (("no_new_privs", "rlimits", "seccomp"), "basic+seccomp"),
        (("no_new_privs", "rlimits", "landlock"), "basic"),
        (("landlock", "seccomp"), "basic"),
        ((), "basic"),
    ],
)
def test_the_level_is_what_the_layers_add_up_to(holding: tuple[str, ...], level: str) -> None:
    assert judge("", Openings(), layers(*holding), "linux").profile == level


def test_what_is_opened_by_name_makes_it_standard_and_is_told() -> None:
    opened = Openings(net=True, ports=(443,), subprocess=True, read=("/data",), write=("/out",))
    told = judge("standard", opened, layers(*NAMES), "linux")
    assert told.profile == "standard"
    text = "; ".join(told.not_stopped)
    for part in ("read /data", "read and change /out", "TCP only to 443, UDP to any", "max_memory each"):
        assert part in text


def test_an_active_layer_that_is_not_verified_does_not_count() -> None:
    hollow = [Layer(name, True, True, name != "seccomp", "an attempt succeeded") for name in NAMES]
    assert judge("", Openings(), hollow, "linux").profile == "basic"


def test_every_door_that_is_open_is_told_whatever_is_missing() -> None:
    for landlock, seccomp in product((True, False), repeat=2):
        holding = ("no_new_privs", "rlimits", *["landlock"] * landlock, *["seccomp"] * seccomp)
        text = "; ".join(judge("", Openings(), layers(*holding), "linux").not_stopped)
        assert ("your files" in text) is not landlock
        assert ("use the network" in text) is ("other programs" in text) is not seccomp
    assert "outlive the kernel" in "; ".join(judge("", Openings(), layers(), "darwin").not_stopped)


@pytest.mark.parametrize("wanted", ["strict", "standard"])
def test_what_was_asked_for_by_name_is_had_or_refused_in_one_line(wanted: str) -> None:
    found = judge(wanted, Openings(), layers("no_new_privs", "rlimits", "seccomp"), "linux")
    with pytest.raises(Unsupported) as caught:
        demand(Boot("x", profile=wanted), found)
    text = str(caught.value)
    assert "\n" not in text and "landlock: missing" in text and "python -m jupyter_sandbox doctor" in text
    demand(Boot("x"), found)
    demand(Boot("x", profile="basic"), found)
    demand(Boot("x", profile=wanted), Protection(wanted))


def test_openings_take_a_path_alone_and_refuse_what_they_do_not_know() -> None:
    assert Openings.merged({"read": "/a", "write": ["/b"]}) == Openings(read=("/a",), write=("/b",))
    assert Openings.merged({"ports": 443}) == Openings(net=True, ports=(443,))
    assert not Openings.merged(None) and not Openings.merged({"net": False})
    for wrong in ({"netz": True}, {"net": 1}, {"ports": 0}, {"ports": "443"}, {"read": 5}, {"read": [""]}):
        with pytest.raises(UsageError):
            Openings.merged(wrong)


def test_a_home_or_the_root_on_the_search_path_is_not_opened_whole() -> None:
    home = os.path.realpath(pwd.getpwuid(os.getuid()).pw_dir)  # $HOME may be another one, in a guest it is
    opened, closed = split_search_path((home, "/", os.path.dirname(home), f"{home}/project"))
    assert f"{home}/project" in opened and not {home, "/", os.path.dirname(home)} & set(opened)
    assert closed == (home, "/", os.path.dirname(home))


def test_a_folder_of_temporary_files_on_the_search_path_does_not_open_those_of_other_sandboxes() -> None:
    opened, closed = split_search_path(("/tmp", "/tmp/jupyter_sandbox-1", "/tmp/project"), "/tmp/jupyter_sandbox-1")
    assert "/tmp/project" in opened and closed == ("/tmp", "/tmp/jupyter_sandbox-1")
    rules = dict(rules_for("/tmp/jupyter_sandbox-1/guest", ("/tmp",), Openings()))
    assert "/tmp" not in rules and "/tmp/jupyter_sandbox-1/guest" in rules


def test_nothing_but_the_own_folder_and_what_is_named_can_be_changed() -> None:
    rules = rules_for("/scratch", ("/lib/x",), Openings(read=("/data",), write=("/out",)))
    assert {path for path, rights in rules if rights & ~READ} == {"/dev/null", "/scratch", "/out"}
    assert all(not rights & (Right.MAKE_CHAR | Right.MAKE_BLOCK | Right.MAKE_SOCK) for _, rights in rules)
    assert not any(rights & Right.EXECUTE for _, rights in rules)
    assert any(rights & Right.EXECUTE for _, rights in rules_for("/s", (), Openings(subprocess=True)))


@pytest.mark.parametrize(
    ("version", "last", "length"),
    [(1, Right.MAKE_SYM, 8), (2, Right.REFER, 8), (3, Right.TRUNCATE, 8), (4, Right.TRUNCATE, 16),
     (5, Right.IOCTL_DEV, 16), (6, Right.IOCTL_DEV, 24), (9, Right.IOCTL_DEV, 24)],
)  # fmt: skip
def test_each_version_of_landlock_is_asked_for_what_it_knows(version: int, last: Right, length: int) -> None:
    refused = handled(version)
    assert refused.files & last and not int(refused.files) >> (int(last).bit_length())
    assert len(refused.encode()) == length


def test_the_doctor_tells_what_this_machine_gives_and_what_it_lacks() -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "jupyter_sandbox", "doctor"]
    lesser = {**environment, "JUPYTER_SANDBOX_WITHOUT": "seccomp"}
    told = subprocess.run(command, capture_output=True, text=True, env=lesser, timeout=60, check=False)
    assert told.returncode == 1 and "profile in force: basic" in told.stdout
    assert "switched off by JUPYTER_SANDBOX_WITHOUT" in told.stdout and "it can use the network" in told.stdout
    wrong = subprocess.run([*command[:-1], "x"], capture_output=True, text=True, env=environment, check=False)
    assert wrong.returncode == 2 and "usage:" in wrong.stderr
