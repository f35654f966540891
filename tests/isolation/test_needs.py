"""A machine that refuses a call which no sandbox can do without: it is named at once, and nobody waits."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from jupyter_sandbox.isolation.needs import _attempts, must_be_let_through

from .conftest import HERE

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="filters are Linux's")

FILTER = """
import errno, os, sys
from jupyter_sandbox.isolation import system
from jupyter_sandbox.isolation.bpf import Allow, Refuse, assemble, encode
from jupyter_sandbox.isolation.syscalls import AUDIT, NUMBERS
machine = os.uname().machine
def refuse(name, answer):
    decided = dict.fromkeys(NUMBERS[machine].values(), Allow()) | {NUMBERS[machine][name]: Refuse(answer)}
    system.set_no_new_privs()
    system.install_filter(encode(assemble(decided, machine=AUDIT[machine])))
"""
EACH = """
from jupyter_sandbox.isolation.needs import must_be_let_through
for name in sys.argv[1:]:
    for answer in (errno.EPERM, errno.ENOSYS):
        if os.fork() == 0:
            refuse(name, answer)
            try:
                must_be_let_through()
            except Exception as error:
                print(name, type(error).__name__, str(error), flush=True)
            os._exit(0)
        os.wait()
"""
CREATE = """
import jupyter_sandbox
from jupyter_sandbox.model.errors import SandboxError
refuse(sys.argv[1], errno.EPERM)
with jupyter_sandbox.SandboxManager(store=":memory:") as manager:
    try:
        manager.create("shop")
    except SandboxError as error:
        print(type(error).__name__, str(error))
"""


def told(program: str, *words: str) -> str:
    paths = os.pathsep.join([HERE, *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", FILTER + program, *words], capture_output=True, text=True, timeout=60, check=True,
        env={**os.environ, "PYTHONPATH": paths},
    )  # fmt: skip
    assert done.stderr == ""
    return done.stdout


def test_here_nothing_is_refused() -> None:
    must_be_let_through()


def test_each_call_that_is_refused_is_named_and_no_other() -> None:
    names = [name for name in _attempts() if name != "poll" or os.uname().machine == "x86_64"]
    assert [line.partition(";")[0] for line in told(EACH, *names).splitlines()] == [
        f"{name} LaunchFailed system calls that no sandbox can do without are refused here: {name}"
        for name in names
        for _ in ("EPERM", "ENOSYS")
    ]


@pytest.mark.parametrize("name", ["sendto", "getsid", "waitid"])
def test_a_manager_that_nobody_can_wake_or_whose_launcher_would_end_says_so_and_nobody_waits(name: str) -> None:
    assert told(CREATE, name).startswith(
        f"LaunchFailed system calls that no sandbox can do without are refused here: {name};"
    )


def test_where_no_session_can_be_begun_it_is_no_matter_of_the_folder_for_temporary_files() -> None:
    text = told(CREATE, "setsid")
    assert text.startswith("LaunchFailed no OS process with a session of its own can be started here")
    assert "folder" not in text
