"""Python values of a sandbox as the kernel sees them: never live objects, never code to run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, repr=False)
class Record:
    """An object with named fields (a dataclass, a named tuple) as its type's name and its fields.

    Fields are read like attributes; the class itself stays in the sandbox. Those that begin with ``_`` are found in
    ``fields`` alone: by such names Python, IPython and libraries ask an object how to read it, and numpy takes an
    address from ``__array_interface__`` as given. What is asked by other names (``dtype``, ``shape``, ``keys``) gets
    plain data, which nobody can call.

    >>> counter = Record("counter.Counter", {"n": 1, "_seen": 7})
    >>> counter, counter.n, counter.fields["_seen"]
    (Counter(n=1, _seen=7), 1, 7)
    >>> hasattr(counter, "_seen")
    False

    Raises AttributeError that names the fields, or where to find one that begins with ``_``.
    """

    type_name: str
    fields: Mapping[str, object] = field(default_factory=dict)

    def __getattr__(self, name: str) -> object:
        # Slots answer the real attributes; a copy in the making has no fields yet.
        fields = {} if name in ("fields", "type_name") else self.fields
        if name in fields:
            if not name.startswith("_"):
                return fields[name]
            raise AttributeError(f"{name!r} may be asked for by others than you: read it as .fields[{name!r}]")
        raise AttributeError(f"{self.type_name} has no field {name!r}; it has {', '.join(fields) or 'none'}")

    def __repr__(self) -> str:
        inside = ", ".join(f"{name}={value!r}" for name, value in self.fields.items())
        return f"{self.type_name.rpartition('.')[2]}({inside})"

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True, slots=True, repr=False)
class Opaque:
    """Anything that does not travel as data: its type's name and a bounded text.

    >>> Opaque("decimal.Decimal", "Decimal('1.5')")
    Decimal('1.5')
    >>> Opaque("socket.socket")
    <socket.socket>
    """

    type_name: str
    text: str = ""

    def __repr__(self) -> str:
        return self.text or f"<{self.type_name}>"
