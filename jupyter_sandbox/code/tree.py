"""A tree of named files (from a folder, an archive or a commit) turned into modules. Pure but for what is handed in."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from ..model.code import ModuleCode
from ..model.errors import CompileError, Diagnostic
from .names import is_module_path, module_of, without_cache
from .pyc import code_of

MAX_FILES = 2_000
MAX_FILE_BYTES = 4_000_000
MAX_TOTAL_BYTES = 32_000_000
"""A large program has a tenth of it; compiling so much takes half a minute, and each sandbox that has it its memory."""

LEFT_OUT = frozenset({"setup.py", "conftest.py", "noxfile.py", "tests", "test", "docs", "examples", "build", "dist"})
"""Names at the top of a project that are not the program. Name such a folder itself to load it all the same."""


@dataclass(frozen=True, slots=True)
class File:
    """One file: its path in the tree (forward slashes), its bytes, and the name to show in tracebacks."""

    path: str
    data: bytes
    shown: str


def wanted(paths: Iterable[str]) -> dict[str, str]:
    """Which files of a project are its program: path in the tree to path as a module, with ``src`` taken off.

    >>> wanted(["src/shop/front.py", "setup.py", "README.md"])
    {'src/shop/front.py': 'shop/front.py'}
    """
    known = [path for path in paths if not any(part.startswith(".") for part in PurePosixPath(path).parts)]
    in_src = any(path.startswith("src/") and path.endswith(".py") for path in known) and "src/__init__.py" not in known
    if in_src:
        known = [path for path in known if path.startswith("src/")]
    chosen = {path: path.removeprefix("src/") if in_src else path for path in known}
    return {
        path: module
        for path, module in chosen.items()
        if module.split("/")[0] not in LEFT_OUT and module.endswith(".py") and is_module_path(module)
    }


def modules_of(files: Iterable[File]) -> tuple[ModuleCode, ...]:
    """Modules of the files. A folder without ``__init__.py`` is a package all the same: see ``finder``.

    Raises CompileError (compilation_failed) for text that is no UTF-8 and
    UsageError for a name that cannot be a module.
    """
    found: dict[str, ModuleCode] = {}
    for file in files:
        module = _module(file)
        if module.name in found and found[module.name].source and not module.source:
            continue  # a .pyc beside its .py: the text is the better of the two
        found[module.name] = module
    if not found:
        raise CompileError("load_error", "there is no Python module in it: add a .py file with a valid module name")
    return tuple(found.values())


def source_module(name: str, source: str, file: str, *, is_package: bool = False, first_line: int = 1) -> ModuleCode:
    """A module that still has to be compiled."""
    digest = digest_of(source.encode("utf-8", "surrogatepass"))
    return ModuleCode(name, b"", source, file, is_package, digest, first_line)


def digest_of(data: bytes) -> str:
    """16 hexadecimal digits that change with the contents."""
    return hashlib.blake2b(data, digest_size=8).hexdigest()


def decode(data: bytes, file: str) -> str:
    """The text of a source file. Raises CompileError that points at the first byte that is no UTF-8."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line, column = before.count(b"\n") + 1, error.start - (before.rfind(b"\n") + 1) + 1
        text = f"byte 0x{data[error.start]:02x} is not UTF-8"
        diagnostic = Diagnostic(file, line, column, text)
        raise CompileError("compilation_failed", f"{diagnostic}; save the file as UTF-8", (diagnostic,)) from None


def check_sizes(count: int, total: int, largest: int, what: str) -> None:
    """Raise CompileError (load_error) when a source is larger than a sandbox takes."""
    if count > MAX_FILES or total > MAX_TOTAL_BYTES or largest > MAX_FILE_BYTES:
        raise CompileError(
            "load_error",
            f"{what} is too large ({count} files, {total} bytes, largest {largest}): at most {MAX_FILES} files, "
            f"{MAX_TOTAL_BYTES} bytes together and {MAX_FILE_BYTES} each; load a subfolder of it",
        )


def _module(file: File) -> ModuleCode:
    name, is_package = module_of(without_cache(file.path))
    if file.path.endswith(".pyc"):
        code = code_of(file.data, file.shown)
        return ModuleCode(name, code, "", file.shown, is_package, digest_of(code))
    return source_module(name, decode(file.data, file.shown), file.shown, is_package=is_package)
