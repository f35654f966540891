"""The package's root: light enough for a sandbox, complete enough for a notebook."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import jupyter_sandbox


def loaded_by(code: str, project: Path) -> set[str]:
    """Modules that a fresh Python has loaded after running ``code``."""
    script = f"import sys; sys.path.insert(0, {str(project)!r}); {code}; print(*sys.modules)"
    told = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, check=True)
    return set(told.stdout.split())


def test_importing_the_root_loads_nothing_else(project: Path) -> None:
    assert not {name for name in loaded_by("import jupyter_sandbox", project) if name.startswith("jupyter_sandbox.")}


def test_importing_the_otp_library_loads_nothing_of_jupyter(project: Path) -> None:
    heavy = {"IPython", "ipykernel", "ipywidgets", "anywidget", "traitlets", "networkx", "plotly", "asyncio"}
    assert not heavy & loaded_by("import jupyter_sandbox.otp", project)


def test_the_extension_loads_no_picture_library_before_it_is_needed(project: Path) -> None:
    heavy = {"ipywidgets", "anywidget", "networkx", "plotly"}
    assert not heavy & loaded_by("import jupyter_sandbox.magics.extension", project)


def test_the_root_gives_the_api_when_it_is_asked_for() -> None:
    assert jupyter_sandbox.SandboxManager.__name__ == "SandboxManager"
    assert jupyter_sandbox.Sandbox.__name__ == "Sandbox"
    assert jupyter_sandbox.control.create_experiment
    assert "SandboxManager" in dir(jupyter_sandbox)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Sandbx'"):
        jupyter_sandbox.Sandbx  # type: ignore[attr-defined]  # noqa: B018
