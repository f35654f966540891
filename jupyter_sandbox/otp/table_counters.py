"""Changes of single elements of a table's object: all of one call happen, or none."""

from __future__ import annotations

from typing import Any

from ..model.errors import UsageError
from ..runtime.table import Table


def update(table: Table, key: Any, change: Any, default: Any) -> Any:
    """Carry out counter changes; the new values in the form of ``change``."""
    if default is not None and not isinstance(default, tuple):
        raise _bad("default", default, "give a tuple")
    item = _item(table, key, default)
    if item is None:
        raise _bad("key", key, "there is no object with it; give a default")
    steps = change if type(change) is list else [change]
    values = [_step(table, item, _form(table, step)) for step in steps]
    _put(table, key, tuple(item))
    return values if type(change) is list else values[0]


def set_elements(table: Table, key: Any, change: Any) -> bool:
    """Set elements; False when there is no object."""
    item = _item(table, key, None)
    if item is None:
        return False  # before the change is looked at, as in Erlang
    for step in change if type(change) is list else [change]:
        if not (type(step) is tuple and len(step) == 2):
            raise _bad("change", step, "give (position, value)")
        _check_position(table, item, step[0])
        item[step[0]] = step[1]
    _put(table, key, tuple(item))
    return True


def _item(table: Table, key: Any, default: Any) -> list[Any] | None:
    if table.bag:
        raise _bad("table", table.kind, "elements can be changed in a set or an ordered set only")
    found = table.lookup(key)
    if found:
        return list(found[0])
    if default is None:
        return None
    if len(default) <= table.key:
        raise _bad("default", default, f"give a tuple of at least {table.key + 1} elements")
    item = list(default)
    item[table.key] = key
    return item


def _form(table: Table, step: Any) -> tuple[Any, ...]:
    if _whole(step):
        return (table.key + 1, step)
    if type(step) is tuple and len(step) in (2, 4) and all(_whole(part) for part in step):
        return step
    raise _bad("change", step, "give a number, (position, number) or (position, number, threshold, reset)")


def _step(table: Table, item: list[Any], step: tuple[Any, ...]) -> int:
    position, number = step[0], step[1]
    _check_position(table, item, position)
    if not _whole(item[position]):
        raise _bad("element", item[position], "only a whole number can be a counter")
    value: int = item[position] + number
    if len(step) == 4 and (value > step[2] if number >= 0 else value < step[2]):
        value = step[3]
    item[position] = value
    return value


def _check_position(table: Table, item: list[Any], position: Any) -> None:
    if not _whole(position) or not 0 <= position < len(item) or position == table.key:
        raise _bad("position", position, "give the position of an element other than the key")


def _put(table: Table, key: Any, item: tuple[Any, ...]) -> None:
    if table.lookup(key):
        table.replace(key, item)
    else:
        table.insert([item])


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _bad(field: str, value: Any, hint: str) -> UsageError:
    return UsageError(field, value, hint=hint, kind="badarg")
