"""A kernel that has sandboxes has one jupyter_sandbox: whoever loads it a second time is told, and harms nothing."""

from __future__ import annotations

import importlib
import logging
import subprocess
import sys

import pytest

from jupyter_sandbox.manager.in_use import STAYS
from jupyter_sandbox.manager.manager import SandboxManager
from jupyter_sandbox.manager.sandbox import Sandbox

RELOADED = """
import importlib, sys
from jupyter_sandbox import SandboxManager
with SandboxManager(store=":memory:"):
    pass
for name in sorted(name for name in sys.modules if name.startswith("jupyter_sandbox")):
    importlib.reload(sys.modules[name])
import jupyter_sandbox
try:
    jupyter_sandbox.SandboxManager(store=":memory:")
except Exception as error:
    print(type(error).__name__, error)
"""
PURGED = """
import sys
from jupyter_sandbox import SandboxManager as Before
Before(store=":memory:").close()
for name in [name for name in sys.modules if name.startswith("jupyter_sandbox")]:
    del sys.modules[name]
from jupyter_sandbox import SandboxManager
with SandboxManager(store=":memory:") as manager:
    print(SandboxManager is Before, manager.create("fresh").exec("1 + 1"))
"""


def ours() -> list[str]:
    return [name for name in sys.modules if name.partition(".")[0] == "jupyter_sandbox"]


def run(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.strip()


def test_no_module_is_reloaded_while_there_is_a_manager_and_sandboxes_go_on(shop: Sandbox) -> None:
    for name in ours():
        if name != "jupyter_sandbox":  # which has no classes: IPython reloads it to begin anew
            with pytest.raises(ImportError, match=STAYS):
                importlib.reload(sys.modules[name])
    importlib.reload(sys.modules["jupyter_sandbox"])
    assert shop.exec("1 + 1") == 2
    assert shop.call("front", "next") == 0


def test_who_purges_the_modules_gets_the_same_ones_again(
    manager: SandboxManager, shop: Sandbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    names = ours()
    before = dict(sys.modules)
    for name in names:
        monkeypatch.delitem(sys.modules, name)
    with caplog.at_level(logging.WARNING):
        again = importlib.import_module("jupyter_sandbox.manager.manager")
    assert again.SandboxManager is SandboxManager
    assert {name: sys.modules[name] for name in names} == {name: before[name] for name in names}
    assert caplog.messages == [STAYS]
    assert all(sys.modules[name].__spec__.name == name for name in names)  # type: ignore[union-attr]
    assert shop.exec("1 + 1") == 2


def test_the_import_system_is_left_as_it_was_found() -> None:
    before = list(sys.meta_path)
    with SandboxManager(store=":memory:"):
        assert len(sys.meta_path) == len(before) + 1
    assert sys.meta_path == before


def test_modules_that_were_reloaded_in_place_before_are_refused_in_one_sentence() -> None:
    assert run(RELOADED) == (
        "UsageError modules of jupyter_sandbox were loaded a second time, and what is left of the first does not fit: "
        "restart the kernel"
    )


def test_without_a_manager_the_package_can_be_purged_and_imported_anew() -> None:
    assert run(PURGED) == "False 2"
