"""The table of module versions: current and old, never three, and no change to the table one holds."""

from __future__ import annotations

from jupyter_sandbox.code.difference import difference, sources
from jupyter_sandbox.code.gather import gather
from jupyter_sandbox.code.versions import VersionTable


def loaded(*digests: str) -> VersionTable:
    table = VersionTable()
    for step, digest in enumerate(digests):
        table = table.loaded("counter", digest, "In[1]", step)
    return table


def test_versions_count_from_one() -> None:
    assert VersionTable().number("counter") == 0
    assert loaded("aa").number("counter") == 1
    assert loaded("aa", "bb").number("counter") == 2


def test_a_second_load_keeps_the_first_as_old() -> None:
    views = loaded("aa", "bb").views({("counter", 1): 3})
    assert [(v.version, v.current, v.processes) for v in views] == [(2, True, 0), (1, False, 3)]


def test_a_third_load_has_to_purge_the_oldest() -> None:
    table = loaded("aa", "bb")
    assert [version.number for version in table.to_purge(["counter"])] == [1]
    assert [v.version for v in table.loaded("counter", "cc", "In[1]", 3).views({})] == [3, 2]


def test_a_first_or_second_load_purges_nothing() -> None:
    assert VersionTable().to_purge(["counter"]) == ()
    assert loaded("aa").to_purge(["counter"]) == ()


def test_purging_keeps_the_current_version() -> None:
    assert [v.version for v in loaded("aa", "bb").purged(["counter", "unknown"]).views({})] == [2]


def test_the_same_text_again_is_recognised_and_a_way_back_is_a_change() -> None:
    table = loaded("aa", "bb")
    assert table.is_current("counter", "bb")
    assert not table.is_current("counter", "aa")
    assert not table.is_current("other", "bb")


def test_a_table_never_changes() -> None:
    table = loaded("aa")
    table.loaded("counter", "bb", "In[1]", 1)
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
