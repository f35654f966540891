"""The README's cells, run in a real kernel in the order in which they stand there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import start_new_kernel

README = (Path(__file__).parents[2] / "README.md").read_text()
CELLS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    manager, client = start_new_kernel()
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def run(client: Any, code: str) -> list[str]:
    """The texts a cell shows; fails with its error."""
    shown: list[str] = []

    def hook(message: dict[str, Any]) -> None:
        content = message["content"]
        if message["msg_type"] in ("execute_result", "display_data"):
            shown.append(content["data"]["text/plain"])

    reply = client.execute_interactive(code, output_hook=hook, timeout=60)
    assert reply["content"]["status"] == "ok", reply["content"]
    return shown


def test_the_cells_run_and_show_what_they_promise(client: Any) -> None:
    module = CELLS[1].partition("\n")[2]
    shown = [run(client, cell) for cell in CELLS[:-1]]
    assert "◌ front" in shown[2][0] and shown[2][-1] == "0"
    _, _, steps, why, back, _ = shown[3]
    assert [line.split()[1] for line in steps.split("\n")] == ["back", "Shop", "back", "Shop"]
    assert "spawned back" in steps and "nothing more to do" not in steps
    assert why.startswith(
        "MissingCallback in handle_cast → exit → one_for_one restart 1 of 3 in 5 s → state back to 100"
    )
    assert "shop is back at step" in back
    assert run(client, f"source = {module!r}\n{CELLS[-1]}\nprint('done')") == []
