"""Snapshots outside the kernel: a SQLite file of opaque blobs per sandbox name, which survives the kernel.

Kernels share the file, and those of one folder what is in it: all may restore
a snapshot, nobody replaces or deletes one that another notebook took.
A blob is written by a guest and only ever opened by a guest; here it is bytes.
Every method blocks on the disk: the manager calls them on a thread.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..model.errors import SnapshotError
from ..model.harmless import on_one_line
from .row import CONTENTS, FACTS, fault

_SCHEMA = """
create table if not exists snapshots (
    sandbox text not null, name text not null, origin text not null, created_at real not null, step integer not null,
    processes integer not null, meta blob not null, blob blob not null,
    primary key (sandbox, name, origin)
) without rowid
"""
_FROM_1 = (
    "alter table snapshots rename to snapshots_1",
    _SCHEMA,
    "insert into snapshots select sandbox, name, '', created_at, step, processes, meta, blob from snapshots_1",
    "drop table snapshots_1",
)
"""Format 1 did not know who took a snapshot."""
Rows = Sequence[tuple[Any, ...]]
_VERSION = 2
_LOG = logging.getLogger("jupyter_sandbox")
_PATIENCE_S = 10.0
"""How long a kernel waits for others that write."""


@dataclass(frozen=True, slots=True)
class SnapshotInfo:
    """One line of ``%sandbox snapshots``; ``created_at`` in seconds since the epoch, ``size`` in bytes."""

    name: str
    created_at: float
    step: int
    processes: int
    size: int
    origin: str = ""
    """The notebook that took it; empty in a terminal or a script."""


@dataclass(frozen=True, slots=True)
class StoredSnapshot:
    """A snapshot with its contents; ``meta`` is what the manager needs to build a guest for ``blob``."""

    info: SnapshotInfo
    meta: bytes
    blob: bytes


class SnapshotStore:
    """Opened at the first use, so that a kernel which never takes a snapshot never writes a file.

    ``scope`` keeps sandboxes of the same name apart: the folder that a kernel works in. ``origin`` is the notebook.

    >>> store = SnapshotStore(":memory:")
    >>> store.save("shop", SnapshotInfo("before", 0.0, 12, 3, 2), b"", b"xy")
    >>> [info.name for info in store.list("shop")]
    ['before']
    >>> store.close()
    """

    def __init__(self, path: str | Path | None = None, scope: str = "", origin: str = "") -> None:
        self._scope = f"{scope}\0" if scope else ""
        self.origin = origin
        self.path = str(path) if path is not None else str(default_path())
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def save(self, sandbox: str, info: SnapshotInfo, meta: bytes, blob: bytes) -> None:
        """Keep a snapshot; one of the same name and notebook is replaced."""
        facts = (self._scope + sandbox, info.name, self.origin, info.created_at, info.step, info.processes)
        with self._open() as database:
            database.execute("insert or replace into snapshots values (?, ?, ?, ?, ?, ?, ?, ?)", (*facts, meta, blob))

    def load(self, sandbox: str, name: str) -> StoredSnapshot | None:
        """The snapshot with its contents, or None. Of several notebooks' one's own, else the newest.

        Raises SnapshotError for one that other hands changed.
        """
        key = (self._scope + sandbox, name)
        with self._open() as database:
            rows = database.execute(
                f"select {FACTS}, {CONTENTS} from snapshots where sandbox = ? and name = ? order by created_at desc",
                key,
            ).fetchall()
            if not rows:
                return None
            info = self._chosen(rows, name)
            contents = database.execute(
                "select meta, blob from snapshots where sandbox = ? and name = ? and origin = ?", (*key, info.origin)
            ).fetchone()
        return StoredSnapshot(info, *contents) if contents else None

    def _chosen(self, rows: Rows, name: str) -> SnapshotInfo:
        """One's own, whole or not: another notebook's in place of it would be a surprise."""
        chosen = [row for row in rows if row[5] == self.origin] or [row for row in rows if not fault(row)] or rows
        if wrong := fault(chosen[0]):
            raise SnapshotError(f"snapshot {name!r} cannot be read: in the file {self.path} {wrong}; take it again")
        return SnapshotInfo(*chosen[0][:6])

    def list(self, sandbox: str) -> list[SnapshotInfo]:
        """All snapshots of a sandbox, oldest first, without contents.

        Those that other hands changed are left out, and a warning is logged.
        """
        with self._open() as database:
            rows = database.execute(
                f"select {FACTS}, {CONTENTS} from snapshots where sandbox = ? order by created_at, name",
                (self._scope + sandbox,),
            ).fetchall()
        faults = [wrong for row in rows if (wrong := fault(row))]
        if faults:
            told = f"{len(faults)} of {len(rows)} snapshots of {sandbox} are left out: {faults[0]}"
            _LOG.warning("%s; the file %s was changed by other hands", on_one_line(told, 300), self.path)
        return [SnapshotInfo(*row[:6]) for row in rows if not fault(row)]

    def forget(self, sandbox: str) -> int:
        """Delete the snapshots that this notebook took of a sandbox; how many there were. Never creates the file."""
        if self._connection is None and self.path != ":memory:" and not Path(self.path).exists():
            return 0
        with self._open() as database:
            gone = database.execute(
                "delete from snapshots where sandbox = ? and origin = ?", (self._scope + sandbox, self.origin)
            ).rowcount
        if gone:
            self._give_back()
        return gone

    def _give_back(self) -> None:
        """What nothing lies in any more goes back to the drive; while others use the file, they do that later."""
        with self._lock, suppress(sqlite3.OperationalError):
            if self._connection is not None:
                _shrink(self._connection)

    def close(self) -> None:
        """Close the file; idempotent, and a later use opens it again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                if self._connection is None:
                    self._connection = _connect(self.path)
                with self._connection:
                    yield self._connection
            except (sqlite3.Error, OSError) as error:
                raise SnapshotError(
                    f"the snapshot store {self.path} cannot be used ({error}); "
                    "give another place: SandboxManager(store='snapshots.db')"
                ) from error


