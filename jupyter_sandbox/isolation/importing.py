"""Where the kernel imports from, held against what a sandbox may change: what it writes there can run in the kernel."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import PurePath

from ..model.openings import Openings
from ..model.protection import Protection


def with_imports(protection: Protection, openings: Openings) -> Protection:
    """The report, with a sentence for what was opened for writing and is imported from. Each start looks again."""
    paths = tuple(path for path in openings.write if is_imported_from(path, sys.path))
    if not paths or not protection.has("landlock"):
        return protection
    words = f"your notebook imports modules from {openings.told(paths)}: what it writes there can run in this kernel"
    return replace(protection, not_stopped=(words, *protection.not_stopped))


def is_imported_from(path: str, search: Iterable[str]) -> bool:
    """Whether a folder of the search path lies there, or it is a package in one. ``path`` has no links in it.

    >>> is_imported_from("/home/me", ["/usr/lib/python3", "/home/me/project"])
    True
    >>> is_imported_from("/home/me/project/data", ["/home/me/project"])
    False
    """
    real = PurePath(path)
    folders = [PurePath(os.path.realpath(one)) for one in search if isinstance(one, str) and "\0" not in one]
    if any(folder.is_relative_to(real) for folder in folders):
        return True
    module = real.suffix == ".py" or os.path.exists(os.path.join(path, "__init__.py"))
    return module and any(real.is_relative_to(folder) for folder in folders)
