"""Every test that the promises about security name exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SECURITY = (ROOT / "docs" / "security.md").read_text()


@pytest.mark.parametrize("reference", sorted(set(re.findall(r"`(test_\w+\.py::test_\w+)`", SECURITY))))
def test_every_test_that_a_promise_names_exists(reference: str) -> None:
    file, name = reference.split("::")
    assert [path for path in (ROOT / "tests").rglob(file) if f"def {name}(" in path.read_text()], reference


def test_every_promise_names_its_test() -> None:
    promises = SECURITY[SECURITY.index("## Promises") : SECURITY.index("## Limits")]
    told = re.split(r"\n(?=- )", promises)[1:]
    assert len(told) > 90
    assert [one for one in told if "\n  Tested by `test_" not in one and "\n  Tested by\n  `test_" not in one] == []