def _connect(path: str) -> sqlite3.Connection:
    if path != ":memory:":
        folder = Path(path).parent
        folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        # Blobs hold user state: nobody else reads them.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        _are_files(path)
    connection = sqlite3.connect(path, check_same_thread=False, timeout=_PATIENCE_S)
    connection.text_factory = _text
    connection.set_authorizer(_asked_by_ourselves)
    try:
        _is_ours(connection)
        connection.execute("pragma auto_vacuum = incremental")  # before there is anything in it
        _write_ahead(connection)
        connection.execute("pragma synchronous = normal")
        with connection:
            connection.execute("begin immediate")  # one kernel at a time makes the table
            _prepare(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _are_files(path: str) -> None:
    """SQLite opens all of them, and would wait at a pipe for ever. Raises OSError."""
    for name in (path, *(f"{path}{ending}" for ending in ("-journal", "-wal", "-shm"))):
        if os.path.lexists(name) and not os.path.isfile(name):
            raise FileExistsError(f"{name} is no file; take it away")


def _asked_by_ourselves(action: int, _one: object, _two: object, _database: object, cause: str | None) -> int:
    """No trigger or view is followed: whoever can write the file could put one there that never ends."""
    return sqlite3.SQLITE_DENY if cause or action == sqlite3.SQLITE_RECURSIVE else sqlite3.SQLITE_OK


def _is_ours(connection: sqlite3.Connection) -> None:
    """Nothing is made in a database that somebody else works with, and that the path or a link may name by mistake."""
    names = {name for (name,) in connection.execute("select name from sqlite_master")}
    if names and "snapshots" not in names:
        raise sqlite3.DatabaseError("it is a database of something else")


def _text(data: bytes) -> str | bytes:
    """What is no text stays what it is, and is its row's fault alone."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def _shrink(connection: sqlite3.Connection) -> None:
    connection.execute("pragma busy_timeout = 0")  # whoever destroys a sandbox waits for no other kernel
    try:
        _vacuum(connection)
    finally:
        connection.execute(f"pragma busy_timeout = {int(_PATIENCE_S * 1000)}")


def _vacuum(connection: sqlite3.Connection) -> None:
    if connection.execute("pragma auto_vacuum").fetchone() == (0,):  # made by an older version
        connection.execute("pragma auto_vacuum = incremental")
        connection.execute("vacuum")
    connection.executescript("pragma incremental_vacuum")  # a step per page, of which ``execute`` takes one
    connection.execute("pragma wal_checkpoint(truncate)").fetchall()


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Readers and a writer at the same time. Of all that SQLite does, this switch alone does not wait for others."""
    until = time.monotonic() + _PATIENCE_S
    while True:
        try:
            connection.execute("pragma journal_mode = wal")
            return
        except sqlite3.OperationalError as error:  # a drive that is full, say, is nobody's to let go of
            others = error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
            if not others or time.monotonic() > until:
                raise
            time.sleep(0.02)


def _prepare(connection: sqlite3.Connection) -> None:
    (version,) = connection.execute("pragma user_version").fetchone()
    if version > _VERSION:
        raise sqlite3.DatabaseError(f"it was written by a newer version (format {version})")
    for statement in _FROM_1 if version == 1 else (_SCHEMA,):
        connection.execute(statement)
    connection.execute(f"pragma user_version = {_VERSION}")


def default_path() -> Path:
    """Where snapshots live unless told otherwise: the user's data folder of this platform."""
    return _data_folder() / "jupyter_sandbox" / "snapshots.db"


def _data_folder() -> Path:
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
