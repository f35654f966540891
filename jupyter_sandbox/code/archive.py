"""Wheels and zip files, read in memory: nothing is ever unpacked to disk, so no path in them can lead anywhere."""

from __future__ import annotations

import io
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from ..model.errors import CompileError
from .names import is_module_path, without_cache
from .reading import read_file
from .tree import MAX_FILE_BYTES, MAX_TOTAL_BYTES, File, check_sizes

_MAX_ENTRIES = 20_000
_MAX_ARCHIVE = 256_000_000


def read_archive(path: Path) -> list[File]:
    """The Python files of a wheel or zip.

    Raises CompileError (load_error) for a broken archive, one with symbolic
    links, paths that leave it, encryption, compiled extensions, or too much in it.
    """
    try:
        if path.stat().st_size > _MAX_ARCHIVE or len(data := read_file(path, _MAX_ARCHIVE)) > _MAX_ARCHIVE:
            raise CompileError("load_error", f"{path.name} is over {_MAX_ARCHIVE} bytes long; split it")
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _read(archive, path.name)
    except OSError as error:
        raise CompileError("load_error", f"{path} cannot be read: {error.strerror or error}; check the path") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise CompileError("load_error", f"{path.name} is no readable wheel or zip ({error}); build it again") from None


def _read(archive: zipfile.ZipFile, name: str) -> list[File]:
    infos = archive.infolist()
    if len(infos) > _MAX_ENTRIES:
        raise CompileError("load_error", f"{name} holds {len(infos)} entries, more than {_MAX_ENTRIES}; split it")
    for info in infos:
        _check(info, name)
    chosen = [info for info in infos if is_module_path(without_cache(info.filename))]
    sizes = [info.file_size for info in chosen]
    check_sizes(len(sizes), sum(sizes), max(sizes, default=0), name)
    files, left = [], MAX_TOTAL_BYTES
    for info in chosen:
        data = _inflate(archive, info, min(MAX_FILE_BYTES, left), name)
        left -= len(data)
        files.append(File(info.filename, data, f"{name}/{info.filename}"))
    return files


def _check(info: zipfile.ZipInfo, name: str) -> None:
    path = PurePosixPath(info.filename)
    mode = info.external_attr >> 16
    fault = ""
    if path.is_absolute() or ".." in path.parts or "\\" in info.filename:
        fault = "leads out of the archive"
    elif stat.S_ISLNK(mode):
        fault = "is a symbolic link"
    elif info.flag_bits & 0x1:
        fault = "is encrypted"
    elif path.suffix in (".so", ".pyd", ".dll", ".dylib"):
        fault = "is a compiled extension, which a sandbox cannot load from an archive"
    if fault:
        raise CompileError("load_error", f"{name}: {info.filename!r} {fault}; build the archive without it")


def _inflate(archive: zipfile.ZipFile, info: zipfile.ZipInfo, limit: int, name: str) -> bytes:
    """Read one entry, never more than ``limit``: the size in the directory may lie."""
    with archive.open(info) as stream:
        data = stream.read(limit + 1)
    if len(data) > limit:
        raise CompileError("load_error", f"{name}: {info.filename!r} is larger than {limit} bytes; split it")
    return data
