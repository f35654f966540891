"""The same attacks when the kernel belongs to an ordinary user, who has no powers that could be given up."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import REFUSED
from .test_reach import ALL, ELSEWHERE

NOBODY = 65534
HERE = Path(__file__).parent

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="only root can become another user"
)


@pytest.fixture(scope="module")
def python() -> Iterator[tuple[str, str]]:
    """An interpreter that an ordinary user may run, and the path of libraries that such a user may read."""
    open_to_all = [one for one in ("/tmp", "/var/tmp", "/dev/shm") if os.stat(one).st_mode & 0o003 == 0o003]
    if not open_to_all:
        pytest.skip("no folder here that an ordinary user may write")
    with tempfile.TemporaryDirectory(dir=open_to_all[0]) as folder:
        os.chmod(folder, 0o755)
        for name in ("jupyter_sandbox", "msgspec", "cloudpickle"):
            source = Path(importlib.import_module(name).__file__ or "").parent
            shutil.copytree(source, f"{folder}/{name}", ignore=shutil.ignore_patterns("labextension", "__pycache__"))
        shutil.copy(HERE / "elsewhere.py", folder)
        subprocess.run(["chmod", "-R", "a+rX", folder], check=True)
        os.mkdir(f"{folder}/scratch")
        os.chown(f"{folder}/scratch", NOBODY, NOBODY)
        for candidate in (sys.executable, "/usr/bin/python3"):
            found = as_nobody([candidate, "-c", "import msgspec, jupyter_sandbox.manager.manager"], folder)
            if found.returncode == 0:
                yield candidate, folder
                return
        pytest.skip("no Python here that an ordinary user may run")


def as_nobody(command: list[str], path: str) -> subprocess.CompletedProcess[str]:
    environment = {"PYTHONPATH": path, "PATH": os.defpath, "HOME": "/nonexistent", "TMPDIR": f"{path}/scratch"}
    try:
        return subprocess.run(
            command, user=NOBODY, group=NOBODY, extra_groups=[], capture_output=True, text=True, timeout=90,
            env=environment, cwd="/", check=False,
        )  # fmt: skip
    except PermissionError:
        return subprocess.CompletedProcess(command, 126, "", "")


def run(python: tuple[str, str], profile: str, attempts: dict[str, str]) -> Any:
    command, path = python
    done = as_nobody([command, f"{path}/elsewhere.py", profile, json.dumps(attempts)], path)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def test_every_attempt_to_reach_out_fails_for_an_ordinary_user_too(
    strict_machine: None, python: tuple[str, str]
) -> None:
    attempts = {name: text.format(kernel="KERNEL").strip() for name, text in ALL.items() if "\n" not in text}
    profile, layers, answers = run(python, "", attempts)
    assert profile == "strict" and all(layers.values()) and "capabilities" not in layers
    worked = {
        name: answer
        for name, answer in answers.items()
        if answer not in ELSEWHERE.get(name, REFUSED) and not ("/dev/" in ALL[name] and answer == "ENOENT")
    }
    assert worked == {}


def test_basic_is_the_same_for_an_ordinary_user(python: tuple[str, str]) -> None:
    profile, layers, answers = run(
        python, "basic", {"limits": ALL["rights: limits up"], "a file": "open('/etc/passwd')"}
    )
    assert profile == "basic" and all(layers.values())
    assert answers == {"limits": "ValueError", "a file": "worked"}
