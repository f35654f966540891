"""Snapshots outlive the kernel as opaque bytes under the name of their sandbox."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Thread
from typing import cast

import pytest

from jupyter_sandbox.manager import store as module
from jupyter_sandbox.manager.row import MOST_BYTES
from jupyter_sandbox.manager.store import SnapshotInfo, SnapshotStore, default_path
from jupyter_sandbox.model.errors import SnapshotError


def info(name: str, at: float = 1.0) -> SnapshotInfo:
    return SnapshotInfo(name, at, 12, 3, 4)


def test_a_snapshot_survives_the_store_that_wrote_it(tmp_path: Path) -> None:
    first = SnapshotStore(tmp_path / "deep" / "snapshots.db")
    first.save("shop", info("before"), b"meta", b"\x00blob")
    first.close()
    second = SnapshotStore(tmp_path / "deep" / "snapshots.db")
    found = second.load("shop", "before")
    assert found is not None and (found.meta, found.blob) == (b"meta", b"\x00blob")
    assert found.info == SnapshotInfo("before", 1.0, 12, 3, 5)
    second.close()


def test_names_belong_to_their_sandbox_and_are_listed_oldest_first() -> None:
    store = SnapshotStore(":memory:")
    store.save("shop", info("b", 2.0), b"", b"x")
    store.save("shop", info("a", 3.0), b"", b"x")
    store.save("bank", info("c", 1.0), b"", b"x")
    assert [one.name for one in store.list("shop")] == ["b", "a"]
    assert store.load("bank", "a") is None
    store.close()


def test_a_second_snapshot_of_a_name_replaces_the_first() -> None:
    store = SnapshotStore(":memory:")
    store.save("shop", info("a"), b"", b"old")
    store.save("shop", info("a", 9.0), b"", b"new")
    found = store.load("shop", "a")
    assert found is not None and found.blob == b"new" and len(store.list("shop")) == 1
    store.close()


def test_forgetting_a_sandbox_removes_its_snapshots_only() -> None:
    store = SnapshotStore(":memory:")
    store.save("shop", info("a"), b"", b"x")
    store.save("bank", info("a"), b"", b"x")
    assert store.forget("shop") == 1 and store.forget("shop") == 0
    assert store.list("shop") == [] and len(store.list("bank")) == 1
    store.close()


def test_a_kernel_that_takes_no_snapshot_writes_no_file(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path / "snapshots.db")
    store.forget("shop")
    store.close()
    assert list(tmp_path.iterdir()) == []


def test_nobody_else_can_read_the_file(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path / "snapshots.db")
    store.save("shop", info("a"), b"", b"x")
    assert stat.S_IMODE((tmp_path / "snapshots.db").stat().st_mode) == 0o600
    store.close()


def test_two_kernels_share_the_file(tmp_path: Path) -> None:
    one, two = SnapshotStore(tmp_path / "s.db"), SnapshotStore(tmp_path / "s.db")
    one.save("shop", info("a"), b"", b"x")
    two.save("shop", info("b", 2.0), b"", b"x")
    assert [found.name for found in one.list("shop")] == ["a", "b"]
    one.close()
    two.close()


def test_a_place_that_cannot_be_used_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = SnapshotStore(tmp_path / "file" / "snapshots.db")
    with pytest.raises(SnapshotError, match="SandboxManager\\(store="):
        store.save("shop", info("a"), b"", b"x")


@pytest.mark.parametrize(
    ("code", "tries"), [(sqlite3.SQLITE_FULL, 1), (sqlite3.SQLITE_IOERR, 1), (sqlite3.SQLITE_BUSY, 2)]
)
def test_only_what_others_will_let_go_of_is_waited_for(code: int, tries: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A drive that is full or breaks is told at once."""
    tried: list[str] = []

    class Refusing:
        def execute(self, statement: str) -> None:
            tried.append(statement)
            error = sqlite3.OperationalError("no")
            error.sqlite_errorcode = code
            raise error

    monkeypatch.setattr(module, "_PATIENCE_S", 0.05)
    with pytest.raises(sqlite3.OperationalError):
        module._write_ahead(cast(sqlite3.Connection, Refusing()))
    assert len(tried) >= tries and (len(tried) == 1) == (tries == 1)


