"""A record that goes back into a sandbox: there it is an object of its class again, where that class is there."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from .errors import UsageError

_INSTEAD = "send plain data, or change it inside: %%sandbox exec"


def again(type_name: str, fields: Mapping[str, Any]) -> object:
    """The object that a Record stands for, with its fields as they came out. Named in pickles toward a guest.

    Raises UsageError where that class is not there, is none with named fields, or has others now.

    >>> again("jupyter_sandbox.model.data.Opaque", {"type_name": "socket.socket", "text": ""})
    <socket.socket>
    >>> again("shop.Order", {"item": "tea"})  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    jupyter_sandbox.model.errors.UsageError: the class shop.Order of what was sent back is not in this sandbox: ...
    """
    cls = _class(type_name)
    if cls is None:
        raise UsageError(f"the class {type_name} of what was sent back is not in this sandbox", hint=_INSTEAD)
    try:
        return _made(cls, type_name, fields)
    except UsageError:
        raise
    except Exception as error:  # whatever a class of the user's raises
        raise UsageError(
            f"{type_name} cannot be made of the fields that were sent back ({type(error).__name__}: {error})",
            hint=_INSTEAD,
        ) from None


def _class(type_name: str) -> Any:
    """The class of this name in a module that is loaded; a class may stand in another."""
    parts = type_name.split(".")
    for end in range(len(parts) - 1, 0, -1):
        found: Any = sys.modules.get(".".join(parts[:end]))
        for part in parts[end:] if found is not None else ():
            found = getattr(found, part, None)
        if isinstance(found, type):
            return found
    return None


def _made(cls: Any, type_name: str, fields: Mapping[str, Any]) -> object:
    if dataclasses.is_dataclass(cls):
        return _of_dataclass(cls, type_name, fields)
    if issubclass(cls, msgspec.Struct):
        _refuse_others(type_name, fields, cls.__struct_fields__, cls.__struct_fields__)
        return cls(**fields)
    names = getattr(cls, "_fields", None)
    if not issubclass(cls, tuple) or names is None:
        raise UsageError(f"the class {type_name} of what was sent back has no named fields", hint=_INSTEAD)
    _refuse_others(type_name, fields, names, names)
    return tuple.__new__(cls, [fields[name] for name in names])


def _of_dataclass(cls: Any, type_name: str, fields: Mapping[str, Any]) -> object:
    """Made as its class makes it, so that what it keeps beside its fields is there; then the fields as they came."""
    declared = dataclasses.fields(cls)
    given = [field.name for field in declared if field.init]
    _refuse_others(type_name, fields, given, [field.name for field in declared])
    made: object = cls(**{name: fields[name] for name in given})
    for name, held in fields.items():
        object.__setattr__(made, name, held)
    return made


def _refuse_others(type_name: str, fields: Mapping[str, Any], needed: Iterable[str], allowed: Iterable[str]) -> None:
    if not set(needed) <= fields.keys() <= set(allowed):
        own, sent = ", ".join(allowed), ", ".join(fields) or "none"
        raise UsageError(f"{type_name} has the fields {own}, and what was sent back has {sent}", hint=_INSTEAD)
