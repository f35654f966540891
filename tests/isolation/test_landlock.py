"""Which Landlock is asked for what: pure, and the calls that are made of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_sandbox.isolation import landlock, system
from jupyter_sandbox.isolation.syscalls import NUMBERS


@pytest.mark.parametrize(("version", "flags"), [(1, 0), (6, 0), (7, 1), (9, 1)])
def test_what_is_refused_does_not_fill_the_log_of_the_machine(
    version: int, flags: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From version 7 on Linux writes each refusal into its log of audits, unless told not to."""
    calls: list[tuple[object, ...]] = []

    def call(*arguments: object) -> int:
        calls.append(arguments)
        return 1_000  # a number that is no open file

    monkeypatch.setattr(system, "syscall", call)
    monkeypatch.setattr(landlock.os, "close", calls.append)
    landlock.restrict(landlock.handled(version), [])
    restricted = [call for call in calls if isinstance(call, tuple) and call[0] == 446]
    assert restricted == [(446, 1_000, flags)]


OLDER = """
import os, sys
from jupyter_sandbox.isolation import landlock, system
from jupyter_sandbox.isolation.rules import filter_for
from jupyter_sandbox.model.openings import Openings
version, secret, own = int(sys.argv[1]), sys.argv[2], sys.argv[3]
system.set_no_new_privs()
if system.capabilities():
    system.drop_capabilities()
landlock.restrict(landlock.handled(version), [(os.path.dirname(secret), landlock.READ), (own, landlock.WRITE)])
machine = os.uname().machine
system.install_filter(filter_for(machine, pid=os.getpid(), openings=Openings(), landlock=version))
told = []
for deed in (
    lambda: os.truncate(secret, 0),
    lambda: os.ftruncate(os.open(secret, os.O_RDONLY), 0),
    *(lambda mode=mode: os.open(secret, mode | os.O_TRUNC) for mode in range(4)),
    lambda: os.rename(secret, own + "/taken"),
    lambda: os.link(secret, own + "/linked"),
    lambda: os.unlink(secret),
    lambda: os.close(os.open(own + "/new", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)),
):
    try:
        deed()
        told.append(0)
    except OSError as error:
        told.append(error.errno)
print(told)
"""


@pytest.mark.parametrize("version", [1, 2, 3, 5, 6, 9])
def test_a_landlock_of_any_age_and_the_filter_beside_it_keep_a_file_as_it_is(version: int, tmp_path: Path) -> None:
    """Asked of a newer one to handle no more than that version knows: what it would let pass, it lets pass here."""
    if landlock.version() < min(version, 7) or os.uname().machine not in NUMBERS:
        pytest.skip("this machine has no Landlock of that version, or no filter")
    for folder in ("shown", "own"):
        (tmp_path / folder).mkdir()
    secret = tmp_path / "shown" / "secret"
    secret.write_text("treasure")
    arguments = [sys.executable, "-c", OLDER, str(version), str(secret), str(tmp_path / "own")]
    found = subprocess.run(arguments, capture_output=True, text=True, check=True)
    *refused, own = json.loads(found.stdout)
    assert 0 not in refused and own == 0
    assert secret.read_text() == "treasure"
