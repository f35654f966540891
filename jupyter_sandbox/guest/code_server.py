"""Modules of a live sandbox: load them, or replace them while processes run. A failed load leaves no trace.

New code runs in fresh module objects beside the old ones. Modules that import
a changed one are run again too: they would otherwise keep its old classes;
their processes follow without a ``code_change``.
Only when everything has succeeded do the processes move (``moving``) and the
new modules take the place of the old.
"""

from __future__ import annotations

import importlib
import sys
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final

from ..code.finder import ModuleFinder, imports_of, show_lines, take_out
from ..code.versions import VersionTable
from ..model import anatomy
from ..model.code import Bundle, ModuleCode
from ..model.errors import CompileError
from ..model.views import ModuleVersion
from ..otp.gen import Engine
from ..runtime import Node
from . import moving
from .aside import HandlerTimeout
from .held_values import begins_anew
from .module_values import ModuleValues, words_of
from .pairing import renewal_of
from .tracebacks import diagnostic_of, error_lines, one_line

MOST_BEGINNINGS: Final = 100
"""At how many wrong modules an import of many may begin circles: each is run again from another one."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a load did: names of modules in new versions, processes that moved, processes that were in purged code."""

    modules: tuple[str, ...] = ()
    moved: int = 0
    killed: int = 0
    kept: tuple[str, ...] = ()
    """What is still of the old code, and what of modules began anew, in words."""


