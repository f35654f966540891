"""Fresh copies of the project and fresh environments, on a machine without Node."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

NODE = {"node", "nodejs", "npm", "npx", "corepack", "yarn"}


@pytest.fixture
def clone(project: Path, tmp_path: Path) -> Path:
    """What a clone of the project holds: no build, no node_modules, nothing that is ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=project, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    target = tmp_path / "clone"
    for name in filter(None, listed.split("\0")):
        if (project / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(project / name, target / name)
    return target


@pytest.fixture
def path_without_node(tmp_path: Path) -> str:
    """PATH with every program on it but Node's: folders that have Node are replaced by links to all the rest."""
    folders = []
    for index, folder in enumerate(dict.fromkeys(os.environ["PATH"].split(os.pathsep))):
        found = Path(folder)
        if not found.is_dir():
            continue
        if NODE & {entry.name for entry in found.iterdir()}:
            replaced = tmp_path / "path" / str(index)
            replaced.mkdir(parents=True)
            for entry in found.iterdir():
                if entry.name not in NODE:
                    (replaced / entry.name).symlink_to(entry)
            found = replaced
        folders.append(str(found))
    path = os.pathsep.join(folders)
    assert shutil.which("node", path=path) is None
    assert shutil.which("npm", path=path) is None
    return path


Run = Callable[..., str]


@pytest.fixture
def run(path_without_node: str, tmp_path: Path) -> Run:
    """Runs a program of a fresh virtual environment and returns all it prints; the environment is made once."""
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)

    def call(*command: str | Path, cwd: Path = tmp_path) -> str:
        environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
        environment["PATH"] = f"{venv / 'bin'}{os.pathsep}{path_without_node}"
        program = shutil.which(str(command[0]), path=environment["PATH"]) or str(command[0])
        answer = subprocess.run(
            [program, *command[1:]], cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=600,
        )  # fmt: skip
        assert answer.returncode == 0, answer.stdout
        return answer.stdout

    return call
