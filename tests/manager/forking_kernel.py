"""A kernel that forks, and what its child meets: a line per attempt, at once. Its own sandbox works on."""

from __future__ import annotations

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
        "magic": lambda: shell.run_line_magic("sandbox", "list"),
        "cell magic": lambda: shell.run_cell_magic("sandbox", "shop", "1 + 1"),
    }  # fmt: skip
    child = os.fork()
    if child == 0:
        signal.alarm(20)
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


def told(name: str, attempt: Callable[[], object]) -> None:
    began = time.monotonic()
    try:
        said = f"nothing: {attempt()!r}"
    except BaseException as error:
        said = f"{type(error).__name__}: {error}".replace("\n", " ")
    print(f"{name}: {said} [{'at once' if time.monotonic() - began < 1 else 'late'}]", flush=True)


if __name__ == "__main__":
    main()
