"""The table of module versions: current and old, never three, and no change to the table one holds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jupyter_sandbox.code.difference import difference, sources
from jupyter_sandbox.code.gather import gather
from jupyter_sandbox.code.versions import VersionTable
from jupyter_sandbox.model.code import ModuleCode


def loaded(*digests: str) -> VersionTable:
    table = VersionTable()
    for step, digest in enumerate(digests):
        table = table.loaded([ModuleCode("counter", b"", digest=digest)], step)
    return table


def test_versions_count_from_one() -> None:
    assert VersionTable().number("counter") == 0
    assert loaded("aa").number("counter") == 1
    assert loaded("aa", "bb").number("counter") == 2


def test_a_second_load_keeps_the_first_as_old() -> None:
    views = loaded("aa", "bb").views({("counter", 1): 3})
    assert [(v.version, v.current, v.processes) for v in views] == [(2, True, 0), (1, False, 3)]


@given(st.lists(st.sampled_from(["aa", "bb", "cc"]), max_size=10))
def test_a_module_never_has_more_than_a_current_and_an_old_version(digests: list[str]) -> None:
    views = loaded(*digests).views({})
    newest = len(digests)
    assert [(v.version, v.current) for v in views] == [(newest, True), (newest - 1, False)][: min(newest, 2)]
    assert [v.digest for v in views] == digests[::-1][:2]


def test_the_same_text_again_is_recognised_and_a_way_back_is_a_change() -> None:
    table = loaded("aa", "bb")
    assert table.is_current("counter", "bb")
    assert not table.is_current("counter", "aa")
    assert not table.is_current("other", "bb")


def test_a_table_never_changes() -> None:
    table = loaded("aa")
    table.loaded([ModuleCode("counter", b"", digest="bb")], 1)
    assert table.number("counter") == 1


def test_a_diff_shows_what_changed_in_modules_that_were_there() -> None:
    before, after = gather({"a.py": "n = 1\n"}), gather({"a.py": "n = 2\n", "b.py": "new = 1\n"})
    text = difference(sources(before), sources(after))
    assert "-n = 1" in text and "+n = 2" in text and "new" not in text
    assert difference(sources(after), sources(after)) == ""


def test_a_long_diff_is_cut_and_says_by_how_much() -> None:
    before = {"a": "\n".join(f"x{n} = 1" for n in range(1000))}
    after = {"a": "\n".join(f"x{n} = 2" for n in range(1000))}
    assert difference(before, after).splitlines()[-1].endswith("more lines")
