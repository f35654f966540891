"""What a value's own class draws of it, taken as bytes. Looks at no byte: whether they are an image the kernel decides.

The methods are Jupyter's. They run as part of the cell, in its process and within
its time; whatever they do, the value itself is not lost.
"""

from __future__ import annotations

import binascii
import io
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from ..model import anatomy
from ..model.picture import JPEG, MOST_BYTES, PNG
from ..wire.value_encoder import plain_part
from .tracebacks import one_line

_Mime = Literal["image/png", "image/jpeg"]
_BUNDLE: Final = "_repr_mimebundle_"
_FILES: Final[tuple[tuple[str, _Mime], ...]] = (("_repr_png_", PNG), ("_repr_jpeg_", JPEG))
_LEAVES: Final = frozenset({type(None), bool, int, float, str, bytes, list, tuple, dict, set, frozenset})


@dataclass(frozen=True, slots=True)
class Drawing:
    """The file, or why there is none although the class has a method for it."""

    mime: _Mime = PNG
    image: bytes = b""
    why: str = ""


class _Unfit(Exception):
    """What was returned is no file."""


def draw(value: Any) -> Drawing | None:
    """The picture that the value's class makes of it; None when it makes none. Raises nothing.

    >>> class Dot:
    ...     def _repr_png_(self):
    ...         return b"..."
    >>> draw(Dot()), draw(7)
    (Drawing(mime='image/png', image=b'...', why=''), None)
    """
    if type(value) in _LEAVES or anatomy.isinstance_of(value, type):
        return None
    failed = ""
    for name, make in _ways(value):
        try:
            found = make()
        except NotImplementedError:
            continue
        except _Unfit as unfit:
            failed = failed or f"{name} {unfit}"
        except BaseException as error:  # also of a callback that was broken: the cell's value is known already
            failed = failed or f"{name} raised {one_line(error)}"
        else:
            if found is not None:
                return found
    return Drawing(why=failed) if failed else None


def _ways(value: Any) -> list[tuple[str, Callable[[], Drawing | None]]]:
    """Methods that the class has. Nothing is run to find them: a ``__getattr__`` has an answer to everything."""
    ways: list[tuple[str, Callable[[], Drawing | None]]] = []
    if anatomy.lookup(type(value), _BUNDLE) is not None:
        ways.append((_BUNDLE, lambda: _from_bundle(value)))
    for name, mime in _FILES:
        if anatomy.lookup(type(value), name) is not None:
            ways.append((name, _from_method(value, name, mime)))
    figure = getattr(sys.modules.get("matplotlib.figure"), "Figure", None)
    if type(figure) is type and anatomy.isinstance_of(value, figure):
        ways.append(("savefig", lambda: _from_figure(value)))
    return ways


def _from_method(value: Any, name: str, mime: _Mime) -> Callable[[], Drawing | None]:
    return lambda: _drawing(mime, getattr(value, name)())


def _from_bundle(value: Any) -> Drawing | None:
    mimes = [mime for _, mime in _FILES]
    bundle = getattr(value, _BUNDLE)(include=mimes, exclude=None)
    if type(bundle) is tuple and bundle:  # with what is to be known about them
        bundle = bundle[0]
    if bundle is None:
        return None
    if not anatomy.isinstance_of(bundle, dict):
        raise _Unfit(f"returned {anatomy.type_name(bundle)} and not a dict")
    found = ((mime, dict.get(bundle, mime)) for mime in mimes)
    return next((_drawing(mime, held) for mime, held in found if held is not None), None)


def _from_figure(value: Any) -> Drawing | None:
    """Matplotlib has IPython draw its figures, so that they have no method of their own."""
    file = io.BytesIO()
    value.savefig(file, format="png", bbox_inches="tight")
    return _drawing(PNG, file.getvalue())


def _drawing(mime: _Mime, found: Any) -> Drawing | None:
    """Of bytes, or of base64 as messages of Jupyter have it. Raises _Unfit."""
    if type(found) is tuple and found:
        found = found[0]
    return None if found is None else Drawing(mime, _bounded(_file(found)))


def _file(found: Any) -> bytes:
    for kind in (bytes, bytearray):
        if anatomy.isinstance_of(found, kind):
            file: bytes = plain_part(found, kind)
            return file
    if not anatomy.isinstance_of(found, str):
        raise _Unfit(f"returned {anatomy.type_name(found)} and not bytes")
    try:
        return binascii.a2b_base64(plain_part(found, str))
    except ValueError:
        raise _Unfit("returned text that is no base64; return bytes") from None


def _bounded(file: bytes) -> bytes:
    if not file:
        raise _Unfit("returned nothing")
    if len(file) > MOST_BYTES:
        raise _Unfit(f"returned {len(file):,} bytes and {MOST_BYTES:,} are allowed; draw it smaller")
    return file
