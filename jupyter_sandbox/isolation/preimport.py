"""Imports, in the zygote, the modules that the user wants every sandbox of a flavour to have already.

What is imported here runs with the rights of the kernel, like any module on its
search path; it must leave the zygote fit to fork: one thread, no children, and
no memory that all guests would write together.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Sequence

from . import launch, system
from .layers import status_of


def preimport(modules: Sequence[str], tell: Callable[[launch.FromZygote], None]) -> bool:
    """Import them in order, telling each beforehand; False when one failed, which has been told then."""
    missing = tuple(name for name in modules if not _exists(name))
    if missing:
        tell(launch.CannotImport(missing, f"there is no module {' and no module '.join(missing)}", missing=True))
        return False
    for name in modules:
        tell(launch.Importing(name))
        objection = _import(name)
        if objection:
            tell(launch.CannotImport((name,), objection[:1000]))
            return False
    return True


def _exists(name: str) -> bool:
    """Looks for the top level only: looking for more would import it."""
    top = name.partition(".")[0]
    try:
        return top in sys.modules or importlib.util.find_spec(top) is not None
    except (ImportError, ValueError):
        return False


def _import(name: str) -> str:
    """What is wrong with it, '' for nothing."""
    try:
        importlib.import_module(name)
    except BaseException as error:  # SystemExit too: whatever it raises, the zygote is not to end without a word
        return f"it raised {type(error).__name__}: {error}"
    return unfit_to_fork()


def unfit_to_fork() -> str:
    """Why a fork of this OS process would be unsafe: a child has none of its threads, but all that they had locked; and
    what it shares with a child it shares with all of them."""
    threads = int(status_of("self").get("Threads", "1"))
    if threads > 1:
        return f"it started {_count(threads - 1, 'thread')}, and an OS process with threads cannot be forked safely"
    children = system.children()
    if children:
        return f"it started {_count(len(children), 'OS process', 'OS processes')}, which no sandbox could reach"
    if maps := shared_maps("self"):
        return f"it made {_count(maps, 'piece')} of shared memory, which all sandboxes could change together"
    return ""


def shared_maps(pid: int | str) -> int:
    """How many pieces of its memory are written together with others; 0 where Linux does not tell."""
    try:
        with open(f"/proc/{pid}/maps", "rb") as file:
            return sum(line.split(None, 2)[1][1::2] == b"ws" for line in file)
    except OSError:
        return 0


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
