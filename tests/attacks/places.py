"""Other places to run attacks in: as an ordinary user, and in a container with Docker's filter and powers.

A place is a fresh OS process with its own kernel. For the ordinary user the project, what it needs and, where that
user may not run ours, the interpreter are copied to a folder that everybody can read.
Run as a program it becomes a container and then executes its arguments: ``places.py new COMMAND...``; ``old`` is
a Docker from before Landlock.
"""

from __future__ import annotations

import errno
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from jupyter_sandbox.isolation import system
from jupyter_sandbox.isolation.bpf import Allow, Decision, Match, Refuse, When, assemble, encode
from jupyter_sandbox.isolation.syscalls import AUDIT, NUMBERS

HERE = Path(__file__).parent
PROJECT = HERE.parents[1]
NOBODY = 65534
NEEDED = (
    "pytest", "pluggy", "iniconfig", "packaging", "pygments", "pytest-timeout", "msgspec", "cloudpickle", "hypothesis",
    "sortedcontainers",
)  # fmt: skip
UNNEEDED = (
    "labextension", "test", "tests", "site-packages", "idlelib", "tkinter", "turtledemo", "ensurepip",
    "lib2to3", "config-*",
)  # fmt: skip
SETTINGS = """\
[pytest]
addopts = --import-mode=importlib -p no:cacheprovider
filterwarnings = error
markers =
    slow: takes long
    campaign: takes minutes
    xdist_group: one after the other
timeout = 120
"""


@dataclass(frozen=True)
class Place:
    """Where to run Python; ``python`` is the beginning of a command line."""

    name: str
    python: tuple[str, ...]
    project: Path
    environment: Mapping[str, str]
    identity: Mapping[str, object] = field(default_factory=dict)

    def run(self, arguments: Sequence[str], timeout_s: float) -> subprocess.CompletedProcess[str]:
        """Run Python there to its end. What it leaves running is the business of who looks at the machine after."""
        return subprocess.run(
            [*self.python, *arguments], capture_output=True, text=True, timeout=timeout_s, cwd=self.project,
            env=dict(self.environment), check=False, **self.identity,
        )  # type: ignore[call-overload,no-any-return]  # fmt: skip

    def told(self, profile: str, attempts: Mapping[str, str]) -> Told:
        """What a sandbox there reports of itself, and what came of attempts in it."""
        done = self.run([str(self.project / "tests/attacks/elsewhere.py"), profile, json.dumps(attempts)], 90)
        assert done.returncode == 0, done.stderr[-2000:]
        return Told(*json.loads(done.stdout))


class Told(NamedTuple):
    """The profile in force, whether each layer is, the answer of each attempt, and in words what is not stopped."""

    profile: str
    layers: dict[str, bool]
    answers: dict[str, object]
    not_stopped: list[str]


def container(age: str = "new") -> Place:
    """In a container of ``new`` or ``old`` Docker, with the rights of this process at most."""
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    return Place("container", (sys.executable, str(HERE / "places.py"), age, sys.executable), PROJECT, environment)


def contained(place: Place, age: str) -> Place:
    """The same user in a container."""
    python = (*place.python, str(place.project / "tests/attacks/places.py"), age, *place.python)
    return replace(place, name=f"{place.name} in a container", python=python)


def root() -> Place | None:
    """As root, for an ordinary user whom ``sudo`` asks nothing; it leaves no files of root in the project."""
    sudo = ("sudo", "--non-interactive")
    try:
        if subprocess.run([*sudo, "true"], capture_output=True, check=False).returncode != 0:
            return None
    except FileNotFoundError:
        return None
    clean = ("PYTHONDONTWRITEBYTECODE=1", "PYTEST_ADDOPTS=-p no:cacheprovider", f"PYTHONPATH={PROJECT}")
    return Place("root", (*sudo, "env", *clean, sys.executable), PROJECT, dict(os.environ))


@contextmanager
def ordinary_user() -> Iterator[Place]:
    """As ``nobody``, which only root can become."""
    with _open_folder() as folder, _open_folder() as own:
        os.chown(own, NOBODY, NOBODY)
        _copy_project(folder)
        environment = {"PYTHONPATH": f"{folder}:{folder}/lib", "PATH": os.defpath, "HOME": own, "TMPDIR": own}
        identity = {"user": NOBODY, "group": NOBODY, "extra_groups": [], "umask": 0o022}
        place = Place("ordinary user", (sys.executable,), Path(folder), environment, identity)
        if not _can_run(place):
            place = Place(place.name, (_copy_interpreter(folder),), place.project, environment, identity)
        yield place


