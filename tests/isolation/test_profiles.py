"""What layers add up to, in one word and in sentences; what may be opened by name; what a guest may read."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from dataclasses import replace
from itertools import combinations

import pytest

from jupyter_sandbox.isolation import ender
from jupyter_sandbox.isolation.common_goods import may_use_epoll
from jupyter_sandbox.isolation.landlock import READ, Right, handled
from jupyter_sandbox.isolation.paths import rules_for, split_search_path
from jupyter_sandbox.isolation.profiles import CONFINES_SIGNALS, NO_ROOM, demand, judge, lacking
from jupyter_sandbox.model.boot import Boot
from jupyter_sandbox.model.errors import LaunchFailed, Unsupported, UsageError
from jupyter_sandbox.model.openings import Openings
from jupyter_sandbox.model.protection import Layer

OFF = ("parent_death", "session", "environment", "closed_files")
BASIC = (*OFF, "no_new_privs", "rlimits", "capabilities")
NAMES = (*BASIC, "landlock", "seccomp")
PROMISED = {"off": OFF, "basic": BASIC, "standard": NAMES, "strict": NAMES}
"""What each profile rests on, as docs/security.md has it."""
TOLD = {
    "parent_death": ["it can outlive the kernel"],
    "session": ["it shares a session"],
    "environment": ["environment variables that are not its own"],
    "closed_files": ["files and sockets of the launcher"],
    "no_new_privs": ["can gain rights"],
    "rlimits": ["memory and files are not limited by the operating system"],
    "capabilities": ["keeps whatever powers of root"],
    "landlock": ["read and change your files", "read and change the memory of your other OS processes"],
    "seccomp": ["use the network", "start other programs", "signal your other OS processes"],
}
"""What is said when a layer is missing, and at no other time."""


def layers(*holding: str, listed: tuple[str, ...] = NAMES) -> list[Layer]:
    return [
        Layer(name, True, name in holding, name in holding, "" if name in holding else "missing") for name in listed
    ]


def without(*missing: str) -> list[Layer]:
    return layers(*(name for name in NAMES if name not in missing))


@pytest.mark.parametrize(
    ("missing", "level"),
    [
        ((), "strict"),
        (("landlock",), "basic+seccomp"),
        (("seccomp",), "basic"),
        (("landlock", "seccomp"), "basic"),
        *(((name,), "off") for name in BASIC),
        (("rlimits", "landlock"), "off"),
        (NAMES, "off"),
    ],
)
def test_the_level_is_what_the_layers_add_up_to(missing: tuple[str, ...], level: str) -> None:
    assert judge("", Openings(), without(*missing), "linux").profile == level


def test_a_layer_that_is_not_even_listed_is_missing() -> None:
    for name in set(NAMES) - {"capabilities"}:
        listed = tuple(other for other in NAMES if other != name)
        assert judge("", Openings(), layers(*NAMES, listed=listed), "linux").profile != "strict"
        assert lacking("strict", layers(*NAMES, listed=listed), "linux") == (name,)


def test_who_has_no_powers_of_root_has_none_to_give_up() -> None:
    ordinary = layers(*NAMES, listed=tuple(name for name in NAMES if name != "capabilities"))
    told = judge("", Openings(), ordinary, "linux")
    assert told.profile == "strict" and "keeps whatever powers of root" not in "; ".join(told.not_stopped)


def test_what_is_opened_by_name_makes_it_standard_and_is_told() -> None:
    opened = Openings(net=True, ports=(443,), subprocess=True, read=("/data",), write=("/out",))
    told = judge("standard", opened, layers(*NAMES), "linux")
    assert told.profile == "standard"
    text = "; ".join(told.not_stopped)
    for part in ("read /data", "read and change /out", "TCP only to 443, UDP to any", "max_memory each"):
        assert part in text


@pytest.mark.parametrize("opened", [Openings(), Openings(net=True), Openings(subprocess=True)])
def test_who_may_have_epoll_is_told_to_be_able_to_use_up_what_is_counted_for_the_user(opened: Openings) -> None:
    text = "; ".join(judge("standard", opened, layers(*NAMES), "linux").not_stopped)
    assert ("what Linux counts for you as a whole" in text) is may_use_epoll(opened)


def test_the_network_without_named_ports_is_told_to_reach_the_kernels_of_jupyter() -> None:
    for opened, said in ((Openings(net=True), True), (Openings(net=True, ports=(443,)), False), (Openings(), False)):
        text = "; ".join(judge("standard", opened, layers(*NAMES), "linux").not_stopped)
        assert ("hear the code and output of all cells" in text) is said
        assert ("run code in one whose debugger was used or whose connection file it can read" in text) is said


def with_landlock(version: int, listed: list[Layer]) -> list[Layer]:
    return [replace(one, reason=f"version {version}") if one.name == "landlock" else one for one in listed]


def test_programs_can_outlive_a_killed_kernel_only_where_landlock_does_not_confine_signals() -> None:
    for version in (5, 6, 12):
        listed = with_landlock(version, layers(*NAMES))
        text = "; ".join(judge("standard", Openings(subprocess=True), listed, "linux").not_stopped)
        assert "it can start programs, as confined as it is: they have max_memory each" in text
        assert ("outlive a kernel" in text) is (version < ender.NEEDS)
    assert CONFINES_SIGNALS == ender.NEEDS


@pytest.mark.parametrize("version", [1, 2, 3, 4, 5, 6, 12])
def test_without_a_filter_what_landlock_keeps_away_is_not_told_to_be_open(version: int) -> None:
    told = judge("", Openings(), with_landlock(version, without("seccomp")), "linux").not_stopped
    assert ("it can use the network" in told) is (version < 4)
    assert any("by UDP and by kinds of TCP" in text for text in told) is (version >= 4)
    assert ("it can signal your other OS processes, this kernel included" in told) is (version < 6)
    assert any("empty your files" in text for text in told) is (version < 3)
    assert any("programs that it brings along" in text and "outlive a kernel" in text for text in told)
    assert any("change modes, owners, times and attributes" in text for text in told)
    assert any("open and command your devices" in text for text in told) is (version < 5)
    assert any("open your devices" in text for text in told) is (version >= 5)


def test_who_gave_up_the_powers_of_root_is_kept_out_of_the_memory_of_who_has_them() -> None:
    ordinary = layers(*NAMES, listed=tuple(name for name in NAMES if name not in ("capabilities", "landlock")))
    for listed, said in ((without("landlock"), True), (ordinary, False), (without("landlock", "capabilities"), False)):
        text = "; ".join(judge("", Openings(), listed, "linux").not_stopped)
        assert "read and change the memory of your other OS processes" in text
        assert ("that have no powers of root" in text) is said


def test_no_room_for_another_os_process_is_no_layer_that_is_missing() -> None:
    short = [Layer("landlock", True, False, False, f"{NO_ROOM}fork: Cannot allocate memory")]
    with pytest.raises(LaunchFailed, match="fork: Cannot allocate memory; destroy some sandboxes"):
        demand(Boot("x", profile="strict"), judge("strict", Openings(), short, "linux"), "linux")


def test_an_active_layer_that_is_not_verified_does_not_count() -> None:
    hollow = [Layer(name, True, True, name != "seccomp", "an attempt succeeded") for name in NAMES]
    assert judge("", Openings(), hollow, "linux").profile == "basic"


@pytest.mark.parametrize("count", range(len(NAMES) + 1))
def test_every_layer_that_is_missing_is_told_in_words_and_no_other(count: int) -> None:
    for missing in combinations(NAMES, count):
        text = "; ".join(judge("", Openings(), without(*missing), "linux").not_stopped)
        assert {name for name, several in TOLD.items() for words in several if words in text} == set(missing)
        assert all(words in text for name in missing for words in TOLD[name])


def test_a_profile_without_some_layers_tells_what_they_would_stop() -> None:
    basic = "; ".join(judge("basic", Openings(), layers(*NAMES, listed=BASIC), "linux").not_stopped)
    assert {name for name, several in TOLD.items() if several[0] in basic} == {"landlock", "seccomp"}
    off = "; ".join(judge("off", Openings(), layers(*NAMES, listed=OFF), "linux").not_stopped)
    assert {name for name, several in TOLD.items() if several[0] in off} == set(NAMES) - set(OFF)


@pytest.mark.parametrize("missing", NAMES)
@pytest.mark.parametrize("wanted", ["strict", "standard", "basic", "off"])
def test_what_was_asked_for_by_name_is_had_or_refused_in_one_line(wanted: str, missing: str) -> None:
    listed = PROMISED[wanted]
    holding = tuple(name for name in listed if name != missing)
    found = judge(wanted, Openings(), layers(*holding, listed=listed), "linux")
    demand(Boot("x"), found, "linux")
    if missing not in listed:
        demand(Boot("x", profile=wanted), found, "linux")
        return
    with pytest.raises(Unsupported) as caught:
        demand(Boot("x", profile=wanted), found, "linux")
    text = str(caught.value)
    assert "\n" not in text and f"profile '{wanted}'" in text and f"({missing}: missing)" in text
    assert "python -m jupyter_sandbox doctor" in text


def test_who_opened_something_and_named_no_profile_is_not_told_to_leave_it_out() -> None:
    found = judge("standard", Openings(net=True), layers(*PROMISED["basic"], listed=PROMISED["standard"]), "linux")
    with pytest.raises(Unsupported, match=r"what is opened by name .* leave that out for the best there is"):
        demand(Boot("x", profile="standard", openings=Openings(net=True)), found, "linux")
    with pytest.raises(Unsupported, match="leave the profile out"):
        demand(Boot("x", profile="standard"), found, "linux")


def test_a_mac_has_basic_at_most_and_says_what_that_leaves_out() -> None:
    had = ("session", "environment", "closed_files", "rlimits")
    claimed = [Layer(name, True, name in had, False, "cannot be seen from outside here") for name in NAMES]
    told = judge("", Openings(), claimed, "darwin")
    text = "; ".join(told.not_stopped)
    assert told.profile == "basic"
    assert {name for name, several in TOLD.items() if several[0] in text} == set(NAMES) - set(had)
    assert "memory is not limited by the operating system" in text and "nobody could be asked from outside" in text
    for wanted in ("off", "basic"):
        demand(Boot("x", profile=wanted), told, "darwin")
    with pytest.raises(Unsupported, match="landlock"):
        demand(Boot("x", profile="strict"), told, "darwin")
    assert judge("", Openings(), layers(*NAMES), "darwin").profile == "basic", "a claim that cannot be true"
    assert judge("", Openings(), layers(*had[1:]), "darwin").profile == "off"


def test_openings_take_a_path_alone_and_refuse_what_they_do_not_know() -> None:
    assert Openings.merged({"read": "/a", "write": ["/b"]}) == Openings(read=("/a",), write=("/b",))
    assert Openings.merged({"ports": 443}) == Openings(net=True, ports=(443,))
    assert not Openings.merged(None) and not Openings.merged({"net": False})
    for wrong in ({"netz": True}, {"net": 1}, {"ports": 0}, {"ports": "443"}, {"read": 5}, {"read": [""]}):
        with pytest.raises(UsageError):
            Openings.merged(wrong)
    for no_map in (["net"], "net", ["net", "read"]):
        with pytest.raises(UsageError, match=r"^allow .* is not valid: give a map such as \{'net': True"):
            Openings.merged(no_map)  # type: ignore[arg-type]


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
    assert told.returncode == 1 and "profile in force: basic\n" in told.stdout
    assert "it can use the network" in told.stdout
    assert told.stdout.endswith("strict, cannot be had: seccomp: switched off by JUPYTER_SANDBOX_WITHOUT\n")
    wrong = subprocess.run([*command[:-1], "x"], capture_output=True, text=True, env=environment, check=False)
    assert wrong.returncode == 2 and "usage:" in wrong.stderr


@pytest.mark.parametrize("missing", [*OFF, "rlimits", "landlock", ""])
def test_what_the_doctor_says_and_its_exit_code_agree(missing: str) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "JUPYTER_SANDBOX_WITHOUT": missing}
    command = [sys.executable, "-m", "jupyter_sandbox", "doctor"]
    told = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)
    best = told.stdout.endswith("strict, can be had: every layer is in force and was tried\n")
    assert best is ("profile in force: strict\n" in told.stdout) is (told.returncode == 0)
    if missing:
        assert told.returncode == 1 and f"cannot be had: {missing}: switched off" in told.stdout
        assert TOLD[missing][0] in told.stdout.partition("not stopped:")[2]
        assert ("py-spy" in told.stdout) is (missing == "landlock")
