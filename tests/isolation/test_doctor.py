"""The doctor answers on whatever machine it is called: in words, and with the exit code that goes with them."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from jupyter_sandbox.isolation import doctor

COMMAND = [sys.executable, "-m", "jupyter_sandbox", "doctor"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
OTHERS = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="strict cannot be had")


def told_with(**changes: str | bytes) -> tuple[int, str]:
    done = subprocess.run(COMMAND, capture_output=True, env=ENVIRONMENT | changes, timeout=60, check=False)
    assert done.stderr == b""
    return done.returncode, done.stdout.decode(errors="replace")


@pytest.fixture(scope="module")
def usual() -> int:
    """What it ends with here: 0 where strict can be had."""
    return told_with()[0]


@pytest.mark.parametrize("environment", [{"PYTHONIOENCODING": "ascii"}, {"PYTHONIOENCODING": "latin-1"}, OTHERS])
def test_its_answer_is_the_same_where_not_all_of_it_can_be_written(environment: dict[str, str], usual: int) -> None:
    code, text = told_with(**environment)
    assert code == usual and "in force, tried from inside" in text


def test_its_answer_is_the_same_where_nobody_can_read_it(usual: int) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run(COMMAND, stdout=full, stderr=subprocess.PIPE, env=ENVIRONMENT, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (usual, b"")


def test_a_folder_for_temporary_files_may_have_any_name_that_is_utf_8(tmp_path: Path, usual: int) -> None:
    (tmp_path / "ünï").mkdir()
    code, _ = told_with(TMPDIR=str(tmp_path / "ünï").encode(), **OTHERS)
    assert code == usual


def test_one_whose_name_is_none_is_refused_in_words(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/\xff"
    os.mkdir(folder)
    code, text = told_with(TMPDIR=folder)
    assert code == 2 and "is no UTF-8: set TMPDIR to another one" in text


def test_where_no_file_can_be_written_that_is_the_reason() -> None:
    def none() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))

    done = subprocess.run(
        COMMAND, capture_output=True, text=True, env=ENVIRONMENT, timeout=60, check=False, preexec_fn=none
    )
    assert done.returncode == 2 and "let files be longer" in done.stdout and not done.stderr


@pytest.mark.parametrize(
    ("error", "words"),
    [(TimeoutError(), "told nothing for 20 s"), (msgspec.DecodeError("truncated"), "ended before it told anything"),
     (OSError(24, "Too many open files"), "many open files"), (RuntimeError("can't start new thread"), "new thread"),
     (UnicodeEncodeError("utf-8", "\udcff", 0, 1, "surrogates not allowed"), "surrogates")],
)  # fmt: skip
def test_whatever_keeps_it_from_an_answer_is_told(
    error: Exception, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def fails() -> None:
        raise error

    monkeypatch.setattr(doctor, "examine", fails)
    assert doctor.main() == 2
    assert words in capsys.readouterr().out.partition("no sandbox can be started here: ")[2]


def test_layers_are_left_out_by_name_and_what_names_none_is_told(usual: int) -> None:
    code, text = told_with(JUPYTER_SANDBOX_WITHOUT="landlock, seccomp")
    assert code == 1 and "landlock: switched off" in text and "seccomp: switched off" in text
    code, text = told_with(JUPYTER_SANDBOX_WITHOUT="landlok")
    assert code == usual and "names no layer with 'landlok'; there are parent_death, " in text
    assert "leaves out" not in text


def _without(path: str) -> list[str]:
    """In a mount namespace of its own, where nothing is in this folder."""
    hide = f'mount --make-rprivate / && mount -t tmpfs none {path} && exec "$@"'
    return ["unshare", "-m", "sh", "-c", hide, "sh"]


@pytest.fixture
def hidden() -> None:
    if os.geteuid() != 0 or subprocess.run([*_without("/mnt"), "true"], capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")


def test_without_proc_the_default_is_what_is_left(hidden: None) -> None:
    done = subprocess.run(
        [*_without("/proc"), *COMMAND], capture_output=True, text=True, env=ENVIRONMENT, timeout=60, check=False
    )
    assert done.returncode == 1 and done.stderr == "" and "profile in force: off\n" in done.stdout
    assert "cannot be seen from outside" in done.stdout


def test_in_a_pid_namespace_under_the_proc_of_before_it_says_why_it_cannot_look(hidden: None) -> None:
    done = subprocess.run(
        ["unshare", "-pf", *COMMAND], capture_output=True, text=True, env=ENVIRONMENT, timeout=60, check=False
    )
    assert done.returncode == 1 and "no /proc of our own PID namespace" in done.stdout
    assert "the operating system does not" not in done.stdout


@pytest.mark.parametrize("room", [4, 5, 6])
def test_a_drive_with_room_for_no_other_file_lowers_no_profile(hidden: None, room: int) -> None:
    """Where a guest's folder just fits, its layers are tried on a full drive: Landlock let it through all the same."""
    mount = f'mount --make-rprivate / && mount -t tmpfs -o nr_inodes={room} none /mnt && exec "$@"'
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", mount, "sh", *COMMAND], capture_output=True, text=True,
        env={**ENVIRONMENT, "TMPDIR": "/mnt"}, timeout=60, check=False,
    )  # fmt: skip
    assert "No space left" not in done.stdout and ("is full: make room" in done.stdout) == (done.returncode == 2)