def test_a_file_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "s.db")
    connection.execute("pragma user_version = 99")
    connection.close()
    store = SnapshotStore(tmp_path / "s.db")
    with pytest.raises(SnapshotError, match="newer version"):
        store.list("shop")
    store.close()


@pytest.mark.parametrize(
    ("platform", "variable", "folder"),
    [("linux", "XDG_DATA_HOME", ""), ("linux", "HOME", ".local/share"), ("freebsd14", "HOME", ".local/share"),
     ("darwin", "HOME", "Library/Application Support")],
)  # fmt: skip
def test_the_default_place_is_the_users_data_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, platform: str, variable: str, folder: str
) -> None:
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setenv(variable, os.fspath(tmp_path))
    monkeypatch.setattr(sys, "platform", platform)
    assert default_path() == tmp_path / folder / "jupyter_sandbox" / "snapshots.db"


def test_the_same_name_in_two_folders_is_two_sandboxes(tmp_path: Path) -> None:
    here, there = (SnapshotStore(tmp_path / "s.db", scope) for scope in ("/a", "/b"))
    here.save("shop", SnapshotInfo("one", 0.0, 1, 1, 1), b"", b"x")
    assert there.list("shop") == [] and there.load("shop", "one") is None and there.forget("shop") == 0
    here.close()
    again = SnapshotStore(tmp_path / "s.db", "/a")
    assert [info.name for info in again.list("shop")] == ["one"]
    again.close()
    there.close()


def test_a_notebook_neither_replaces_nor_deletes_what_another_took_but_may_restore_it(tmp_path: Path) -> None:
    mine, yours = (SnapshotStore(tmp_path / "s.db", "/a", origin) for origin in ("mine.ipynb", "yours.ipynb"))
    mine.save("shop", info("before"), b"", b"mine")
    yours.save("shop", info("before", 2.0), b"", b"yours")
    yours.save("shop", info("only yours", 3.0), b"", b"yours too")
    assert [(one.name, one.origin) for one in mine.list("shop")] == [
        ("before", "mine.ipynb"), ("before", "yours.ipynb"), ("only yours", "yours.ipynb"),
    ]  # fmt: skip
    own, other = mine.load("shop", "before"), mine.load("shop", "only yours")
    assert own is not None and own.blob == b"mine" and other is not None and other.blob == b"yours too"
    assert mine.forget("shop") == 1
    assert [one.name for one in yours.list("shop")] == ["before", "only yours"]
    mine.close()
    yours.close()


def test_kernels_that_write_at_the_same_time_lose_nothing(tmp_path: Path, project: Path) -> None:
    script, path, count = Path(__file__).with_name("writing_kernel.py"), tmp_path / "new" / "s.db", 25
    with ExitStack() as running:
        kernels = [
            running.enter_context(
                subprocess.Popen(
                    [sys.executable, str(script), str(path), origin, str(count)], stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(project)},
                )
            )
            for origin in ("a", "b", "c")
        ]  # fmt: skip
        for kernel in kernels:
            assert kernel.stdout is not None and kernel.stdout.readline() == b"ready\n"
        for kernel in kernels:
            assert kernel.stdin is not None
            kernel.stdin.write(b"go\n")
            kernel.stdin.close()
        assert [kernel.wait(100) for kernel in kernels] == [0, 0, 0]
    store = SnapshotStore(path, "/folder", "a")
    assert len(store.list("shop")) == 3 * (count + 1)
    same = store.load("shop", "same name")
    assert same is not None and same.blob == b"a"
    store.close()