def _can_run(place: Place) -> bool:
    try:
        return place.run(["-c", "import msgspec, pytest"], 60).returncode == 0
    except PermissionError:
        return False


@contextmanager
def _open_folder() -> Iterator[str]:
    """A new folder that everybody can reach and read."""
    parents = [one for one in ("/tmp", "/var/tmp", "/dev/shm") if os.stat(one).st_mode & 0o001]
    with tempfile.TemporaryDirectory(dir=parents[0], prefix="place-") as folder:
        os.chmod(folder, 0o755)
        yield folder


def _copy_project(folder: str) -> None:
    ignored = shutil.ignore_patterns("labextension")
    shutil.copytree(PROJECT / "jupyter_sandbox", f"{folder}/jupyter_sandbox", ignore=ignored)
    shutil.copytree(HERE, f"{folder}/tests/attacks", ignore=ignored)
    for file in (PROJECT / "tests").glob("*.py"):
        shutil.copy(file, f"{folder}/tests/{file.name}")
    Path(folder, "pytest.ini").write_text(SETTINGS)
    for name in NEEDED:
        for file in importlib.metadata.files(name) or ():
            if ".." not in file.parts:
                target = Path(folder, "lib", file)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(str(file.locate()), target)  # with its date, so that what was compiled counts
    _open_to_all(folder)


def _copy_interpreter(folder: str) -> str:
    """The one that runs us: its program, its libraries, nothing that was installed beside it."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    source, target = Path(sys.base_prefix), Path(folder, "python")
    shutil.copytree(
        os.path.dirname(os.__file__), target / "lib" / version, ignore=shutil.ignore_patterns(*UNNEEDED), symlinks=True
    )
    for library in (source / "lib").glob("libpython*.so*"):
        shutil.copy(library, target / "lib")
    (target / "bin").mkdir()
    program = shutil.copy(os.path.realpath(sys.executable), target / "bin" / version)
    _open_to_all(str(target))
    return str(program)


def _open_to_all(folder: str) -> None:
    subprocess.run(["chmod", "-R", "a+rX", folder], check=True)


# --- a container ------------------------------------------------------------------------------------------------------


def install(age: str) -> None:
    """Docker's default profile of system calls and its default powers, for this OS process and all it starts."""
    machine = os.uname().machine
    if os.geteuid() == 0:
        _keep_powers(json.loads((HERE / "docker.json").read_text())["capabilities"])
    else:
        system.set_no_new_privs()
    system.install_filter(encode(assemble(decisions(machine, age), machine=AUDIT[machine])))


def decisions(machine: str, age: str) -> dict[int, Decision]:
    """What Docker's profile makes of every call. As its runtime does, numbers newer than the profile do not exist."""
    profile = json.loads((HERE / "docker.json").read_text())
    numbers = NUMBERS[machine]
    decided: dict[int, Decision] = dict.fromkeys(numbers.values(), Allow())
    for rule in (*profile["syscalls"], *(profile["before landlock"] if age == "old" else ())):
        for name in rule["names"]:
            if name in numbers:
                decided[numbers[name]] = _decision(rule)
    return decided


def _decision(rule: dict[str, Any]) -> Decision:
    refused = Refuse(int(getattr(errno, rule.get("errno", "EPERM"))))
    if "allowed if" not in rule:
        return refused
    return When(tuple(_match(**test) for test in rule["allowed if"]), Allow(), refused)


def _match(argument: int, values: Sequence[str], mask: str = "0xffffffff") -> Match:
    return Match(argument, tuple(int(value, 0) for value in values), int(mask, 0))


def _keep_powers(kept: Sequence[int]) -> None:
    """Takes effect when the command is executed: what is not in the bounding set root does not get."""
    for power in range(64):
        if power not in kept:
            try:
                system._prctl(system._CAPBSET_DROP, power)
            except OSError:
                break


if __name__ == "__main__":
    install(sys.argv[1])
    os.execv(sys.argv[2], sys.argv[2:])
