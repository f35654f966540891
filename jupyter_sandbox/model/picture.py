"""A picture that a sandbox made of a value. It has been checked: nobody makes one of bytes that have not."""

from __future__ import annotations

import binascii
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

PNG: Final = "image/png"
JPEG: Final = "image/jpeg"
MOST_BYTES: Final = 1 << 20
"""Of one picture. A figure of a notebook has a tenth of it."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG or JPEG file with nothing in it but the image: see ``images.checked``, which makes it.

    >>> Picture(PNG, b"...", 640, 480)
    <image/png, 640 × 480, 3 bytes>
    """

    mime: str
    body: bytes
    width: int
    height: int

    def __repr__(self) -> str:
        return f"<{self.mime}, {self.width} × {self.height}, {len(self.body):,} bytes>"

    def _repr_mimebundle_(
        self, include: Collection[str] | None = None, exclude: Collection[str] | None = None
    ) -> dict[str, Any]:
        return {"text/plain": repr(self), self.mime: _base64(self.body)}


@dataclass(frozen=True, slots=True, repr=False)
class Drawn:
    """A value whose class draws itself, with its picture; or without one, and with the reason in one line.

    ``value`` is plain data, as of any other value. A notebook shows the picture; as text it is both.

    >>> Drawn([1, 2], None, "_repr_png_ raised KeyError: 'n'")
    [1, 2]
    (no picture: _repr_png_ raised KeyError: 'n')
    """

    value: object
    picture: Picture | None
    why: str = ""

    def __repr__(self) -> str:
        told = f"(no picture: {self.why})" if self.picture is None else repr(self.picture)
        return f"{self.value!r}\n{told}"

    def _repr_mimebundle_(
        self, include: Collection[str] | None = None, exclude: Collection[str] | None = None
    ) -> dict[str, Any]:
        shown = {"text/plain": repr(self)}
        return shown if self.picture is None else shown | {self.picture.mime: _base64(self.picture.body)}

    __hash__ = None  # type: ignore[assignment]


def _base64(body: bytes) -> str:
    return binascii.b2a_base64(body, newline=False).decode()
