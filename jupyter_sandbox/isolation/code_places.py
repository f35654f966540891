"""What the kernel imports, starts and is set up by, held against what a sandbox may change: what it writes there can
run outside of it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import PurePath
from types import ModuleType

from ..model.openings import Openings
from ..model.protection import Protection
from .straight import follow

_SET_UP = (("JUPYTER_CONFIG_DIR", ".jupyter"), ("JUPYTER_DATA_DIR", ".local/share/jupyter"), ("IPYTHONDIR", ".ipython"))
"""Folders of settings and startup files: by this variable, or in the home folder."""
_IN_HOME = (".profile", ".bashrc", ".local/bin")
_OF_THE_MACHINE = ("/proc/sys", "/sys/kernel", "/dev/block")
"""For who is root: a setting there names a program that Linux starts, and a disk has all files."""
_IN_PREFIX = ("pyvenv.cfg", "etc/jupyter", "share/jupyter")


def with_code_places(protection: Protection, openings: Openings) -> Protection:
    """The report, with a sentence for what was opened for writing and is imported from, and one for what else there
    runs with the rights of the user. Each start looks again."""
    if not openings.write or not protection.has("landlock"):
        return protection
    imported = tuple(path for path in openings.write if is_imported_from(path, (*sys.path, *_of_modules())))
    started = tuple(path for path in openings.write if path not in imported and _runs_from(path))
    words = []
    if imported:
        told = openings.told(imported)
        words.append(f"your notebook imports modules from {told}: what it writes there can run in this kernel")
    if started:
        told = openings.told(started)
        words.append(f"programs or settings of yours or the machine's lie in {told}: what it writes can run as you")
    return replace(protection, not_stopped=(*words, *protection.not_stopped))


def is_imported_from(path: str, search: Iterable[str]) -> bool:
    """Whether a folder of the search path, or a link to one, lies there, or it is a package in one. ``path`` has no
    links in it.

    >>> is_imported_from("/home/me", ["/usr/lib/python3", "/home/me/project"])
    True
    >>> is_imported_from("/home/me/project/data", ["/home/me/project"])
    False
    """
    real = PurePath(path)
    texts = dict.fromkeys(one for one in search if isinstance(one, str))
    folders = [one for folder in texts for one in _led_over(folder)]
    if any(folder.is_relative_to(real) for folder in folders):
        return True
    module = real.suffix == ".py" or os.path.exists(os.path.join(path, "__init__.py"))
    return module and any(real.is_relative_to(folder) for folder in folders)


def _of_modules() -> Iterator[str]:
    """Folders that modules came from without the search path, and that are known to finders of what was installed to
    be worked on (``pip install --editable``)."""
    for module in list(sys.modules.values()):
        if isinstance(module, ModuleType):
            facts = ModuleType.__getattribute__(module, "__dict__")  # of one that is loaded when it is looked at, too
            if isinstance(file := facts.get("__file__"), str):
                yield os.path.dirname(file)
            if str(facts.get("__name__")).startswith("__editable__") and isinstance(facts.get("MAPPING"), dict):
                yield from map(os.path.dirname, map(str, facts["MAPPING"].values()))


def _runs_from(path: str) -> bool:
    """Whether it holds, or lies in, what is started or read as settings with the rights of the user."""
    real = PurePath(path)
    return any(one.is_relative_to(real) or real.is_relative_to(one) for place in _runs() for one in _led_over(place))


def _runs() -> Iterator[str]:
    home = os.path.expanduser("~")
    yield from filter(None, (sys.executable, shutil.which("git"), *_OF_THE_MACHINE))
    yield from (os.environ.get(variable) or os.path.join(home, inside) for variable, inside in _SET_UP)
    yield from (os.path.join(home, inside) for inside in _IN_HOME)
    yield from (os.path.join(sys.prefix, inside) for inside in _IN_PREFIX)


def _led_over(place: str) -> list[PurePath]:
    """What a path leads to and every link on the way, each of which decides about that."""
    try:
        real, links = follow(os.path.join("" if os.path.isabs(place) else os.getcwd(), place))
        return [PurePath(one) for one in (real, *links)]
    except OSError:  # it is not there yet
        return [PurePath(os.path.realpath(place))] if os.path.isabs(place) else []
    except ValueError:  # no path, as with a null character
        return []
