"""A fork of the kernel, as ``multiprocessing`` makes them: what it inherits of the sandboxes answers with one error."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_sandbox.manager.manager import SandboxManager
from jupyter_sandbox.manager.sandbox import Sandbox

from .forking_kernel import methods

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
ERROR = (
    "SandboxGone: this OS process was forked from the kernel and has none of its sandboxes: ask for them there, or "
    "make others here with a manager of its own: SandboxManager() [at once]"
)
ATTEMPTS = (
    "exec", "status", "info", "log", "output", "destroy", "list", "get", "create", "refresh", "destroy by name",
    "subscribe", "magic", "cell magic", *methods(SandboxManager, "manager"), *methods(Sandbox, "sandbox"),
)  # fmt: skip


@pytest.fixture(scope="module")
def said() -> dict[str, str]:
    """What a kernel and its fork printed, by what they tried."""
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("forking_kernel.py"))],
        capture_output=True, text=True, timeout=110,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return dict(line.split(": ", 1) for line in done.stdout.splitlines())


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_a_handle_and_a_manager_used_in_a_fork_of_the_kernel_raise_one_error_at_once(
    said: dict[str, str], attempt: str
) -> None:
    assert said[attempt] == ERROR


def test_a_handle_shows_that_it_is_of_another_os_process(said: dict[str, str]) -> None:
    assert said["repr"] == "<Sandbox 1 'shop' of another OS process>"


def test_a_fork_can_have_sandboxes_of_its_own_and_leaves_those_of_the_kernel_alone(said: dict[str, str]) -> None:
    assert (said["its own"], said["child"], said["parent"]) == ("42", "0", "42")
