"""A wheel of the source distribution, and Binder's build of a clone, in fresh environments without Node."""

from __future__ import annotations

import re
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
Run = Callable[..., str]
SHARED = "jupyter_sandbox-0.1.0.data/data/share/jupyter/labextensions/jupyter-sandbox"
LISTED = "jupyter-sandbox v0.1.0 enabled OK (python, jupyter_sandbox)"


def plain(text: str) -> str:
    return re.sub(r"\x1b\[\d+m", "", text)


def test_a_source_distribution_becomes_a_wheel_without_node_that_pip_installs_and_lab_lists(
    clone: Path, run: Run, tmp_path: Path
) -> None:
    run("pip", "install", "--quiet", "build")
    run("python", "-m", "build", "--sdist", "--outdir", tmp_path / "dist", clone)
    (sdist,) = (tmp_path / "dist").glob("*.tar.gz")
    run("pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", tmp_path / "wheels", sdist)
    (wheel,) = (tmp_path / "wheels").glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert f"{SHARED}/install.json" in names and f"{SHARED}/static/style.js" in names
    assert any(name.startswith(f"{SHARED}/static/remoteEntry.") for name in names)
    assert "jupyter_sandbox/py.typed" in names
    assert {"jupyter_sandbox/widgets/live.js", "jupyter_sandbox/widgets/once.js"} <= set(names)
    assert not [name for name in names if name.startswith("jupyter_sandbox/labextension")]
    run("pip", "install", "--quiet", "--no-compile", wheel)
    assert LISTED in plain(run("jupyter", "labextension", "list"))
    assert "0.1.0" in run("python", "-c", "import jupyter_sandbox; print(jupyter_sandbox.__version__)")


def test_binder_builds_what_it_needs_from_a_clone(clone: Path, run: Run) -> None:
    run("pip", "install", "--quiet", "--no-compile", "-r", clone / "binder" / "requirements.txt")
    told = plain(run(clone / "binder" / "postBuild", cwd=clone))
    assert LISTED in told
    run("python", "-c", "import jupyter_sandbox.magics, jupyter_sandbox.manager")


def test_binder_understands_the_repository(clone: Path, run: Run) -> None:
    run("pip", "install", "--quiet", "jupyter-repo2docker>=2024.7")
    told = run("jupyter-repo2docker", "--no-build", "--debug", clone)
    assert "binder/requirements.txt" in told
    assert "binder/postBuild" in told


def test_the_lowest_versions_allowed_do(project: Path, run: Run) -> None:
    wanted = tomllib.loads((project / "pyproject.toml").read_text())["project"]["dependencies"]
    lowest = [re.sub(r">=([\d.]+).*", r"==\1", one) for one in wanted]
    tools = ["hypothesis", "nbmake", "playwright", "pytest", "pytest-rerunfailures", "pytest-timeout", "pytest-xdist"]
    run("pip", "install", "--quiet", *lowest, *tools)
    folders = [project / "tests" / name for name in ("wire", "widgets", "magics")]
    run(
        "python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not serial and not slow", *folders, cwd=project
    )
