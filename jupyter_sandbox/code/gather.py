"""Read a source into a bundle of modules. Blocking: the manager calls it on a thread. Nothing is parsed or run here."""

from __future__ import annotations

import itertools
import os
from pathlib import Path, PurePosixPath
from typing import assert_never

from ..model.code import Bundle, ModuleCode
from ..model.errors import CompileError, UsageError, shown
from .archive import read_archive
from .git import read_commit
from .names import check_module_name, module_of
from .pyc import code_of
from .reading import Folder, read_file
from .sources import (
    CellSource,
    CompiledSource,
    FilesSource,
    FolderSource,
    GitSource,
    Source,
    as_source,
)  # fmt: skip
from .tree import (
    MAX_FILE_BYTES,
    MAX_FILES,
    File,
    check_sizes,
    digest_of,
    modules_of,
    source_module,
    wanted,
)  # fmt: skip

_MOST_SEEN, _DEEPEST = 1_000_000, 100
"""Entries of a folder and all below it, and folders in each other: more can be made than anybody would wait for."""


def gather(source: object, module: str | None = None) -> Bundle:
    """Everything a sandbox needs of ``source``, as data.

    >>> [m.name for m in gather({"shop/front.py": "n = 1"}).modules]
    ['shop.front']

    Raises CompileError with the guide's kinds (invalid_code_type, load_error,
    compilation_failed, git_clone_failed, repo_error), UsageError for bad names.
    """
    known: Source = as_source(source, module)
    match known:
        case CellSource():
            return _cell(known)
        case FilesSource():
            return _files(known)
        case FolderSource():
            return _folder(known)
        case CompiledSource():
            return _compiled(known)
        case GitSource():
            files = read_commit(known)
            return Bundle(modules_of(files), f"git {known.url}@{known.commit}")
        case _:
            assert_never(known)


def _cell(cell: CellSource) -> Bundle:
    name = check_module_name(cell.module)
    size = len(cell.source)
    check_sizes(1, size, size, "the cell")
    module = source_module(name, cell.source, cell.file or f"<{name}>", first_line=cell.first_line)
    return Bundle((module,), "cell")


def _files(source: FilesSource) -> Bundle:
    modules: dict[str, ModuleCode] = {}
    for file, text in source.files.items():
        if not isinstance(text, str):
            raise UsageError("file", file, hint=f"it holds {type(text).__name__}, not text; give its source as text")
        name, is_package = module_of(file)
        if name in modules:
            raise UsageError("file", file, hint=f"two files make the module {name}; rename one")
        modules[name] = source_module(name, text, file, is_package=is_package)
    if not modules:
        raise CompileError("load_error", "the map of files is empty: give at least one, {'counter.py': '...'}")
    sizes = [len(text) for text in source.files.values()]
    check_sizes(len(sizes), sum(sizes), max(sizes), "the map of files")
    return Bundle(tuple(modules.values()), "files")


def _folder(source: FolderSource) -> Bundle:
    root = _placed(source.path)
    if _is_file(root):
        if root.suffix != ".py":
            raise CompileError("invalid_code_type", f"{root} is no Python file: give a folder, .py, .pyc, .whl or .zip")
        return Bundle(modules_of([File(root.name, _read(root), str(root))]), "folder")
    if not root.is_dir():
        raise CompileError("load_error", f"there is no folder or file {str(root)!r}: check the path")
    chosen, folder = wanted(_walk(root)), Folder(root)
    check_sizes(len(chosen), 0, 0, str(root))
    files, total = list[File](), 0
    for path, module in chosen.items():
        data = folder.read(path, MAX_FILE_BYTES)
        total += len(data)
        check_sizes(len(chosen), total, len(data), str(root / path if len(data) > MAX_FILE_BYTES else root))
        files.append(File(module, data, str(root / path)))
    return Bundle(modules_of(files), "folder")


def _placed(path: Path) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError:
        text = f"there is no home folder for {str(path)!r}: give the whole path"
        raise CompileError("load_error", text) from None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError as error:
        raise CompileError("load_error", f"{shown(str(path))} cannot be opened: {error.strerror}") from None


def _walk(root: Path) -> list[str]:
    """All ``.py`` paths below, sorted, without following links; stops early when there are too many."""
    found: list[str] = []
    seen, todo = 0, [PurePosixPath()]
    while todo:
        base = todo.pop()
        folders, files = _entries(root / base)
        seen += 1 + len(folders) + len(files)
        found += [(base / name).as_posix() for name in files if name.endswith(".py")]
        if len(found) > 10 * MAX_FILES:
            check_sizes(len(found), 0, 0, str(root))
        if seen > _MOST_SEEN or len(base.parts) > _DEEPEST:
            raise CompileError("load_error", f"{root} holds too much to look through: load a subfolder of it")
        todo += [base / name for name in reversed(folders) if not _is_foreign(str(root / base), name)]
    return found


def _entries(folder: Path) -> tuple[list[str], list[str]]:
    """Names of folders and of all else in it, sorted. Of what cannot be looked into, nothing."""
    folders, files = list[str](), list[str]()
    try:
        with os.scandir(folder) as entries:
            for entry in itertools.islice(entries, _MOST_SEEN):
                (folders if entry.is_dir(follow_symlinks=False) else files).append(entry.name)
    except OSError:
        return [], []
    return sorted(folders), sorted(files)


def _is_foreign(folder: str, name: str) -> bool:
    """What cannot be a package by its name, as hidden folders, and what tools fill, a virtual environment above all."""
    return (
        not name.isidentifier()
        or name in ("__pycache__", "node_modules")
        or os.path.exists(os.path.join(folder, name, "pyvenv.cfg"))
    )


def _read(path: Path) -> bytes:
    data = read_file(path, MAX_FILE_BYTES)
    check_sizes(1, len(data), len(data), str(path))
    return data


def _compiled(source: CompiledSource) -> Bundle:
    modules: dict[str, ModuleCode] = {}
    for name, data in source.modules.items():
        check_module_name(name)
        if not isinstance(data, bytes):
            raise CompileError("invalid_code_type", f"module {name} is not bytes: give the contents of its .pyc")
        code = code_of(data, name)
        modules[name] = ModuleCode(name, code, "", f"<{name}>", False, digest_of(code))
    for path in source.paths:
        for module in modules_of(_compiled_files(_placed(path))):
            modules[module.name] = module
    if not modules:
        raise CompileError("load_error", "no compiled modules were given: give .pyc, .whl or .zip files")
    sizes = [len(module.code) + len(module.source) for module in modules.values()]
    check_sizes(len(sizes), sum(sizes), max(sizes), "the compiled files")
    parents = {name.rpartition(".")[0] for name in modules}
    return Bundle(tuple(_as_package(module, parents) for module in modules.values()), "compiled")


def _as_package(module: ModuleCode, parents: set[str]) -> ModuleCode:
    """A module that others lie in is a package, whatever its file was called."""
    if module.is_package or module.name not in parents:
        return module
    return ModuleCode(module.name, module.code, module.source, module.file, True, module.digest, module.first_line)


def _compiled_files(path: Path) -> list[File]:
    if path.suffix in (".whl", ".zip"):
        return read_archive(path)
    if path.suffix == ".pyc":
        return [File(path.name.split(".")[0] + ".pyc", _read(path), str(path))]
    raise CompileError("invalid_code_type", f"{path.name} is no compiled file: give .pyc, .whl or .zip")
