"""A kernel that forks, and what its child meets: a line per attempt, at once. Its own sandbox works on."""

from __future__ import annotations

import inspect
import os
import signal
import sys
import time
import warnings
from collections.abc import Callable

from IPython.core.interactiveshell import InteractiveShell

from jupyter_sandbox.magics.extension import load
from jupyter_sandbox.manager.manager import SandboxManager
from jupyter_sandbox.model.sandbox import Update

warnings.simplefilter("ignore")  # of newer Pythons: there are threads in what forks


def ignore(_: Update) -> None:
    """Hears nothing."""


def main() -> None:
    manager = SandboxManager(store=":memory:")
    shop = manager.create("shop")
    shell = InteractiveShell()
    load(shell, manager)
    attempts: dict[str, Callable[[], object]] = {
        "exec": lambda: shop.exec("1"), "status": lambda: shop.status, "info": shop.info, "log": shop.log,
        "output": shop.output, "destroy": shop.destroy, "list": manager.list, "get": lambda: manager.get("shop"),
        "create": lambda: manager.create("other"), "refresh": manager.refresh,
        "destroy by name": lambda: manager.destroy("shop"), "subscribe": lambda: manager.subscribe(ignore),
        **methods(manager, "manager"), **methods(shop, "sandbox"),
        "magic": lambda: shell.run_line_magic("sandbox", "list"),
        "cell magic": lambda: shell.run_cell_magic("sandbox", "shop", "1 + 1"),
    }  # fmt: skip
    child = os.fork()
    if child == 0:
        signal.alarm(90)
        for name, attempt in attempts.items():
            told(name, attempt)
        print(f"repr: {shop!r}")
        manager.close()
        with SandboxManager(store=":memory:") as own:
            print(f"its own: {own.create().exec('40 + 2')}", flush=True)
        sys.exit(0)  # with all that is done at exit
    print(f"child: {os.waitpid(child, 0)[1]}")
    print(f"parent: {shop.exec('6 * 7')}", flush=True)
    manager.close()


GIVEN: dict[str, tuple[object, ...]] = {
    "get": ("shop",), "destroy": ("shop",), "stored": ("shop",), "was_destroyed": ("shop",), "subscribe": (ignore,),
    "call": ("front", 1), "cast": ("front", 1), "send": ("front", 1), "spawn": ("counter.Counter",), "exec": ("1",),
    "set_state": ("front", 1), "restart_child": ("a", "b"), "terminate_child": ("a", "b"), "delete_child": ("a", "b"),
    "restart_under": ("a", "b"), "load": ("x = 1", "x"), "snapshot": ("one",), "restore": ("one",), "why": ("front",),
    "watch": (20,), "record": ("kind", {}),
}  # fmt: skip
"""What a public method is given; most others take nothing, or a target."""
TARGET = ("front",)
HARMLESS = {"manager.close", "manager.closed", "manager.origin", "manager.store"}
"""Ends nothing of the kernel's, or tells what is as true in a fork."""


def methods(thing: object, of: str) -> dict[str, Callable[[], object]]:
    """Everything public of it, as an attempt."""
    public = [name for name in dir(thing if isinstance(thing, type) else type(thing)) if not name.startswith("_")]
    return {f"{of}.{name}": attempt(thing, name) for name in public if f"{of}.{name}" not in HARMLESS}


def attempt(thing: object, name: str) -> Callable[[], object]:
    def use() -> object:
        found = getattr(thing, name)
        if name == "until":
            return found(process="front")
        takes = inspect.signature(found).parameters.values()
        needed = any(one.default is one.empty and one.kind is one.POSITIONAL_OR_KEYWORD for one in takes)
        return found(*(GIVEN.get(name, TARGET) if needed else ()))

    return use


def told(name: str, attempt: Callable[[], object]) -> None:
    began = time.monotonic()
    try:
        said = f"nothing: {attempt()!r}"
    except BaseException as error:
        said = f"{type(error).__name__}: {error}".replace("\n", " ")
    print(f"{name}: {said} [{'at once' if time.monotonic() - began < 5 else 'late'}]", flush=True)


if __name__ == "__main__":
    main()
