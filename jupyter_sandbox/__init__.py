"""jupyter_sandbox: supervised processes in a notebook, each system in an OS process of its own.

In a notebook: ``%load_ext jupyter_sandbox``, then ``%sandbox?``. From Python:
``from jupyter_sandbox import SandboxManager``. Inside a sandbox:
``from jupyter_sandbox.otp import GenServer, Supervisor``.

This module is imported by everything, a sandbox included, so it loads nothing
until it is asked for: no Jupyter, no manager, no runtime.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import control as control
    from .manager.manager import SandboxManager as SandboxManager
    from .manager.sandbox import Sandbox as Sandbox

__all__ = ["Sandbox", "SandboxManager", "control", "load_ipython_extension", "unload_ipython_extension"]


def load_ipython_extension(ipython: Any) -> None:
    """Called by ``%load_ext jupyter_sandbox``: brings ``%sandbox``, ``%%sandbox`` and, in Jupyter, the Lab panel."""
    from .model.platforms import require_platform

    require_platform()
    from .magics.extension import load

    load(ipython)


def unload_ipython_extension(ipython: Any) -> None:
    """Called by ``%unload_ext jupyter_sandbox``: stops every sandbox and leaves nothing behind."""
    from .magics.extension import unload

    unload(ipython)


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "labextension", "dest": "jupyter-sandbox"}]


def __getattr__(name: str) -> Any:
    if name in ("SandboxManager", "Sandbox"):
        from .model.platforms import require_platform

        require_platform()
    if name == "SandboxManager":
        from .manager.manager import SandboxManager

        return SandboxManager
    if name == "Sandbox":
        from .manager.sandbox import Sandbox

        return Sandbox
    if name == "control":
        from importlib import import_module

        return import_module(".control", __name__)
    if name == "__version__":
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version("jupyter_sandbox")
        except PackageNotFoundError:  # run from a source tree that is not installed
            return "0+source"
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
