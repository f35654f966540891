"""A throw-away guest tries code before a live one gets it: compile, import, list what can be started."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType

from ..code.finder import ModuleFinder
from ..model import anatomy
from ..model.code import ClassInfo, ModuleCode
from ..otp.application import Application
from ..otp.gen import Engine
from .code_server import import_all


@dataclass(frozen=True, slots=True)
class Trial:
    """The names of all modules, in an order in which they can be imported; classes that can be started."""

    order: list[str]
    classes: list[ClassInfo]


def try_modules(modules: Sequence[ModuleCode], finder: ModuleFinder) -> Trial:
    """Import all of these modules, which are compiled.

    Raises CompileError (compilation_error or load_error) for what raises while imported.
    """
    finder.hold(modules)
    names = [module.name for module in modules]
    known = set(names)
    order = [name for name in import_all(names, finder) if name in known]
    classes = [found for name in order for found in classes_of(sys.modules[name])]
    return Trial(order, classes)


def classes_of(module: ModuleType) -> list[ClassInfo]:
    """Classes that are defined in the module and can be started, in the order of their definition."""
    found = []
    for value in vars(module).values():
        if anatomy.is_class(value) and anatomy.home_of(value) == module.__name__:
            kind = kind_of(value)
            if kind is not None and not inspect.isabstract(value):
                found.append(ClassInfo(module.__name__, value.__qualname__, kind))
    return found


def kind_of(value: type) -> str | None:
    """application · supervisor · server · statem, or None for a class that cannot be started."""
    if Application in anatomy.mro_of(value):
        return "application"
    engine = anatomy.lookup(value, "engine")
    return engine.kind if type(engine) is Engine else None
