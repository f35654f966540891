"""As long as a manager is open, its kernel has one jupyter_sandbox: no module of it is executed a second time.

Frames and errors are told apart by their classes, and a module that is executed again has other classes than those in
use: where they are mixed, healthy sandboxes are taken for hostile ones. So a reload is refused in words, and who took
the modules out of ``sys.modules`` gets the same ones again.
"""

from __future__ import annotations

import logging
import sys
import weakref
from collections.abc import Iterator, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

from ..model.errors import UsageError
from ..wire.legality import KINDS

ROOT = __name__.partition(".")[0]
_PACKAGE = sys.modules[ROOT]
_LOG = logging.getLogger(ROOT)
STAYS = f"{ROOT} is in use and stays the version that it is: restart the kernel to take another"
_MIXED = f"modules of {ROOT} were loaded a second time, and what is left of the first does not fit: restart the kernel"


class InUse(MetaPathFinder):
    """From ``begin`` until ``end``, or until nobody has the manager any more.

    >>> class Manager: ...
    >>> manager = Manager()
    >>> in_use = InUse(manager)
    >>> in_use.begin()
    >>> import importlib
    >>> importlib.reload(sys.modules["jupyter_sandbox.wire.requests"])
    Traceback (most recent call last):
      ...
    ImportError: jupyter_sandbox is in use and stays the version that it is: restart the kernel to take another
    >>> in_use.end()
    """

    def __init__(self, manager: object) -> None:
        self._manager = weakref.ref(manager, lambda _: self.end())

    def begin(self) -> None:
        """Raises UsageError when modules are mixed already."""
        put_back()
        if any(getattr(sys.modules.get(kind.__module__), kind.__name__, None) is not kind for kind in KINDS):
            raise UsageError(_MIXED)
        sys.meta_path.insert(0, self)

    def end(self) -> None:
        """Idempotent."""
        if self in (sys.meta_path or ()):  # there is none any more when Python ends
            sys.meta_path.remove(self)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Asked by the import system; ``target`` is a module to be reloaded. The root alone holds no classes."""
        if fullname.partition(".")[0] != ROOT or fullname == ROOT == getattr(target, "__name__", ""):
            return None
        if target is not None:
            raise ImportError(STAYS, name=fullname)
        known = _known(fullname)
        return None if known is None else ModuleSpec(fullname, _Known(known))


class _Known(Loader):
    """Gives the import system a module that it had before, and with it all others that it has no more."""

    def __init__(self, module: ModuleType) -> None:
        self._module, self._spec = module, module.__spec__

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec
        put_back()


def put_back() -> None:
    """Have our modules where the import system looks for them, and say why when they were not there."""
    missing = {name: module for name, module in _under(_PACKAGE) if name not in sys.modules}
    if missing:
        sys.modules.update(missing)
        _LOG.warning(STAYS)


def _known(fullname: str) -> ModuleType | None:
    """The module of this name if it was imported before: the import system made it an attribute of the one above it."""
    found: object = _PACKAGE
    for part in fullname.split(".")[1:]:
        found = vars(found).get(part) if type(found) is ModuleType else None
    return found if type(found) is ModuleType and found.__name__ == fullname else None


def _under(package: ModuleType) -> Iterator[tuple[str, ModuleType]]:
    """A package and all that was imported of it."""
    yield package.__name__, package
    for name in list(vars(package)):
        module = _known(f"{package.__name__}.{name}")
        if module is not None:
            yield from _under(module)
