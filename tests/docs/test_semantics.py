"""The documents stay true: every test that they name exists, and the README's cells run."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SEMANTICS = (ROOT / "docs" / "semantics.md").read_text()


def recorded_rules() -> set[str]:
    files = (ROOT / "tests" / "conformance" / "golden").glob("*.jsonl")
    return {json.loads(line)["rule"] for file in files for line in file.read_text().splitlines()}


def test_every_recorded_rule_that_the_semantics_name_exists() -> None:
    named = set(re.findall(r"`g:([a-z0-9_.]+)`", SEMANTICS))
    assert len(named) > 80
    assert named - recorded_rules() == set()


def test_every_recorded_rule_stands_in_the_semantics() -> None:
    assert recorded_rules() - set(re.findall(r"`g:([a-z0-9_.]+)`", SEMANTICS)) == set()


@pytest.mark.parametrize("reference", sorted(set(re.findall(r"`(test_\w+\.py::test_\w+)`", SEMANTICS))))
def test_every_test_that_the_semantics_name_exists(reference: str) -> None:
    file, name = reference.split("::")
    found = [path for path in (ROOT / "tests").rglob(file) if re.search(rf"def {name}\(", path.read_text())]
    assert found, f"docs/semantics.md names {reference}, which does not exist"


def test_every_rule_names_its_test() -> None:
    rules = SEMANTICS[SEMANTICS.index("## Steps") : SEMANTICS.index("## Where Python")]
    bare = [line for line in rules.splitlines() if line.startswith("- ") and "`g:" not in line and "test_" not in line]
    assert bare == []


def test_links_in_the_documents_lead_somewhere() -> None:
    links = [
        (document, target)
        for document in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
        for target in re.findall(r"\]\(([^)#]+)\)", document.read_text())
        if "://" not in target
    ]
    assert len(links) > 5
    assert [f"{document.name}: {target}" for document, target in links if not (document.parent / target).exists()] == []
