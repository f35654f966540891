"""Where code comes from: one frozen description per kind of source. Nothing here reads anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..model.errors import CompileError, UsageError


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
            return value
        case str():
            if module is None:
                raise UsageError("module", hint="a text of source needs the name of its module: load(text, 'counter')")
            return CellSource(module, value)
        case Mapping():
            return _from_map(value)
        case Path():
            return _from_path(value)
        case [Path(), *_]:
            return _from_paths(value)
        case _:
            raise invalid_code_type(value)


def _from_map(value: Mapping[object, object]) -> Source:
    if all(isinstance(name, str) and isinstance(text, str) for name, text in value.items()):
        return FilesSource({str(name): str(text) for name, text in value.items()})
    if all(isinstance(name, str) and isinstance(code, bytes) for name, code in value.items()):
        return CompiledSource(modules={str(name): code for name, code in value.items() if isinstance(code, bytes)})
    odd = next(item for item in value.items() if not all(isinstance(one, str) for one in item))
    raise CompileError(
        "invalid_code_type",
        f"{odd[0]!r} is given as {type(odd[1]).__name__}: give a map of file name to text, "
        "or of module name to the bytes of its .pyc",
    )


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
