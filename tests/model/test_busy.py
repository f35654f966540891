"""What is busy is started a moment later, and whatever else keeps it from starting is told at once."""

from __future__ import annotations

import errno
import subprocess
from pathlib import Path

import pytest

from jupyter_sandbox.model.busy import patiently

from ..busy import held_program, needs_busy_programs


@needs_busy_programs
def test_a_program_that_was_busy_for_a_moment_is_started(tmp_path: Path) -> None:
    paused: list[float] = []
    with held_program("true", tmp_path) as (path, let_go):
        done = patiently(lambda: subprocess.run([path]), lambda pause_s: (paused.append(pause_s), let_go()))
    assert done.returncode == 0 and len(paused) == 1


@needs_busy_programs
def test_one_that_stays_busy_is_an_error_after_a_tenth_of_a_second_at_most(tmp_path: Path) -> None:
    paused: list[float] = []
    with held_program("true", tmp_path) as (path, _), pytest.raises(OSError) as caught:
        patiently(lambda: subprocess.run([path]), paused.append)
    assert caught.value.errno == errno.ETXTBSY and sum(paused) <= 0.1


def test_any_other_error_is_raised_at_once() -> None:
    paused: list[float] = []
    with pytest.raises(FileNotFoundError):
        patiently(lambda: subprocess.run(["/no/such/program"]), paused.append)
    assert not paused
