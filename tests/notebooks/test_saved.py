"""The notebooks as they are saved: with outputs that read without a kernel, small, and without widget state.

That they run is tested by nbmake, which collects them as tests of their own.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


@pytest.fixture(params=NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def notebook(request: pytest.FixtureRequest) -> Any:
    return json.loads(request.param.read_text())


def outputs(notebook: Any) -> list[Any]:
    return [output for cell in notebook["cells"] for output in cell.get("outputs", [])]


def test_it_is_saved_with_outputs_and_without_widget_state(notebook: Any) -> None:
    assert "widgets" not in notebook["metadata"]
    assert len(outputs(notebook)) >= 10
    assert not any("widget-view" in kind for output in outputs(notebook) for kind in output.get("data", {}))


def test_every_output_has_a_text_and_no_script(notebook: Any) -> None:
    for output in outputs(notebook):
        if output["output_type"] in ("execute_result", "display_data"):
            assert "".join(output["data"]["text/plain"]).strip()
            assert "<script" not in "".join(output["data"].get("text/html", ""))


def test_the_tree_is_drawn_in_the_saved_notebook(notebook: Any) -> None:
    pictures = ["".join(output.get("data", {}).get("text/html", "")) for output in outputs(notebook)]
    assert any("<svg" in picture and "front" in picture for picture in pictures)


def test_only_the_cells_that_should_fail_do(notebook: Any) -> None:
    for cell in notebook["cells"]:
        failed = any(output["output_type"] == "error" for output in cell.get("outputs", []))
        assert failed == ("raises-exception" in cell["metadata"].get("tags", [])), cell["source"]


def test_it_names_no_path_of_the_machine_that_ran_it(notebook: Any) -> None:
    text = json.dumps(notebook)
    assert "/tmp/ipykernel" not in text and "/home/" not in text and str(Path.home()) not in text
