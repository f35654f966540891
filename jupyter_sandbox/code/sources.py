"""Where code comes from: one frozen description per kind of source. Nothing here reads anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import assert_never, cast

from ..model.errors import CompileError, UsageError, shown
from ..model.given import many, pairs, path, seconds, text, text_or_none, whole


@dataclass(frozen=True, slots=True)
class CellSource:
    """One module written in a notebook cell.

    ``file`` is the name that IPython gives the cell, and ``first_line`` the line
    of the cell where ``source`` begins (2 under a cell magic), so that tracebacks
    and diagnostics point into the cell as the user sees it.
    """

    module: str
    source: str
    file: str = ""
    first_line: int = 1


@dataclass(frozen=True, slots=True)
class FilesSource:
    """A map of file name to text: ``{"shop/__init__.py": "", "shop/counter.py": "..."}``."""

    files: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class FolderSource:
    """A folder, or one ``.py`` file.

    All ``.py`` files below the folder become modules, named by their path in it
    (in its ``src`` when it has one). Left out: hidden folders, virtual environments, and the usual
    files that are not the program (see ``tree.LEFT_OUT``).
    """

    path: Path


@dataclass(frozen=True, slots=True)
class CompiledSource:
    """Compiled modules: a map of module name to the bytes of its ``.pyc``, or paths of ``.pyc``, ``.whl``, ``.zip``.

    A wheel or zip may hold ``.py`` files too.
    """

    modules: Mapping[str, bytes] = field(default_factory=dict)
    paths: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class GitSource:
    """A git repository (an https URL or the path of a local repository) at a full commit id.

    ``commit`` has 40 or 64 hexadecimal digits: names of branches and tags can
    change their meaning, so they are refused. ``subfolder`` is the part of the
    repository to load. ``private_hosts`` allows addresses of the local network,
    ``ca_file`` trusts the certificate authority of a company.
    """

    url: str
    commit: str
    subfolder: str | None = None
    timeout_s: float = 60.0
    private_hosts: bool = False
    ca_file: Path | None = None


Source = CellSource | FilesSource | FolderSource | CompiledSource | GitSource


def as_source(value: object, module: str | None = None) -> Source:
    """The source that a plain Python value means.

    >>> as_source({"counter.py": "n = 1"})
    FilesSource(files={'counter.py': 'n = 1'})
    >>> as_source("n = 1", module="counter").module
    'counter'

    A path is a folder, a ``.py`` file, or compiled files by its ending. A text
    is the source of ``module``. Raises CompileError (invalid_code_type) for
    anything else and UsageError for a text without a module name.
    """
    match value:
        case CellSource() | FilesSource() | FolderSource() | CompiledSource() | GitSource():
            return _checked(value)
        case str():
            if module is None:
                raise UsageError("module", hint="a text of source needs the name of its module: load(text, 'counter')")
            return CellSource(module, text("source", value))
        case Mapping():
            return _from_map(value)
        case Path():
            return _from_path(value)
        case [Path(), *_]:
            return _from_paths(value)
        case _:
            raise invalid_code_type(value)


def _checked(source: Source) -> Source:
    """Ready-made, by hand: what is in it may be anything. Raises UsageError."""
    match source:
        case CellSource(module, cell, file, first_line):
            place = text("file", file), whole("first_line", first_line)
            return CellSource(text("module", module), text("source", cell), *place)
        case FilesSource(files):
            return FilesSource(cast("dict[str, str]", pairs("files", files)))  # each is looked at when it is read
        case FolderSource(root):
            return FolderSource(Path(path("path", root)))
        case CompiledSource(modules, paths):
            found = tuple(Path(path("paths", one)) for one in many("paths", paths))
            return CompiledSource(cast("dict[str, bytes]", pairs("modules", modules)), found)
        case GitSource():
            return _git(source)
        case _:
            assert_never(source)


def _git(source: GitSource) -> GitSource:
    hosts, ca_file = source.private_hosts, source.ca_file
    if not isinstance(hosts, bool):
        raise UsageError("private_hosts", hosts, hint="give True or False")
    return GitSource(
        text("url", source.url), text("commit", source.commit), text_or_none("subfolder", source.subfolder),
        seconds("timeout_s", source.timeout_s), hosts, None if ca_file is None else Path(path("ca_file", ca_file)),
    )  # fmt: skip


def _from_map(value: Mapping[object, object]) -> Source:
    hint = "give a map of file name to text, or of module name to the bytes of its .pyc"
    try:
        given = pairs("code", value)
    except UsageError as odd:
        if odd.value is value:
            raise invalid_code_type(value) from None
        raise CompileError("invalid_code_type", f"{shown(odd.value)} is no name of a file: {hint}") from None
    if all(issubclass(type(held), str) for held in given.values()):
        return FilesSource({name: text("code", held) for name, held in given.items()})
    if all(type(held) is bytes for held in given.values()):
        return CompiledSource(modules=cast("dict[str, bytes]", given))
    name, kind = next((name, type(held).__name__) for name, held in given.items() if not issubclass(type(held), str))
    raise CompileError("invalid_code_type", f"{name!r} is given as {kind}: {hint}")


def _from_paths(value: Sequence[object]) -> Source:
    paths = tuple(path for path in value if isinstance(path, Path))
    if len(paths) != len(tuple(value)):
        raise invalid_code_type(value)
    return CompiledSource(paths=paths)


def _from_path(path: Path) -> Source:
    if path.suffix in (".pyc", ".whl", ".zip"):
        return CompiledSource(paths=(path,))
    return FolderSource(path)


def invalid_code_type(value: object) -> CompileError:
    """The guide's error for code of an unknown kind."""
    return CompileError(
        "invalid_code_type",
        f"code of type {type(value).__name__} cannot be loaded: give a map of file name to text, a path, "
        "compiled files, a GitSource, or a text with the name of its module",
    )
