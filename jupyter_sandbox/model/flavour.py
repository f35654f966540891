"""What a sandbox has imported before its own code runs. Sandboxes of one flavour are forked from one zygote."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from .errors import UsageError

NAMED: Final[Mapping[str, tuple[str, ...]]] = {"plain": (), "sci": ("numpy", "pandas")}
_MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
MOST = 50
"""Modules of one flavour; each is one more thing to wait for at the first sandbox."""


@dataclass(frozen=True, slots=True)
class Flavour:
    """Modules that are imported already, in this order. Two flavours with the same modules are the same.

    >>> Flavour.of("sci").name, Flavour.of(preimport="json,decimal").name
    ('sci', 'plain+json+decimal')
    """

    modules: tuple[str, ...] = ()

    @classmethod
    def of(cls, name: str = "plain", preimport: str | Iterable[str] = ()) -> Flavour:
        """A named flavour with more modules, given as a list or as text with commas. Raises UsageError.

        >>> Flavour.of("sci", ["numpy", "json"]).modules
        ('numpy', 'pandas', 'json')
        """
        if name not in NAMED:
            hint = f"Other modules: preimport=[{name!r}], or --preimport {name}" if _is_module(name) else ""
            raise UsageError("flavour", name, allowed=NAMED, hint=hint)
        if preimport == ():
            return cls(NAMED[name])
        more = preimport.split(",") if isinstance(preimport, str) else preimport
        if not isinstance(more, Iterable):
            raise UsageError("preimport", preimport, hint="give a list of module names")
        named = [module.strip() if isinstance(module, str) else module for module in more]
        for module in named:
            if not _is_module(module):
                raise UsageError("preimport", module, hint="give names of modules, such as json or xml.dom")
        modules = tuple(dict.fromkeys((*NAMED[name], *named)))
        if len(modules) > MOST:
            raise UsageError("preimport", hint=f"give at most {MOST} modules, not {len(modules)}")
        return cls(modules)

    @property
    def name(self) -> str:
        """The shortest way to say it: a known name, and what comes on top of that."""
        return _name(self.modules)


@functools.lru_cache(maxsize=100)
def _name(modules: tuple[str, ...]) -> str:
    best = max((known for known, has in NAMED.items() if modules[: len(has)] == has), key=lambda one: len(NAMED[one]))
    return "+".join((best, *modules[len(NAMED[best]) :]))


def _is_module(name: object) -> bool:
    return isinstance(name, str) and len(name) <= 200 and _MODULE.fullmatch(name) is not None
