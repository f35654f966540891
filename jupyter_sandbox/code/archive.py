"""Wheels and zip files, read in memory: nothing is ever unpacked to disk, so no path in them can lead anywhere."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from ..model.errors import CompileError
from .names import is_module_path, without_cache
from .reading import read_file
from .tree import MAX_FILE_BYTES, MAX_TOTAL_BYTES, File, check_sizes

try:
    from lzma import LZMAError
except ImportError:  # a Python without it reads no such archives
    LZMAError = RuntimeError  # type: ignore[misc, assignment]

_MAX_ENTRIES = 20_000
_MAX_DIRECTORY = _MAX_ENTRIES * (46 + 500)
"""Bytes: an entry has 46 and its name."""
_ENTRY = b"PK\x01\x02"
"""What every entry of the directory begins with."""
_MAX_ARCHIVE = 256_000_000
_BROKEN = (
    zipfile.BadZipFile, zlib.error, LZMAError, EOFError, NotImplementedError, RuntimeError, ValueError, OSError,
    struct.error, OverflowError,
)  # fmt: skip
"""What ``zipfile`` and what unpacks for it raise for bytes that are damaged."""


class _Bounded(io.BytesIO):
    """An archive whose directory is measured as it is read, before objects are made of it: ten times its size.

    What the end of the archive says of it is not asked, as ``zipfile`` does not believe all of that either.
    """

    def __init__(self, data: bytes, name: str) -> None:
        super().__init__(data)
        self._name = name
        self._opening = True
        self._bytes = self._entries = 0

    def read(self, size: int | None = -1, /) -> bytes:
        if not self._opening:
            return super().read(size)
        left = _MAX_DIRECTORY + 1 - self._bytes
        data = super().read(left if size is None or not 0 <= size <= left else size)
        self._bytes += len(data)
        self._entries += data.count(_ENTRY)
        self._check()
        return data

    def _check(self) -> None:
        if self._entries > _MAX_ENTRIES:
            raise CompileError("load_error", f"{self._name} holds more than {_MAX_ENTRIES} entries; split it")
        if self._bytes > _MAX_DIRECTORY:
            told = f"of more than {_MAX_DIRECTORY} bytes"
            raise CompileError("load_error", f"{self._name} has a directory {told}; build it again without comments")

    def opened(self) -> None:
        """From now on its files are read, which are bounded one by one."""
        self._opening = False


def read_archive(path: Path) -> list[File]:
    """The Python files of a wheel or zip.

    Raises CompileError (load_error) for a broken archive, one with symbolic
    links, paths that leave it, encryption, compiled extensions, or too much in it.
    """
    try:
        if path.stat().st_size > _MAX_ARCHIVE or len(data := read_file(path, _MAX_ARCHIVE)) > _MAX_ARCHIVE:
            raise CompileError("load_error", f"{path.name} is over {_MAX_ARCHIVE} bytes long; split it")
    except OSError as error:
        raise CompileError("load_error", f"{path} cannot be read: {error.strerror or error}; check the path") from None
    file = _Bounded(data, path.name)
    try:
        with zipfile.ZipFile(file) as archive:
            file.opened()
            return _read(archive, path.name)
    except MemoryError:  # a few bytes can ask for a window of four gigabytes
        raise CompileError("load_error", f"{path.name} needs more memory than there is; build it again") from None
    except _BROKEN as error:
        raise CompileError("load_error", f"{path.name} is no readable wheel or zip ({error}); build it again") from None


def _read(archive: zipfile.ZipFile, name: str) -> list[File]:
    infos = archive.infolist()
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
