"""The layers: who may import whom, what stays pure, and what a sandbox never loads."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PURE = ("model", "otp", "runtime", "trace", "wire")
JUPYTER = ("IPython", "anywidget", "comm", "ipykernel", "ipywidgets", "jupyter_client", "jupyterlab", "networkx",
           "plotly", "tornado", "traitlets", "zmq")  # fmt: skip


def python(code: str, project: Path) -> str:
    """What a fresh interpreter prints."""
    answer = subprocess.run([sys.executable, "-c", code], cwd=project, capture_output=True, text=True, timeout=60)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout


def test_imports_keep_to_the_layers(project: Path) -> None:
    python("from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))", project)


@pytest.mark.parametrize("module", ["jupyter_sandbox", "jupyter_sandbox.guest", "jupyter_sandbox.otp"])
def test_what_a_sandbox_imports_loads_nothing_of_jupyter(module: str, project: Path) -> None:
    loaded = python(f"import sys, {module}; print(*{{name.partition('.')[0] for name in sys.modules}})", project)
    assert not set(JUPYTER) & set(loaded.split())


def test_the_root_loads_no_layer(project: Path) -> None:
    loaded = python("import sys, jupyter_sandbox; print(*sys.modules)", project)
    assert [name for name in loaded.split() if name.startswith("jupyter_sandbox.")] == []


@pytest.mark.parametrize("layer", PURE)
def test_a_pure_layer_draws_chance_from_seeded_generators_only(layer: str, project: Path) -> None:
    files = sorted((project / "jupyter_sandbox" / layer).rglob("*.py"))
    assert [f"{file.name} {name}" for file in files for name in chances(ast.parse(file.read_text()))] == []


def chances(tree: ast.Module) -> Iterator[str]:
    """What a module uses of ``random`` but its class of seeded generators."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id="random"), attr=name) if name != "Random":
                yield name
            case ast.ImportFrom(module="random", names=names):
                yield from (alias.name for alias in names if alias.name != "Random")
