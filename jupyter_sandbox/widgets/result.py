"""Base of everything a magic shows: a text form and a static HTML form without script."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from typing import Any

from .safe import untypeset


class Result(ABC):
    """Has ``text()`` and ``html()``; IPython, Jupyter and ``print`` do the rest."""

    __slots__ = ()

    @abstractmethod
    def text(self) -> str:
        """The form for terminals, screen readers and sites that show no HTML."""

    @abstractmethod
    def html(self) -> str:
        """The form for notebooks: static and escaped."""

    def __repr__(self) -> str:
        return self.text()

    def _repr_mimebundle_(
        self, include: Collection[str] | None = None, exclude: Collection[str] | None = None
    ) -> dict[str, Any]:
        return {"text/plain": self.text(), "text/html": untypeset(self.html())}
