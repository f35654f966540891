"""The table for people who know Elixir or Erlang names only what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from jupyter_sandbox import otp
from jupyter_sandbox.otp import OtpContext, application, sys
from jupyter_sandbox.otp.tables import Ets

TEXT = (Path(__file__).parents[2] / "docs" / "from-erlang.md").read_text()
ROWS = [line.split(" | ", 1)[1] for line in TEXT.splitlines() if line.startswith("| ") and " | " in line]
TYPE_PARAMETERS = ("Add", "Data", "Order", "Request", "State")
CODE = sorted({code for row in ROWS for code in re.findall(r"`([^`]+)`", row)})


@pytest.mark.parametrize("name", sorted({name for code in CODE for name in re.findall(r"\bself\.(?!ets)(\w+)", code)}))
def test_self_has_everything_that_the_table_says(name: str) -> None:
    assert hasattr(OtpContext, name)


@pytest.mark.parametrize("name", sorted({name for code in CODE for name in re.findall(r"\bself\.ets\.(\w+)", code)}))
def test_the_tables_have_everything_that_the_table_says(name: str) -> None:
    assert hasattr(Ets, name)


@pytest.mark.parametrize("code", sorted({c for c in CODE for c in re.findall(r"\b(?:application|sys)(?:\.\w+)+", c)}))
def test_the_modules_have_everything_that_the_table_says(code: str) -> None:
    found: object = {"application": application, "sys": sys}[code.split(".")[0]]
    for name in code.split(".")[1:]:
        assert hasattr(found, name)
        found = getattr(found, name)


@pytest.mark.parametrize(
    "code", sorted({c for one in CODE for c in re.findall(r"(?<![\w.\"'])[A-Z]\w+(?:\.\w+)?", one)})
)
def test_every_class_and_constant_that_the_table_names_exists(code: str) -> None:
    name, _, attribute = code.partition(".")
    if name in ("None", "True", "False", "Counter", "Door", "Shop", "Sandbox", "UsageError", *TYPE_PARAMETERS):
        return
    assert hasattr(otp, name), code
    assert not attribute or hasattr(getattr(otp, name), attribute), code


@pytest.mark.parametrize("name", sorted(otp.__all__))
def test_everything_that_the_package_offers_is_in_the_table(name: str) -> None:
    assert re.search(rf"\b{name}\b", TEXT), name
