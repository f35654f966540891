"""Compiled code on its way into a sandbox: plain bytes and names, never live code objects."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .listed import Many


@dataclass(frozen=True, slots=True)
class ModuleCode:
    """One compiled module.

    ``code`` is a marshalled code object of the running Python version, empty
    until it is compiled; ``source`` may be empty for compiled files.
    ``file`` is the name used in tracebacks; for a cell that is IPython's name of
    the cell, and ``first_line`` says which line of the cell the source starts at.
    """

    name: str
    code: bytes
    source: str = ""
    file: str = ""
    is_package: bool = False
    digest: str = ""
    first_line: int = 1

    def compiled(self, code: bytes) -> ModuleCode:
        """The same with this code; itself when it has its code, or none is to be added."""
        return replace(self, code=code) if code and not self.code else self


@dataclass(frozen=True, slots=True)
class Bundle:
    """Modules to load together, in the order of loading (a dependency before its user)."""

    modules: Many[ModuleCode]
    origin: str = ""
    """``cell``, ``files``, ``folder``, ``compiled``, ``git <url>@<commit>``: shown by ``%sandbox versions``."""


@dataclass(frozen=True, slots=True)
class ClassInfo:
    """A class found in a compiled module that a sandbox can start."""

    module: str
    name: str
    behaviour: str
    """application · supervisor · server · statem"""