def test_a_file_of_the_first_format_is_taken_over(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "s.db")
    connection.execute(
        "create table snapshots (sandbox text not null, name text not null, created_at real not null,"
        " step integer not null, processes integer not null, meta blob not null, blob blob not null,"
        " primary key (sandbox, name)) without rowid"
    )
    connection.execute("insert into snapshots values (?, 'old', 1.0, 12, 3, x'01', x'02')", ("/a\0shop",))
    connection.execute("pragma user_version = 1")
    connection.commit()
    connection.close()
    store = SnapshotStore(tmp_path / "s.db", "/a", "mine.ipynb")
    found = store.load("shop", "old")
    assert found is not None and (found.blob, found.info.origin) == (b"\x02", "")
    store.close()


@pytest.mark.parametrize("older", [False, True], ids=["made here", "made by an older version"])
def test_the_room_of_what_is_forgotten_goes_back_to_the_drive(tmp_path: Path, older: bool) -> None:
    path = tmp_path / "snapshots.db"
    if older:
        with sqlite3.connect(path) as database:
            database.execute(module._SCHEMA)
            assert database.execute("pragma auto_vacuum").fetchone() == (0,)
        database.close()
    store = SnapshotStore(path)
    store.save("bank", info("kept"), b"", b"y")
    for number in range(4):
        store.save("shop", info(f"{number}"), b"", os.urandom(2_000_000))
    assert store.forget("shop") == 4
    assert sum(one.stat().st_size for one in tmp_path.iterdir()) < 500_000
    assert [one.name for one in store.list("bank")] == ["kept"]
    store.close()


def test_forgetting_does_not_wait_for_a_kernel_that_reads(tmp_path: Path) -> None:
    path = tmp_path / "snapshots.db"
    store = SnapshotStore(path)
    store.save("shop", info("before"), b"", os.urandom(2_000_000))
    reader = sqlite3.connect(path)
    reader.execute("begin")
    assert reader.execute("select name from snapshots").fetchall() == [("before",)]
    assert store.forget("shop") == 1 and store.list("shop") == []
    reader.close()
    store.close()


MUTILATED = {
    "meta that is text": ("meta", "text"), "meta that is a number": ("meta", 7), "blob that is text": ("blob", "text"),
    "blob that is a number": ("blob", 5), "blob that is too large": ("blob", bytes(MOST_BYTES + 1)),
    "a date in words": ("created_at", "yesterday"), "a date that never comes": ("created_at", float("inf")),
    "a date before all": ("created_at", -1e300), "a date in bytes": ("created_at", b"x"),
    "a step in words": ("step", "x"), "a step below nothing": ("step", -1), "a step beyond all": ("step", 1 << 62),
    "processes that are markup": ("processes", "<script>alert(1)</script>"), "half a process": ("processes", 0.5),
    "a notebook in bytes": ("origin", b"x"), "a notebook that is no text": ("origin", "cast(x'ff' as text)"),
}  # fmt: skip
"""SQLite keeps any value in any column."""