class CodeServer:
    """Holds the modules of one node. Install ``load`` as ``node.loader``: a replay then loads at the same steps."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.finder = ModuleFinder()
        self.values = ModuleValues(self.finder)
        self.table = VersionTable()
        self.last = Outcome()
        self.loading = False
        """Whether a load is being carried out."""
        self._imports: dict[str, set[str]] = {}
        self.on_load: Callable[[str], None] = lambda text: None
        """Told of every module in a new version."""
        self.on_move: Callable[[], None] = lambda: None
        """Called when a process that is to go on in new code is the one at work."""

    def install(self) -> None:
        """Make the modules importable."""
        sys.meta_path.insert(0, self.finder)
        self.node.loader = self.load

    def uninstall(self) -> None:
        """Forget all modules: for tests that share an interpreter."""
        sys.meta_path.remove(self.finder)
        self.finder.forget()

    @property
    def bundle(self) -> Bundle:
        """All modules as they are loaded now, for a snapshot."""
        return Bundle(tuple(self.finder.modules.values()))

    def load(self, bundle: Bundle, options: dict[str, Any]) -> None:
        """Load or replace modules and move the processes that run them.

        ``options``: ``extra`` is handed to every ``code_change``. Raises
        CompileError (load_error) and changes nothing when code or a process refuses.
        """
        changed = [m for m in bundle.modules if not self.table.is_current(m.name, m.digest)]
        self.last = Outcome()
        if not changed:
            return
        self.loading = True
        try:
            self._load(changed, options)
        finally:
            self.loading = False

    def _load(self, changed: list[ModuleCode], options: dict[str, Any]) -> None:
        stage = _Stage(self, changed, self._affected(changed))
        lost = self._changed_since(stage.old)
        try:
            stage.run()
            names = {module.name for module in changed}
            renewal = renewal_of(self.node, stage.old)
            moves = moving.plan(self.node, renewal, names, self.table, options.get("extra"))
            kept = [*lost, *moving.perform(self.node, renewal, moves, self.on_move)]
        except BaseException:
            stage.undo()
            raise
        killed = moving.purge(self.node, stage.old)
        self.table = self.table.loaded([self.finder.modules[name] for name in stage.names], self.node.step_number)
        for name in stage.names:
            _mark(sys.modules[name], self.table.number(name))
        moved = sum(move.behaviour is not None for move in moves)
        self.last = Outcome(tuple(stage.names), moved, killed, tuple(kept))
        self.values.note(stage.names)
        self._tell(moves)

    def _changed_since(self, old: Iterable[str]) -> list[str]:
        """What is told of values of these modules that code has changed, and that begin anew with them."""
        names = frozenset(old)
        if not names:
            return []
        changed = [words_of(place) for place in self.values.found().changed if place[0] in names]
        return [begins_anew(changed)] if changed else []

    def _tell(self, moves: list[moving.Move]) -> None:
        for name in self.last.modules:
            self.on_load(f"{name} version {self.table.number(name)}")
        for move in moves:
            if move.behaviour is not None:
                number = self.table.number(move.behaviour.__module__)
                text = f"went on in {move.behaviour.__module__}.{move.behaviour.__qualname__} version {number}"
                self.node.emit("code_change", move.process, text)

    def restore_table(self, table: VersionTable) -> None:
        """After the modules of a snapshot are loaded: their versions count on from where they were."""
        self.table = table
        for name in self.finder.modules:
            _mark(sys.modules[name], table.number(name))

    def views(self) -> list[ModuleVersion]:
        """For ``%sandbox versions``."""
        return self.table.views(moving.counts(self.node, self.table))

    def _affected(self, changed: list[ModuleCode]) -> list[str]:
        """The changed modules and those that use them directly or through others, in the order of an earlier load."""
        for module in changed:
            self._imports.pop(module.name, None)
        names = dict.fromkeys(module.name for module in changed)
        users: dict[str, list[str]] = {}
        for name in self.finder.modules:
            if name not in names:
                for imported in self._imported_by(name):
                    users.setdefault(imported, []).append(name)
        waiting = list(names)
        while waiting:
            fresh = [name for name in users.get(waiting.pop(), ()) if name not in names]
            names.update(dict.fromkeys(fresh))
            waiting += fresh
        place = {name: number for number, name in enumerate(self.finder.modules)}
        return sorted(names, key=lambda name: place.get(name, len(place)))

    def _imported_by(self, name: str) -> set[str]:
        found = self._imports.get(name)
        if found is None:
            found = self._imports[name] = imports_of(self.finder.modules[name])
        return found


class _Stage:
    """New modules beside the old: either all of them stay, or ``undo`` puts everything back."""

    def __init__(self, server: CodeServer, changed: list[ModuleCode], names: list[str]) -> None:
        self.finder, self.changed, self.names = server.finder, changed, names
        self.old: dict[str, ModuleType] = {name: sys.modules[name] for name in names if name in sys.modules}
        self._held = {name: self.finder.modules[name] for name in names if name in self.finder.modules}

    def run(self) -> None:
        """Run the code of all modules, each when it is first imported."""
        self.finder.hold(self.changed)
        for name in self.names:
            take_out(name)
        import_all(self.names, self.finder)
        below = _below(self.names)
        for name in self.names:
            _bind_children(name, below.get(name, ()))

    def undo(self) -> None:
        """The old modules as they were."""
        for name in self.names:
            sys.modules.pop(name, None)
            self.finder.modules.pop(name, None)
        sys.modules.update(self.old)
        self.finder.modules.update(self._held)
        for held in self._held.values():
            show_lines(held)
        for name, module in self.old.items():
            parent, _, leaf = name.rpartition(".")
            if parent in sys.modules:
                setattr(sys.modules[parent], leaf, module)


def import_all(names: Iterable[str], finder: ModuleFinder) -> list[str]:
    """Import modules, each when it is first needed. Returns those that ran, in an order that does the same again.

    What cannot be imported first, because the circle of imports that it is in has
    to be begun at another module, is put aside until that is done. Raises
    CompileError as ``import_or_refuse``: of what was put aside first when no module is left to begin at.
    """
    order: dict[str, None] = {}
    aside: dict[str, CompileError] = {}
    waiting, beginnings = deque(names), 0
    while waiting:
        name = waiting.popleft()
        if name in order:
            continue
        finder.note_anew()
        try:
            import_or_refuse(name, finder)
        except CompileError as refused:
            if not _met_half_made(refused):
                raise
            aside.setdefault(name, refused)
            beginnings += 1
            if beginnings > MOST_BEGINNINGS or aside.keys() >= set(waiting) - order.keys():
                raise next(iter(aside.values())) from None
            for begun in finder.begun:
                take_out(begun)
            waiting.append(name)
        else:
            order.update(dict.fromkeys(finder.ran()))
            aside.clear()
    return list(order)


def _met_half_made(refused: CompileError) -> bool:
    """Whether an import failed at a module that is still running: Python has no error of its own for that."""
    why = refused.__context__
    return isinstance(why, ImportError | AttributeError) and "circular import" in str(why)


def import_or_refuse(name: str, finder: ModuleFinder) -> ModuleType:
    """Import a module. Raises CompileError with a traceback that points into the user's code."""
    try:
        return importlib.import_module(name)
    except HandlerTimeout as error:
        place = diagnostic_of(error)
        where = f" and was interrupted at {place.file} line {place.line}" if place else " and was interrupted"
        raise CompileError(
            "compilation_error",
            f"the top level of module {name} ran too long{where}; nothing was loaded. Look for an endless loop, and "
            "leave long work to a process",
            (place,) if place else (),
            tuple(error_lines(error)),
        ) from None
    except (Exception, SystemExit, KeyboardInterrupt, GeneratorExit) as error:
        held = finder.modules[name]
        kind = "compilation_error" if held.source else "load_error"
        place = diagnostic_of(error)
        where = f" at {place.file} line {place.line}" if place else ""
        todo = "correct it and load again"
        if isinstance(error, MemoryError):
            todo += ", or give the sandbox more: %sandbox limits NAME --max-memory SIZE"
        raise CompileError(
            kind,
            f"module {name} raised {one_line(error)}{where} while it was imported; {todo}",
            (place,) if place else (),
            tuple(error_lines(error)),
        ) from None


def _mark(module: ModuleType, version: int) -> None:
    """Classes know their version, for the pictures."""
    for value in vars(module).values():
        if not anatomy.is_class(value) or anatomy.home_of(value) != module.__name__:
            continue
        if type(anatomy.lookup(value, "engine")) is Engine:
            value.__sandbox_version__ = version


def _bind_children(name: str, children: Iterable[tuple[str, ModuleType]]) -> None:
    """A fresh package knows its submodules that were not run again."""
    module = sys.modules[name]
    for child, loaded in children:
        if not hasattr(module, child):
            setattr(module, child, loaded)


def _below(names: Iterable[str]) -> dict[str, list[tuple[str, ModuleType]]]:
    """The submodules of each of these packages, by their last names."""
    wanted, found = frozenset(names), dict[str, list[tuple[str, ModuleType]]]()
    for key, module in list(sys.modules.items()):
        parent, _, leaf = key.rpartition(".")
        if parent in wanted:
            found.setdefault(parent, []).append((leaf, module))
    return found
