"""What is committed: versions that agree, a lock file for everyone, small notebooks, scripts that run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="module")
def metadata(project: Path) -> dict[str, Any]:
    return tomllib.loads((project / "pyproject.toml").read_text())["project"]


def test_the_lab_extension_and_the_package_have_the_same_version(project: Path, metadata: dict[str, Any]) -> None:
    package = json.loads((project / "labextension" / "package.json").read_text())
    lock = json.loads((project / "labextension" / "package-lock.json").read_text())
    assert package["version"] == lock["version"] == metadata["version"]


def test_the_changelog_knows_the_version(project: Path, metadata: dict[str, Any]) -> None:
    assert f"## {metadata['version']}" in (project / "CHANGELOG.md").read_text()


def test_the_lock_file_names_no_registry(project: Path) -> None:
    assert not re.search(r'"resolved":\s*"http', (project / "labextension" / "package-lock.json").read_text())


def test_install_json_names_the_package(project: Path, metadata: dict[str, Any]) -> None:
    assert json.loads((project / "install.json").read_text())["packageName"] == metadata["name"]


def test_every_dependency_has_a_lower_bound(metadata: dict[str, Any]) -> None:
    assert [one for one in metadata["dependencies"] if ">=" not in one] == []


@pytest.mark.parametrize("script", [".ci/run", "binder/postBuild"])
def test_scripts_can_be_run(script: str, project: Path) -> None:
    path = project / script
    assert os.access(path, os.X_OK)
    assert path.read_text().startswith("#!/usr/bin/env bash\n")


def test_notebooks_are_small_and_carry_no_widget_state(project: Path) -> None:
    paths = list((project / "notebooks").glob("*.ipynb"))
    assert paths
    for path in paths:
        assert path.stat().st_size < 1_000_000, path
        assert "widgets" not in json.loads(path.read_text())["metadata"], path


def test_lab_shows_the_extension_enabled_and_ok() -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "jupyter", "labextension", "list"], capture_output=True, text=True, timeout=110
    )
    plain = re.sub(r"\x1b\[\d+m", "", answer.stdout + answer.stderr)
    assert re.search(r"jupyter-sandbox v\S+ enabled OK \(python, jupyter_sandbox\)", plain), plain


@pytest.mark.xdist_group("a group")
def test_tests_of_a_group_are_run_by_one_worker(request: pytest.FixtureRequest) -> None:
    """pytest-xdist has it in their names, and took no notice of groups with a pytest that was newer than it knew."""
    groups = getattr(request.config.option, "loadgroup", False)
    assert request.node.nodeid.endswith("@a group") is groups
