"""Every public name has a docstring, every behaviour an example, and every name stands in an example that is run."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from typing import Any

import pytest

import jupyter_sandbox
from jupyter_sandbox import Sandbox, SandboxManager, control, otp
from jupyter_sandbox.otp import application, sys
from jupyter_sandbox.otp.tables import Ets

SYS = [name for name, value in vars(sys).items() if inspect.isfunction(value) and value.__module__ == sys.__name__]
FUNCTIONS = {
    "otp": (otp, [name for name in otp.__all__ if callable(getattr(otp, name))]),
    "application": (application, [n for n in application.__all__ if callable(getattr(application, n))]),
    "sys": (sys, [name for name in SYS if not name.startswith("_") and name not in ("handle", "move")]),
    "control": (control, control.__all__),
    "jupyter_sandbox": (jupyter_sandbox, jupyter_sandbox.__all__),
}
"""``handle`` and ``move`` are for the behaviours and the code server."""
INTERNAL = {"Loaded", "Control", "applications", "attend", "entries_of", "state_text", "child_spec"}
"""What the package needs for itself."""
OUTSIDE = {"outside"}
"""Needs a sandbox: tests/guest/test_execute.py."""
CLASSES = [
    otp.OtpContext, otp.GenServer, otp.GenStatem, otp.Supervisor, otp.DynamicSupervisor, otp.PartitionSupervisor,
    otp.Task, otp.TaskSupervisor, otp.Agent, otp.Registry, application.Application, Ets, otp.Node, Sandbox,
    SandboxManager,
]  # fmt: skip
EXEMPLARY = [
    *(kind for kind in CLASSES if kind.__module__.startswith("jupyter_sandbox.manager")), Ets, otp.Child, control,
    *(value for value in map(otp.__dict__.get, otp.__all__) if inspect.isfunction(value) or inspect.isclass(value)),
]  # fmt: skip
"""What has an example of its own, and not only a place in one."""
ALIASES = {otp.Event, otp.CallResult, otp.CastResult, otp.EventResult, otp.InitResult}
"""For annotations: unions, which have nothing to show when they run; their names stand in examples."""
NAMES = sorted({(where, name) for where, (_, names) in FUNCTIONS.items() for name in names})


def _methods(kind: type) -> Iterator[tuple[str, Any]]:
    for base in kind.__mro__:
        if base.__module__.startswith("jupyter_sandbox"):
            for name, value in vars(base).items():
                if not name.startswith("_") and isinstance(
                    value, (staticmethod, classmethod, property)
                ) | inspect.isfunction(value):
                    yield name, value


def _examples() -> str:
    """The code of all examples of the package."""
    finder, code = doctest.DocTestFinder(exclude_empty=True), []
    for package in ("otp", "runtime", "manager", "model"):
        found = importlib.import_module(f"jupyter_sandbox.{package}")
        for info in pkgutil.walk_packages(found.__path__, f"jupyter_sandbox.{package}."):
            for test in finder.find(importlib.import_module(info.name)):
                code += [example.source for example in test.examples]
    code += [example.source for test in finder.find(control) for example in test.examples]
    return "".join(code)


EXAMPLES = _examples()


@pytest.mark.parametrize(("where", "name"), NAMES)
def test_every_public_name_has_a_docstring(where: str, name: str) -> None:
    value = getattr(FUNCTIONS[where][0], name)
    assert inspect.ismodule(value) or (vars(value).get("__doc__") if inspect.isclass(value) else value.__doc__)


@pytest.mark.parametrize("kind", CLASSES)
def test_every_public_method_has_a_docstring(kind: type) -> None:
    assert [name for name, value in _methods(kind) if not value.__doc__] == []


@pytest.mark.parametrize("what", [what for what in EXEMPLARY if what not in ALIASES])
def test_every_public_class_and_function_has_an_example_that_is_run(what: Any) -> None:
    tests = doctest.DocTestFinder(recurse=False).find(what)
    examples = [example for test in tests for example in test.examples]
    assert examples and not any(example.options.get(doctest.SKIP) for example in examples)


@pytest.mark.parametrize(("where", "name"), [pair for pair in NAMES if pair[1] not in INTERNAL])
def test_every_public_name_stands_in_an_example(where: str, name: str) -> None:
    if where != "jupyter_sandbox":  # its own names are entry points
        assert re.search(rf"\b{name}\b", EXAMPLES)


@pytest.mark.parametrize("kind", [kind for kind in CLASSES if kind not in (otp.Node, Sandbox, SandboxManager)])
def test_every_method_stands_in_an_example(kind: type) -> None:
    names = {name for name, _ in _methods(kind)} - INTERNAL - OUTSIDE
    assert sorted(name for name in names if not re.search(rf"(\.|def ){name}\b", EXAMPLES)) == []