@pytest.mark.parametrize("what", MUTILATED)
def test_one_mutilated_row_is_told_in_words_and_takes_no_other_along(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    store = SnapshotStore(tmp_path / "s.db", "/a", "mine.ipynb")
    for name in ("before", "whole"):
        store.save("shop", info(name), b"meta", b"blob")
    field, value = MUTILATED[what]
    with sqlite3.connect(tmp_path / "s.db") as other:
        asked, given = (value, ()) if str(value).startswith("cast") else ("?", (value,))
        other.execute(f"update snapshots set {field} = {asked} where name = 'before'", given)
    other.close()
    assert [one.name for one in store.list("shop")] == ["whole"]
    assert "1 of 2 snapshots" in caplog.text and f"its {field} " in caplog.text
    with pytest.raises(SnapshotError, match=f"'before' cannot be read: in the file .*its {field} .*take it again"):
        store.load("shop", "before")
    whole = store.load("shop", "whole")
    assert whole is not None and whole.blob == b"blob"
    store.save("shop", info("before"), b"meta", b"again")
    again = store.load("shop", "before")
    assert again is not None and again.blob == b"again"
    store.close()


def test_a_name_that_is_no_text_takes_no_other_along(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path / "s.db")
    for name in ("before", "whole"):
        store.save("shop", info(name), b"meta", b"blob")
    with sqlite3.connect(tmp_path / "s.db") as other:
        other.execute("update snapshots set name = cast(x'ff41' as text) where name = 'before'")
    other.close()
    assert [one.name for one in store.list("shop")] == ["whole"] and store.load("shop", "before") is None
    assert store.forget("shop") == 2
    store.close()


def test_a_mutilated_row_of_another_notebook_does_not_stand_before_a_whole_one(tmp_path: Path) -> None:
    mine, yours, theirs = (SnapshotStore(tmp_path / "s.db", "", origin) for origin in ("mine", "yours", "theirs"))
    yours.save("shop", info("before", 9.0), b"", b"mutilated")
    theirs.save("shop", info("before", 1.0), b"", b"whole")
    with sqlite3.connect(tmp_path / "s.db") as other:
        other.execute("update snapshots set created_at = 'tomorrow' where origin = 'yours'")
    other.close()
    found = mine.load("shop", "before")
    assert found is not None and found.blob == b"whole"
    with pytest.raises(SnapshotError, match="created_at is 'tomorrow'"):
        yours.load("shop", "before")
    for store in (mine, yours, theirs):
        store.close()


ENDLESS = "with recursive r (x) as (select 1 union all select x + 1 from r) select x"
TRAPS = {
    "a pipe": ("unlink {store}", "mkfifo {store}"),
    "a pipe beside it": ("mkfifo {store}-journal",),
    "a trigger": (
        f"create trigger t before insert on snapshots begin select count(*) from ({ENDLESS} from r); end",
    ),
    "a view": (
        "alter table snapshots rename to old",
        f"create view snapshots as {ENDLESS} as sandbox, x as name, x as origin, x as created_at, x as step, "
        "x as processes, x as meta, x as blob from r",
    ),
}  # fmt: skip


def lay(trap: tuple[str, ...], path: Path) -> None:
    for step in trap:
        verb, _, place = step.format(store=path).partition(" ")
        if verb == "unlink":
            path.unlink()
        elif verb == "mkfifo":
            os.mkfifo(place)
        else:
            with closing(sqlite3.connect(path)) as database, database:
                database.execute(step)


@pytest.mark.skipif(sys.platform == "win32", reason="needs named pipes")
@pytest.mark.parametrize("name", TRAPS)
def test_a_trap_in_the_file_keeps_nobody(tmp_path: Path, name: str) -> None:
    """As a sandbox can lay it that may write where the file lies."""
    path = tmp_path / "snapshots.db"
    store = SnapshotStore(path)
    store.save("shop", info("before"), b"", b"x")
    store.close()
    lay(TRAPS[name], path)
    errors = list[BaseException]()

    def use() -> None:
        try:
            store.list("shop")
            store.save("shop", info("after"), b"", b"x")
        except SnapshotError as error:
            errors.append(error)

    thread = Thread(target=use, daemon=True)
    thread.start()
    thread.join(5)
    assert not thread.is_alive(), "it is kept"
    assert len(errors) == 1 and f"{path} cannot be used" in str(errors[0])
    store.close()


def test_a_database_of_somebody_else_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "cookies.db"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("create table cookies (x)")
    before = path.read_bytes()
    (tmp_path / "snapshots.db").symlink_to(path)
    for name in ("cookies.db", "snapshots.db"):
        with pytest.raises(SnapshotError, match="it is a database of something else"):
            SnapshotStore(tmp_path / name).save("shop", info("before"), b"", b"x")
    assert path.read_bytes() == before
