"""Names of modules: from file paths, and what is allowed. Pure."""

from __future__ import annotations

import keyword
import sys
from pathlib import PurePosixPath

from ..model.errors import UsageError

_OURS = frozenset({"jupyter_sandbox", "__main__"})


def check_module_name(name: str) -> str:
    """``name`` when a sandbox may have a module of that name.

    >>> check_module_name("shop.counter")
    'shop.counter'

    Raises UsageError when it is no dotted identifier, or would hide a module
    of Python's standard library or of jupyter_sandbox.
    """
    parts = name.split(".") if isinstance(name, str) else [""]
    if not all(part.isidentifier() and not keyword.iskeyword(part) for part in parts):
        raise UsageError("module", name, hint="give a dotted Python name such as counter or shop.counter")
    if parts[0] in sys.stdlib_module_names or parts[0] in _OURS:
        raise UsageError("module", name, hint=f"it would hide Python's own {parts[0]}; choose another name")
    return name


def module_of(file: str) -> tuple[str, bool]:
    """The module's name and whether it is a package, for a file path with forward slashes.

    >>> module_of("shop/__init__.py"), module_of("shop/counter.py")
    (('shop', True), ('shop.counter', False))

    Raises UsageError for a path that leaves its folder or makes no module name.
    """
    path = PurePosixPath(file)
    if path.is_absolute() or ".." in path.parts or "\\" in file or "\0" in file or not path.parts:
        raise UsageError("file", file, hint="give a relative path with forward slashes, such as shop/counter.py")
    if path.suffix not in (".py", ".pyc"):
        raise UsageError("file", file, hint="only Python files (.py) can be loaded; leave it out or rename it")
    parts = [*path.parts[:-1], path.stem]
    is_package = parts[-1] == "__init__"
    if is_package:
        parts.pop()
    if not parts:
        raise UsageError("file", file, hint="a package needs a folder: shop/__init__.py")
    return check_module_name(".".join(parts)), is_package


def is_module_path(file: str) -> bool:
    """Whether ``module_of`` would take this path."""
    try:
        module_of(file)
    except UsageError:
        return False
    return True


def without_cache(path: str) -> str:
    """The path of a ``.pyc`` as if it lay beside its source.

    >>> without_cache("shop/__pycache__/front.cpython-311.pyc")
    'shop/front.pyc'
    """
    parts = PurePosixPath(path)
    if parts.parent.name != "__pycache__":
        return path
    return str(parts.parent.parent / f"{parts.name.split('.')[0]}.pyc")
