"""What commands in the middle of a cell show."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_sandbox.magics import midcell

CALL = "get_ipython().run_line_magic('sandbox', '{}')"


@pytest.mark.parametrize(
    ("cell", "lines"),
    [
        (f"{CALL.format('a')}\n{CALL.format('b')}", {1}),
        (f"x = {CALL.format('a')}\n{CALL.format('b')}", set()),
        (f"{CALL.format('a')}\nx = 1", {1}),
        (f"for i in range(3):\n    {CALL.format('a')}", {2}),
        (f"{CALL.format('a')}", set()),
        ("get_ipython().run_line_magic('time', 'x')\n1", set()),
        ("this is no python(", set()),
    ],
)
def test_a_value_is_passed_over_when_its_command_is_a_statement_and_not_the_last(cell: str, lines: set[int]) -> None:
    assert midcell._passed_over(cell) == lines


def test_every_command_of_a_cell_shows_its_value_once(shell: Any, shop: Any, capsys: Any) -> None:
    shell.run_cell("%sandbox tree shop\nkept = %sandbox tree shop\n%sandbox metrics shop", store_history=True)
    text = capsys.readouterr().out
    assert text.count("shop · step 7") == 1
    assert text.count("metrics of shop") == 1


def test_a_command_run_by_a_function_shows_nothing_by_itself(shell: Any, shop: Any, capsys: Any) -> None:
    shell.run_cell(
        "def look():\n    get_ipython().run_line_magic('sandbox', 'tree shop')\nlook()\n1", store_history=True
    )
    assert "step 7" not in capsys.readouterr().out
