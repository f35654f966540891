"""Short looks at what Linux says of an OS process: as by Python itself, but nobody else has a turn meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jupyter_sandbox.isolation import brief, system
from jupyter_sandbox.isolation.recheck import verify_from_outside
from jupyter_sandbox.model.protection import Layer, Protection

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")


def test_a_file_is_read_as_by_python_itself() -> None:
    for name in ("limits", "cmdline", "environ"):
        assert brief.read(f"/proc/self/{name}", 1 << 20) == Path(f"/proc/self/{name}").read_bytes()
    assert brief.read("/proc/self/status", 5) == b"Name:"


def test_a_folder_of_any_length_is_listed_as_by_python_itself(tmp_path: Path) -> None:
    for number in range(700):
        (tmp_path / f"{'n' * 100}{number}").touch()
    assert sorted(brief.names(str(tmp_path))) == sorted(os.listdir(tmp_path))
    assert brief.names(f"/proc/{os.getpid()}/task/{threading.get_native_id()}/fdinfo")


def test_a_link_is_told_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/nowhere/ä\udcff")
    assert brief.link(str(tmp_path / "link")) == "/nowhere/ä\udcff"


def test_a_word_is_written(tmp_path: Path) -> None:
    (tmp_path / "told").touch()
    brief.write(str(tmp_path / "told"), b"5")
    assert (tmp_path / "told").read_bytes() == b"5"


@pytest.mark.parametrize("look", [brief.read, brief.names, brief.link, lambda path: brief.write(path, b"x")])
def test_what_is_not_there_is_the_error_that_python_would_raise(look: Callable[[str], object], tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        look(str(tmp_path / "none"))
    assert caught.value.filename == str(tmp_path / "none")


@pytest.fixture
def turns() -> Iterator[list[int]]:
    """How often another thread had its turn, which comes only where this one gives its own away."""
    over, counted, usual = threading.Event(), [0], sys.getswitchinterval()

    def count() -> None:
        while not over.is_set():
            counted[0] += 1
            time.sleep(0)

    other = threading.Thread(target=count, daemon=True)
    sys.setswitchinterval(100.0)
    try:
        other.start()
        yield counted
    finally:
        sys.setswitchinterval(usual)
        over.set()
        other.join()


def test_who_looks_gives_its_turn_to_nobody(turns: list[int]) -> None:
    """Beside twenty threads that compute a turn that was given away comes back after a tenth of a second."""
    for _ in range(2):  # now Linux remembers these names
        before = turns[0]
        for _ in range(300):
            brief.read("/proc/self/statm", 128)
            brief.state("/proc/self")
    assert turns[0] == before
    deadline = time.monotonic() + 60.0
    while turns[0] == before:
        assert time.monotonic() < deadline, "the other thread does nothing at all"
        Path("/proc/self/statm").read_bytes()


@pytest.mark.parametrize("look", [
    lambda: brief.names("/proc/self/task"), lambda: brief.link("/proc/self/exe"), brief.look_for_nobody,
])  # fmt: skip
def test_others_have_their_turn_where_a_lock_may_have_to_be_waited_for(
    turns: list[int], look: Callable[[], object]
) -> None:
    before, deadline = turns[0], time.monotonic() + 60.0
    while turns[0] == before:
        assert time.monotonic() < deadline, "the other thread does nothing at all"
        look()
    assert threading.get_native_id() not in brief.AMONG_ALL


def test_a_file_longer_than_most_is_read_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "long").write_bytes(os.urandom(100_000))
    assert brief.read_whole(str(tmp_path / "long")) == (tmp_path / "long").read_bytes()
    assert brief.read_whole("/proc/self/limits") == Path("/proc/self/limits").read_bytes()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may choose its groups")
def test_somebody_in_thousands_of_groups_is_told_what_is_in_force() -> None:
    text = (
        "import os; os.setgroups(range(100_000, 102_500)); from jupyter_sandbox.isolation.layers import status_of; "
        "print(status_of(os.getpid())['NoNewPrivs'])"
    )
    assert subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True).stdout == "0\n"


@pytest.fixture
def of_others(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """In a PID namespace of its own, under the ``/proc`` of before."""
    own = os.getpid()
    brief.proc_is_ours.cache_clear()
    monkeypatch.setattr(os, "getpid", lambda: own + 1)
    yield
    brief.proc_is_ours.cache_clear()


def test_nothing_is_read_or_written_where_proc_numbers_others(of_others: None, tmp_path: Path) -> None:
    for look in (brief.read, brief.read_whole, brief.names, brief.link, lambda path: brief.write(path, b"x")):
        with pytest.raises(FileNotFoundError, match="no /proc of our own PID namespace"):
            look("/proc/1")
    assert system.processes() == system.children() == []
    (tmp_path / "told").write_bytes(b"5")
    assert brief.read(str(tmp_path / "told")) == b"5"


def test_a_report_says_where_proc_is_that_of_others(of_others: None) -> None:
    claim = Protection("basic", (Layer("no_new_privs", True, True, True),), ())
    (layer,) = verify_from_outside(os.getppid(), claim).layers
    assert (
        not layer.verified and layer.reason == "cannot be seen from outside: there is no /proc of our own PID namespace"
    )
