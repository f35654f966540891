"""What a request from the kernel does inside the node. Each function runs in a hidden client process of its own.

Arguments arrive pickled and are opened only here, so that a journal holds
nothing but plain data and a replay opens them against the code of that moment.
The names of these functions stand in journals: renaming one changes the format.
"""

from __future__ import annotations

import importlib
import pickle
import sys
from typing import Any

from ..model.errors import UsageError
from ..otp import application, client
from ..otp.process import OtpContext
from .tracebacks import one_line
from .trial import classes_of


async def call(ctx: OtpContext, target: str, data: bytes, timeout_ms: int | None) -> Any:
    """GenServer call."""
    return await client.call(ctx, target, opened(data), timeout_ms)


async def spawn(ctx: OtpContext, function: str, data: bytes, name: str | None) -> Any:
    """Spawn ``module.function`` or start ``module.Class``."""
    return await client.spawn(ctx, named(function), arguments(data), name)


async def set_state(ctx: OtpContext, target: str, data: bytes) -> Any:
    """sys:replace_state with a value."""
    return await client.set_state(ctx, target, opened(data))


async def start(ctx: OtpContext, app: str, main: str, data: bytes, facts: dict[str, Any]) -> None:
    """Start a main class as an application. ``facts`` fills the rest of its specification."""
    given = arguments(data)
    spec = application.Spec(
        name=app,
        argument=None if not given else given[0] if len(given) == 1 else given,
        description=facts["description"],
        version=facts["version"],
        modules=facts["modules"],
        registered=facts["registered"],
        applications=[*application.BASE, *facts["dependencies"]],
        env=dict(opened(facts["env"])) if facts["env"] else {},
    )
    await client.start(ctx, main_class(main, facts["modules"]), spec)


def opened(data: bytes) -> Any:
    """A value that the kernel sent. Raises UsageError when it needs something that is not in the sandbox."""
    try:
        return pickle.loads(data)
    except UsageError:  # a record whose class is not there, or is another one now
        raise
    except BaseException as error:  # a pickle runs what it names, and that may raise anything
        hint = "send plain data, or objects of classes that the sandbox has loaded too"
        why = one_line(error)
        raise UsageError(f"the argument cannot be opened in the sandbox ({why}); {hint}") from None


def arguments(data: bytes) -> tuple[Any, ...]:
    """A tuple of arguments; empty when none were sent."""
    if not data:
        return ()
    given = opened(data)
    return given if isinstance(given, tuple) else (given,)


def named(name: str) -> Any:
    """What ``module.name`` means in the code of this moment. Raises UsageError with what there is."""
    module_name, _, path = name.rpartition(".")
    if not module_name:
        module(name)
        raise UsageError("function", name, hint=f"it is a module; give {name}.function or {name}.Class")
    found: Any = module(module_name)
    if not hasattr(found, path):
        own = {key: value for key, value in vars(found).items() if callable(value) and not key.startswith("_")}
        allowed = [key for key, value in own.items() if getattr(value, "__module__", module_name) == module_name]
        raise UsageError("function", name, allowed=[f"{module_name}.{key}" for key in allowed])
    return getattr(found, path)


def module(name: str) -> Any:
    """A loaded module of the sandbox, or one that Python can import."""
    try:
        return importlib.import_module(name)
    except (ImportError, ValueError) as error:
        hint = f"it cannot be imported ({error}); `%sandbox versions` lists modules"
        raise UsageError("module", name, hint=hint) from None


def main_class(main: str, modules: list[str]) -> Any:
    """The class that ``main`` means: ``module.Class``, or a module's only class that can be started.

    Raises UsageError with the classes there are.
    """
    known = {f"{info.module}.{info.name}": info for name in modules if name in sys.modules
             for info in classes_of(sys.modules[name])}  # fmt: skip
    if main in modules:
        for kind in ("application", "supervisor", "server"):
            fitting = [name for name, info in known.items() if info.module == main and info.behaviour == kind]
            if len(fitting) == 1:
                return _resolve(fitting[0], known[fitting[0]].module)
    if main not in known:
        hint = "" if known else "Load a module with an application, supervisor or server first"
        raise UsageError("main", main, allowed=known, hint=hint)
    return _resolve(main, known[main].module)


def _resolve(name: str, module_name: str) -> Any:
    found: Any = sys.modules[module_name]
    for part in name.removeprefix(f"{module_name}.").split("."):
        found = getattr(found, part)
    return found
