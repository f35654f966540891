"""What a caller gave, taken as what it has to be: one check for each kind of value, with one error everywhere. Pure.

What comes back is of exactly that type, never of a subclass of it: only such values travel. Whatever a value does when
it is looked at (an iterator or a hash that raises) is told as a wrong value, too.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping

from .errors import UsageError
from .ids import Pid
from .target import named
from .views import EVENT_KINDS

MOST = 1 << 53
"""No limit and no count is above this: every part of the way, JavaScript included, holds it exactly."""
LONGEST_WAIT_MS = (1 << 32) - 1
"""What Erlang takes after a receive, and with that for a call, a start, a stop and a server's timeout: 49 days."""
_NO_LIST = (str, bytes, bytearray, memoryview, Mapping)
"""What can be gone through and is no list of anything all the same."""
_PROCESS = "name a process: a registered name, a path in the tree, or a pid"


def integer(value: object) -> int | None:
    """Anything that counts as a whole number, as Python's own; None for what is none, as truth values are.

    >>> integer(3), integer(3.0), integer(True)
    (3, None, None)
    """
    if type(value) is bool:
        return None
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except Exception:  # it is no number, or raises what it likes
        return None


def whole(field: str, value: object, most: int = MOST, least: int = 1) -> int:
    """A number from ``least`` to ``most``. Raises UsageError that names the field.

    >>> whole("count", 3)
    3
    """
    number = integer(value)
    if number is None or not least <= number <= most:
        raise UsageError(field, value, hint=f"give a whole number from {least} to {most}")
    return number


def truth(field: str, value: object) -> bool:
    """True or False, and nothing that counts as one of them. Raises UsageError.

    >>> truth("cut", True)
    True
    """
    if type(value) is not bool:
        raise UsageError(field, value, hint="give True or False")
    return value


def text(field: str, value: object, hint: str = "give a text") -> str:
    """A text. Raises UsageError that names the field.

    >>> text("reason", "kill")
    'kill'
    """
    # Not isinstance, which asks the value itself: some say that they are texts.
    if not issubclass(type(value), str):
        raise UsageError(field, value, hint=hint)
    return str.__str__(value)


def text_or_none(field: str, value: object, hint: str = "give a text") -> str | None:
    """The same, or nothing."""
    return None if value is None else text(field, value, hint)


def storable(field: str, value: object, hint: str, what: str = "a text") -> str:
    """A text that can be written to a file. Raises UsageError."""
    found = text(field, value, hint)
    if "\0" in found or found.encode(errors="replace").decode() != found:
        raise UsageError(field, found, hint=f"give {what} without null characters, in UTF-8")
    return found


def one_of(field: str, value: object, allowed: Iterable[str], hint: str = "") -> str:
    """One of these texts. Raises UsageError that names them.

    >>> one_of("clock", "real", ("real", "virtual"))
    'real'
    """
    found = str.__str__(value) if issubclass(type(value), str) else value
    if not isinstance(found, str) or found not in allowed:
        raise UsageError(field, found, allowed=allowed, hint=hint)
    return found


def many(field: str, value: object, hint: str = "give a list") -> tuple[object, ...]:
    """What is in a list, a tuple, a set or the like; a text alone is none. Raises UsageError."""
    try:
        if isinstance(value, Iterable) and not isinstance(value, _NO_LIST):
            return tuple(value)
    except Exception:  # whatever a class of the user's does when it is gone through
        pass
    raise UsageError(field, value, hint=hint)


def texts(field: str, value: object, hint: str = "give a list of names") -> tuple[str, ...]:
    """Texts in a list, none of them empty. Raises UsageError that names the first which is none.

    >>> texts("dependencies", ["logger"])
    ('logger',)
    """
    found = tuple(text(field, one, hint) for one in many(field, value, hint))
    if not all(found):
        raise UsageError(field, "", hint=hint)
    return found


def kinds(field: str, value: object) -> tuple[str, ...]:
    """Kinds of events in a list. Raises UsageError that names those that there are."""
    return tuple(one_of(field, one, EVENT_KINDS) for one in many(field, value, "give a list of kinds of events"))


def pairs(field: str, value: object, hint: str = "give a map") -> dict[str, object]:
    """A map whose keys are texts, as a dict of its own. Raises UsageError."""
    try:
        items = list(value.items()) if isinstance(value, Mapping) else None
    except Exception:  # whatever a class of the user's does when it is gone through
        items = None
    if items is None:
        raise UsageError(field, value, hint=hint)
    return {text(field, key, hint): held for key, held in items}


def timeout(field: str, value: object) -> int | None:
    """Milliseconds, or None to wait for ever. Raises UsageError.

    >>> timeout("timeout_ms", 500), timeout("timeout_ms", None)
    (500, None)
    """
    milliseconds = integer(value)
    if value is not None and (milliseconds is None or not 0 <= milliseconds <= LONGEST_WAIT_MS):
        hint = f"give whole milliseconds, at most {LONGEST_WAIT_MS}, or None to wait for ever"
        raise UsageError(field, value, hint=hint)
    return milliseconds


def seconds(field: str, value: object) -> float:
    """Seconds, whole or not. Raises UsageError."""
    found = float.__float__(value) if issubclass(type(value), float) else integer(value)  # type: ignore[arg-type]
    if found is None or not 0 <= found <= MOST:
        raise UsageError(field, value, hint=f"give seconds, at most {MOST}")
    return float(found)


def target(field: str, value: object, sandbox: str) -> str:
    """What names a process: its registered name, its path in the tree, or its pid, as text or as a reply held it.

    Raises UsageError, and NoProcess for a text that names nobody.
    """
    return str(value) if type(value) is Pid else named(text(field, value, _PROCESS), sandbox)


def term(field: str, value: object) -> str:
    """The text of any value, such as the id of a child. Raises UsageError for one that has none."""
    try:
        return text(field, str(value))
    except Exception:  # whatever __str__ raises
        raise UsageError(field, value, hint="it cannot be read as text; give its text") from None


def name_or_id(field: str, value: object) -> str:
    """The name of a sandbox, or the text of its id. Raises UsageError."""
    number = integer(value)
    if number is not None and abs(number) <= MOST:
        return str(number)
    return text(field, value, "give the name or the id of a sandbox")


def path(field: str, value: object, hint: str = "give a path") -> str:
    """The path of a file, as text. Raises UsageError."""
    try:
        named = value if issubclass(type(value), str) else type(value).__fspath__(value)  # type: ignore[attr-defined]
    except Exception:  # it is none, or raises what it likes
        raise UsageError(field, value, hint=hint) from None
    if not (found := storable(field, named, hint, "a path")):
        raise UsageError(field, value, hint=hint)
    return found
