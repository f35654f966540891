"""Imports of a sandbox's own modules: on demand, from memory, in whatever order they need each other.

Never touches a file, and answers only for names it was given.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import linecache
import marshal
import sys
from collections.abc import Iterable, Sequence
from types import CodeType, ModuleType

from ..model.code import ModuleCode
from .compiler import padded


class ModuleFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Put it first on ``sys.meta_path``; it finds and runs the modules it holds.

    Since ``note_anew``, ``begun`` lists modules in the order in which their code
    began and ``finished`` in the order in which it ended, so a dependency stands
    before its user. ``running`` are those whose code runs, each imported by the one
    before it; ``turns`` grows whenever one begins or ends.
    """

    def __init__(self) -> None:
        self.modules: dict[str, ModuleCode] = {}
        self.begun: list[str] = []
        self.finished: list[str] = []
        self.in_a_circle = False
        """Whether one that began had the name of one that was running in its code: that may be an import of it."""
        self.running: list[str] = []
        self.turns = 0
        self._packages: set[str] = set()
        """Of everything that was ever held: a superset is enough."""

    def hold(self, modules: Iterable[ModuleCode]) -> None:
        """Add modules, replacing those of the same name. Tracebacks show their lines from now on."""
        for module in modules:
            self.modules[module.name] = module
            self._packages.update(_packages_of(module.name))
            show_lines(module)

    def note_anew(self) -> None:
        """Forget which modules began and finished."""
        self.begun.clear()
        self.finished.clear()
        self.in_a_circle = False

    def ran(self) -> list[str]:
        """The modules that finished, in an order in which they can be imported again.

        That is a dependency before its user. A circle of imports can often be begun at
        some of its modules only, so what ran in one is listed as it began.
        """
        if not self.in_a_circle:
            return list(dict.fromkeys(self.finished))
        finished = set(self.finished)
        return [name for name in dict.fromkeys(self.begun) if name in finished]

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Answer only for held modules and the packages they lie in; everything else is left to Python."""
        module = self.modules.get(fullname)
        if module is None:
            return importlib.machinery.ModuleSpec(fullname, None, is_package=True) if self._implied(fullname) else None
        spec = importlib.machinery.ModuleSpec(fullname, self, origin=module.file, is_package=module.is_package)
        spec.has_location = False
        return spec

    def _implied(self, name: str) -> bool:
        """Whether held modules lie in a package of this name that has no ``__init__`` of its own."""
        return name in self._packages and any(held.startswith(f"{name}.") for held in self.modules)

    def forget(self) -> None:
        """Take all held modules, and the packages they imply, out of ``sys.modules``."""
        for name in self.modules:
            while name:
                sys.modules.pop(name, None)
                name = name.rpartition(".")[0]
        self.modules.clear()
        self._packages.clear()

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        """Python's ordinary module objects do."""
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Run the code in a fresh module."""
        held = self.modules[module.__name__]
        module.__file__ = held.file
        code = code_object(held)
        self.in_a_circle = self.in_a_circle or not _leaves(self.running).isdisjoint(_leaves(code.co_names))
        self.begun.append(held.name)
        self.running.append(held.name)
        self.turns += 1
        try:
            exec(code, module.__dict__)
        finally:
            self.running.pop()
            self.turns += 1
        self.finished.append(held.name)


def take_out(name: str) -> None:
    """Have a module imported again by whoever needs it next: also by ``from package import module``."""
    module = sys.modules.pop(name, None)
    package, _, leaf = name.rpartition(".")
    held = sys.modules.get(package)
    if module is not None and getattr(held, "__dict__", {}).get(leaf) is module:
        delattr(held, leaf)


def _leaves(names: Iterable[str]) -> set[str]:
    return {name.rpartition(".")[2] for name in names}


def _packages_of(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]


def code_object(module: ModuleCode) -> CodeType:
    """The code of a module. Raises ImportError when the bytes are no marshalled code."""
    try:
        code = marshal.loads(module.code) if module.code else compile("", module.file or module.name, "exec")
    except (EOFError, ValueError, TypeError) as error:
        raise ImportError(f"the code of {module.name} is damaged: {error}", name=module.name) from None
    if not isinstance(code, CodeType):
        raise ImportError(f"the code of {module.name} is no code", name=module.name)
    return code


def show_lines(module: ModuleCode) -> None:
    """Give the traceback printer the lines of a source that is in no file."""
    if module.source and module.file:
        text = padded(module.source, module.first_line)
        linecache.cache[module.file] = (len(text), None, text.splitlines(keepends=True), module.file)


def imports_of(module: ModuleCode) -> set[str]:
    """Full names of everything a module's code imports, and of what ``from x import y`` may mean.

    Read from the code, so compiled modules without source count too.
    """
    package = module.name if module.is_package else module.name.rpartition(".")[0]
    found: set[str] = set()
    waiting: list[CodeType] = [code_object(module)]
    while waiting:
        code = waiting.pop()
        waiting += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
        found |= _imports(code, package)
    return found


def _imports(code: CodeType, package: str) -> set[str]:
    import dis  # 4 ms to load, and only a reload needs it

    found: set[str] = set()
    level, last = 0, ""
    before: list[object] = []
    for instruction in dis.get_instructions(code):
        match instruction.opname:
            case "IMPORT_NAME":
                level = before[-2] if len(before) >= 2 and isinstance(before[-2], int) else 0
                last = _absolute(str(instruction.argval), level, package)
                found.add(last)
            case "IMPORT_FROM":
                found.add(f"{last}.{instruction.argval}")
        before = [*before[-1:], instruction.argval]
    return found


def _absolute(name: str, level: int, package: str) -> str:
    if not level:
        return name
    base = package.split(".")
    kept = base[: len(base) - level + 1]
    return ".".join([*kept, name] if name else kept)
