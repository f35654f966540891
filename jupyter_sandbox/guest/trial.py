"""A throw-away guest tries code before a live one gets it: compile, import, list what can be started."""

from __future__ import annotations

import inspect
import sys
from dataclasses import dataclass
from types import ModuleType

from ..code.compiler import compile_bundle
from ..code.finder import ModuleFinder
from ..model.code import Bundle, ClassInfo, ModuleCode
from ..model.errors import Diagnostic
from ..otp.application import Application
from .code_server import import_or_refuse


@dataclass(frozen=True, slots=True)
class Trial:
    """The same modules compiled, in the order in which they need each other; classes that can be started; warnings."""

    bundle: Bundle
    classes: list[ClassInfo]
    warnings: list[Diagnostic]


def try_bundle(bundle: Bundle, finder: ModuleFinder) -> Trial:
    """Compile and import all modules of a bundle.

    Raises CompileError: compilation_failed for what does not compile,
    compilation_error or load_error for what raises while imported.
    """
    outcome = compile_bundle(bundle)
    compiled = outcome.bundle
    finder.hold(compiled.modules)
    for module in compiled.modules:
        if module.name not in finder.finished:
            import_or_refuse(module.name, finder)
    by_name = {module.name: module for module in compiled.modules}
    order: list[ModuleCode] = [by_name[name] for name in dict.fromkeys(finder.finished) if name in by_name]
    classes = [found for module in order for found in classes_of(sys.modules[module.name])]
    return Trial(Bundle(tuple(order), bundle.origin), classes, list(outcome.warnings))


def classes_of(module: ModuleType) -> list[ClassInfo]:
    """Classes that are defined in the module and can be started, in the order of their definition."""
    found = []
    for value in vars(module).values():
        if isinstance(value, type) and value.__module__ == module.__name__ and not inspect.isabstract(value):
            kind = kind_of(value)
            if kind is not None:
                found.append(ClassInfo(module.__name__, value.__qualname__, kind))
    return found


def kind_of(value: type) -> str | None:
    """application · supervisor · server · statem, or None for a class that cannot be started."""
    if issubclass(value, Application):
        return "application"
    engine = getattr(value, "engine", None)
    return getattr(engine, "kind", None)
