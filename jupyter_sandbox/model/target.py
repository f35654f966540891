"""The text by which a process is meant. Pure."""

from __future__ import annotations

from .errors import NoProcess


def named(target: str, sandbox: str) -> str:
    """The text, if there is anything in it. Raises NoProcess: an empty variable is no wish to end everything.

    >>> named("shop/front", "s")
    'shop/front'
    """
    if not target.replace("/", " ").strip():
        hint = "give a registered name, a path in the tree or a pid"
        raise NoProcess(f"{target!r} names no process: {hint}; %sandbox ps {sandbox} shows them")
    return target
