"""What a sandbox has imported before its own code runs. Sandboxes of one flavour are forked from one zygote."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from .errors import UsageError
from .given import many, one_of, text

NAMED: Final[Mapping[str, tuple[str, ...]]] = {"plain": (), "sci": ("numpy", "pandas")}
_MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_NAMES = "give names of modules, such as json or xml.dom"
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
        hint = f"Other modules: preimport=[{name!r}], or --preimport {name}" if _is_module(name) else ""
        name = one_of("flavour", name, NAMED, hint)
        if type(preimport) is tuple and not preimport:
            return cls(NAMED[name])
        is_text = issubclass(type(preimport), str)
        more = text("preimport", preimport).split(",") if is_text else preimport
        listed = many("preimport", more, "give a list of module names")
        named = [text("preimport", module, _NAMES).strip() for module in listed]
        for module in named:
            if not _is_module(module):
                raise UsageError("preimport", module, hint=_NAMES)
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
    return type(name) is str and len(name) <= 200 and _MODULE.fullmatch(name) is not None
