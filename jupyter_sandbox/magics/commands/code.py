"""Verbs about code: cells, files and versions. What each does is said in the table of verbs."""

from __future__ import annotations

from collections.abc import Mapping
from keyword import iskeyword
from pathlib import Path

from ...code.sources import CellSource, CompiledSource, FolderSource, GitSource, as_source
from ...manager.reports import LoadReport
from ...model.errors import UsageError
from ...model.sandbox import SandboxStatus
from ...model.typed import typable
from ...model.views import ModuleVersion
from ...widgets.loading import Loaded
from ...widgets.table import Column, Table
from ..turn import Turn

_COMPILED = (".pyc", ".whl", ".zip")
_GIT = ("https://", "http://", "git@", "ssh://", "git://", "file://")

VERSIONS: tuple[Column[ModuleVersion], ...] = (
    Column("module", lambda version: version.module),
    Column("version", lambda version: version.version, right=True),
    Column("", lambda version: "current" if version.current else "old"),
    Column("processes", lambda version: version.processes, right=True),
    Column("loaded at step", lambda version: version.loaded_step, right=True),
    Column("file", lambda version: version.file),
    Column("digest", lambda version: version.digest[:12]),
)


def module(turn: Turn) -> Loaded:
    cell = turn.desk.cells.enter(turn.line, turn.body or "")
    name = turn.given.text("MODULE")
    report = _load(turn, CellSource(name, cell.body, cell.file, cell.first_line))
    turn.desk.mirror.set_mains(turn.name, name, cell.classes())
    return _loaded(turn, report)


def execute(turn: Turn) -> object:
    out = turn.given.option("out")
    if out is not None and (not out.isidentifier() or iskeyword(out)):
        raise UsageError("--out", out, hint="give the name of a variable, such as result")
    cell = turn.desk.cells.enter(turn.line, turn.body or "")
    value = turn.sandbox.exec(cell.padded, cell.file, cut=out is None)  # what gets a name is there to be used
    if out is not None:
        turn.desk.store(out, value)
    return value


def load(turn: Turn) -> Loaded:
    return _loaded(turn, _load(turn, _source(turn)))


def versions(turn: Turn) -> Table[ModuleVersion]:
    empty = "no module is loaded: begin a cell with %%sandbox module NAME MODULE"
    found = turn.sandbox.versions()
    return Table(found, [_labelled(turn, column) for column in VERSIONS], empty=empty)


def _labelled(turn: Turn, column: Column[ModuleVersion]) -> Column[ModuleVersion]:
    return Column(column.title, lambda version: turn.desk.cells.label(str(column.cell(version))), column.right)


def _load(turn: Turn, source: object) -> LoadReport:
    """Load into the sandbox; one that is made for it and gets nothing loaded is taken away again."""
    known = {info.name for info in turn.desk.manager.list()}
    if turn.name in known:
        return turn.sandbox.load(source)
    sandbox = turn.desk.manager.create(turn.name)
    try:
        report = sandbox.load(source)
    except BaseException:
        turn.desk.manager.destroy(turn.name)
        raise
    turn.desk.follow(turn.name)
    return report


def _loaded(turn: Turn, report: LoadReport) -> Loaded:
    info = turn.sandbox.info()
    started = info.main is not None and info.status in (SandboxStatus.RUNNING, SandboxStatus.PAUSED)
    mains = turn.desk.mirror.mains.get(turn.name, ())
    main = report.main or (mains[-1] if mains else "")
    named = typable(main)  # the user types it, or copies it
    next_step = f"%sandbox start {turn.name} {main}" if named and not started else ""
    return Loaded(report, turn.name, next_step, turn.desk.cells.label)


def _source(turn: Turn) -> object:
    text = turn.given.text("SOURCE")
    commit = turn.given.option("commit")
    if commit is not None or text.startswith(_GIT):
        return _git(turn, text, commit)
    if not text.strip():
        raise UsageError("SOURCE", text, hint="for the folder of the notebook type .")
    path = Path(text).expanduser()
    if path.suffix in _COMPILED:
        return CompiledSource(paths=(_existing(path),))
    if path.exists():
        return FolderSource(path)
    value = turn.desk.namespace.get(text)
    if isinstance(value, Mapping):
        return as_source(value)
    hint = "give a folder, a file, a git URL with --commit, or a variable that holds a map of file name to text"
    raise UsageError(f"there is no file, folder or map of files {text!r}", hint=hint)


def _git(turn: Turn, url: str, commit: str | None) -> GitSource:
    if commit is None:
        raise UsageError("git needs a commit", hint=f"type %sandbox load {turn.name} {url} --commit FULL_ID")
    private = "private-hosts" in turn.given.options
    return GitSource(url, commit, subfolder=turn.given.option("subfolder"), private_hosts=private)


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise UsageError(f"there is no file {str(path)!r}", hint="give the path of a .pyc, .whl or .zip file")
    return path
