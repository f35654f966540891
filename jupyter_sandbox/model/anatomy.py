"""What an object is made of, found without running a line of its own code.

User classes may lie (``__class__``), hang (``__repr__``, properties) or raise
anywhere. Everything here goes through ``type`` and C-level descriptors only:
no attribute of the object itself is ever looked up in the ordinary way.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from typing import Any

import msgspec

_MRO: Any = type.__dict__["__mro__"]
_NAMESPACE: Any = type.__dict__["__dict__"]
_QUALNAME: Any = type.__dict__["__qualname__"]
_MODULE: Any = type.__dict__["__module__"]
_STRUCT_META: Any = type(msgspec.Struct)
_STRUCT_FIELDS: Any = _STRUCT_META.__dict__["__struct_fields__"]
_ARGS: Any = BaseException.__dict__["args"]
_TRACEBACK: Any = BaseException.__dict__["__traceback__"]
# Standard classes whose C or library ``repr`` is short, quick and calls no user code.
_STANDARD = {
    "decimal": ("Decimal",),
    "fractions": ("Fraction",),
    "uuid": ("UUID",),
    "pathlib": ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath"),
    "re": ("Pattern",),
    "zoneinfo": ("ZoneInfo",),
    "numpy": ("bool_", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64"),
    "ipaddress": ("IPv4Address", "IPv6Address", "IPv4Network", "IPv6Network"),
}
_NAME_CAP = 100
_UNSET = object()
_FUNCTION_MODULE: Any = types.FunctionType.__dict__["__module__"]
_STORED = (types.GetSetDescriptorType, types.MemberDescriptorType)


def plain_text(value: Any, cap: int = _NAME_CAP) -> str:
    """``value`` as an exact, bounded, printable str; empty when it is no str at all."""
    if type(value) is str and len(value) <= cap and value.isprintable():
        return value
    if not isinstance_of(value, str):
        return ""
    text: str = str.__getitem__(value, slice(cap))
    return text if text.isprintable() else repr(text)[1:-1]


def mro_of(cls: type) -> tuple[type, ...]:
    """The method resolution order, past any metaclass."""
    order: tuple[type, ...] = _MRO.__get__(cls)
    return order


def isinstance_of(value: Any, cls: type) -> bool:
    """``isinstance`` by the true type: a lying ``__class__`` or ``__instancecheck__`` is not asked."""
    return type(value) is cls or any(one is cls for one in mro_of(type(value)))


def is_class(value: Any) -> bool:
    """Whether it is one itself: proxies raise for whatever is asked of them before they stand for something."""
    return isinstance_of(value, type)


def home_of(code: type | types.FunctionType) -> object:
    """The name of the module that a class or a function says it was defined in, past any metaclass."""
    return (_FUNCTION_MODULE if type(code) is types.FunctionType else _MODULE).__get__(code)


def lookup(cls: type, name: str) -> object:
    """The class attribute ``name`` as stored, with no descriptor run; None when there is none."""
    for one in mro_of(cls):
        namespace = _NAMESPACE.__get__(one)
        if name in namespace:
            return namespace[name]
    return None


def class_name(cls: type) -> str:
    """The qualified name without its module."""
    return plain_text(_QUALNAME.__get__(cls)) or "?"


def full_name(cls: type) -> str:
    """``module.Class``; built-ins stand without their module."""
    module = plain_text(_MODULE.__get__(cls))
    return class_name(cls) if module in ("builtins", "") else f"{module}.{class_name(cls)}"


def name_of(code: Any) -> str:
    """``module.name`` of a class or a function; empty for anything else, whatever it says of itself."""
    if isinstance_of(code, type):
        return f"{plain_text(_MODULE.__get__(code)) or '?'}.{class_name(code)}"
    if type(code) is types.MethodType:
        code = code.__func__
    if type(code) is types.FunctionType:
        return f"{plain_text(code.__module__) or '?'}.{plain_text(code.__qualname__) or '?'}"
    return ""


def own_name(code: Any) -> str:
    """The last part of ``name_of``.

    >>> own_name(dict), own_name(own_name), own_name(3)
    ('dict', 'own_name', '')
    """
    return name_of(code).rpartition(".")[2]


def traceback_of(error: BaseException) -> types.TracebackType | None:
    """Where it was raised: Python's own record, which ends, and not what its class may say of that."""
    found: types.TracebackType | None = _TRACEBACK.__get__(error)
    return found


def type_name(value: Any) -> str:
    """``module.Class`` of the true type of a value."""
    return full_name(type(value))


def is_standard(cls: type) -> bool:
    """Is it truly a well-known library's class with a harmless ``repr``, not one that only says so?"""
    module = _MODULE.__get__(cls)
    names = _STANDARD.get(module) if type(module) is str else None
    if not names:
        return False
    namespace = getattr(sys.modules.get(str(module)), "__dict__", {})
    return any(namespace.get(name) is cls for name in names)


def exception_args(value: BaseException) -> tuple[object, ...]:
    """``args`` as stored by ``BaseException``."""
    args: tuple[object, ...] = _ARGS.__get__(value)
    return args


def instance_fields(value: Any) -> Iterator[tuple[str, object]]:
    """Attributes stored in the instance: its dict in order, then filled slots. Properties are not run."""
    cls = type(value)
    stored: Any = _read(lookup(cls, "__dict__"), value)
    if isinstance_of(stored, dict):
        items: list[tuple[Any, object]] = list(dict.items(stored))
        yield from ((name, held) for name, held in items if type(name) is str)
    for one in reversed(mro_of(cls)):
        namespace = _NAMESPACE.__get__(one)
        if "__slots__" not in namespace:  # also keeps out C types, whose members are their inner workings
            continue
        for name, member in list(namespace.items()):
            if type(member) is types.MemberDescriptorType and name[:2] != "__":
                held = _read(member, value)
                if held is not _UNSET:
                    yield name, held


def _read(descriptor: Any, value: Any) -> object:
    """Run a descriptor only when it is C's own; _UNSET for an empty slot or one taken from a foreign class."""
    if not any(type(descriptor) is kind for kind in _STORED):
        return _UNSET
    try:
        return descriptor.__get__(value)
    except (AttributeError, TypeError):
        return _UNSET


def named_fields(value: Any) -> list[str] | None:
    """Field names in order when the type is a dataclass or a msgspec struct; None for any other type."""
    declared: Any = lookup(type(value), "__dataclass_fields__")
    if type(declared) is not dict:
        if not isinstance_of(type(value), _STRUCT_META):
            return None
        declared = _STRUCT_FIELDS.__get__(type(value))
    return [name for name in declared if type(name) is str]


def tuple_names(value: Any) -> tuple[str, ...] | None:
    """Field names when the value is a named tuple; None otherwise."""
    names: Any = lookup(type(value), "_fields")
    if type(names) is not tuple or not all(type(name) is str for name in names):
        return None
    return names if isinstance_of(value, tuple) and len(names) == tuple.__len__(value) else None


def enum_name(value: Any) -> str | None:
    """``Color.RED`` for a member of an Enum; None otherwise."""
    if not isinstance_of(lookup(type(value), "_member_map_"), dict):
        return None
    name = next((plain_text(stored) for key, stored in instance_fields(value) if key == "_name_"), "")
    return f"{class_name(type(value))}.{name}" if name else None
