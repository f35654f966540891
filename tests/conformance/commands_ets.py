"""Commands on tables. Erlang counts positions from 1, this project from 0."""

from __future__ import annotations

from typing import Any

from jupyter_sandbox.otp import ANY, Var

from .interpreter import Command, Run, Unsupported
from .terms import ErlangError, opaque, render, text_of


def _table(run: Run, command: Command) -> Any:
    found = run.world.tables.get(command["table"])
    if found is None:
        raise ErlangError("badarg")
    return found


def _as_set(run: Run, values: list[Any]) -> Any:
    return opaque({"set": sorted((render(value, run.world) for value in values), key=text_of)})


async def ets_new(run: Run, command: Command) -> Any:
    name, heir = command["table"], command.get("heir")
    options: dict[str, Any] = {}
    if heir is not None:
        options = {"heir": run.target(heir["to"]), "heir_data": run.term(heir["data"])}
    table = run.ctx.ets.new(
        name, kind=command.get("type", "set"), access=command.get("protection", "protected"),
        key=command.get("keypos", 1) - 1, named=command.get("named", False), **options,
    )  # fmt: skip
    run.world.keep_table(name, table)
    return table


async def ets_insert(run: Run, command: Command) -> Any:
    run.ctx.ets.insert(_table(run, command), run.term(command["value"]))
    return True


async def ets_insert_new(run: Run, command: Command) -> Any:
    return run.ctx.ets.insert_new(_table(run, command), run.term(command["value"]))


async def ets_lookup(run: Run, command: Command) -> Any:
    return run.ctx.ets.lookup(_table(run, command), run.term(command["key"]))


async def ets_member(run: Run, command: Command) -> Any:
    return run.ctx.ets.member(_table(run, command), run.term(command["key"]))


async def ets_take(run: Run, command: Command) -> Any:
    return _as_set(run, run.ctx.ets.take(_table(run, command), run.term(command["key"])))


async def ets_delete(run: Run, command: Command) -> Any:
    if "key" in command:
        run.ctx.ets.delete(_table(run, command), run.term(command["key"]))
    else:
        run.ctx.ets.delete_table(_table(run, command))
    return True


async def ets_delete_object(run: Run, command: Command) -> Any:
    run.ctx.ets.delete_object(_table(run, command), run.term(command["value"]))
    return True


async def ets_delete_all(run: Run, command: Command) -> Any:
    run.ctx.ets.clear(_table(run, command))
    return True


async def ets_lookup_element(run: Run, command: Command) -> Any:
    return run.ctx.ets.lookup_element(_table(run, command), run.term(command["key"]), command["pos"] - 1)


async def ets_update_counter(run: Run, command: Command) -> Any:
    default = run.term(command["default"]) if "default" in command else None
    change = _shifted(run.term(command["op"]))
    return run.ctx.ets.update_counter(_table(run, command), run.term(command["key"]), change, default)


async def ets_update_element(run: Run, command: Command) -> Any:
    change = _shifted(run.term(command["op"]))
    return run.ctx.ets.update_element(_table(run, command), run.term(command["key"]), change)


def _shifted(change: Any) -> Any:
    """The changes with positions that count from 0."""
    if isinstance(change, list):
        return [_shifted(step) for step in change]
    if isinstance(change, tuple) and change and isinstance(change[0], int):
        return (change[0] - 1, *change[1:])
    return change


async def ets_tab2list(run: Run, command: Command) -> Any:
    table = _table(run, command)
    objects = run.ctx.ets.to_list(table)
    facts = run.ctx.ets.info(table)
    assert facts is not None
    return objects if facts["kind"] == "ordered_set" else _as_set(run, objects)


async def ets_match_object(run: Run, command: Command) -> Any:
    return _as_set(run, run.ctx.ets.match_object(_table(run, command), _pattern(run.term(command["pattern"]))))


def _pattern(term: Any) -> Any:
    if term == "_":
        return ANY
    if isinstance(term, str) and term[:1] == "$" and term[1:].isdigit():
        return Var(int(term[1:]))
    if isinstance(term, (tuple, list)):
        return type(term)(_pattern(part) for part in term)
    return term


async def ets_first(run: Run, command: Command) -> Any:
    return run.ctx.ets.first(_table(run, command))


async def ets_last(run: Run, command: Command) -> Any:
    return run.ctx.ets.last(_table(run, command))


async def ets_next(run: Run, command: Command) -> Any:
    return run.ctx.ets.next(_table(run, command), run.term(command["key"]))


async def ets_prev(run: Run, command: Command) -> Any:
    return run.ctx.ets.previous(_table(run, command), run.term(command["key"]))


_ITEMS = {"type": "kind", "protection": "access", "named_table": "named"}


_INFO = frozenset(
    {
        "compressed", "decentralized_counters", "fixed", "heir", "id", "keypos", "memory", "name", "named_table",
        "node", "owner", "protection", "read_concurrency", "size", "type", "write_concurrency",
    }
)  # fmt: skip
"""What Erlang tells of a table; any other item is a badarg."""


async def ets_info(run: Run, command: Command) -> Any:
    item, table = command["item"], run.world.tables.get(command["table"])
    found = None if table is None else run.ctx.ets.info(table)
    if found is None:
        return None
    if item == "node":
        return opaque("node")
    if item == "keypos":
        return found["key"] + 1
    if item == "heir" and (found["heir"] is None or not run.ctx.is_alive(found["heir"])):
        return "none"
    if item not in _INFO:
        raise ErlangError("badarg")
    field = _ITEMS.get(str(item), str(item))
    if field not in found:
        raise Unsupported(f"ets_info {item}")
    return found[field]


async def ets_rename(run: Run, command: Command) -> Any:
    handle = run.ctx.ets.rename(_table(run, command), command["name"])
    if isinstance(handle, str):
        run.world.tables[command["table"]] = handle
    return handle


async def ets_whereis(run: Run, command: Command) -> Any:
    return None if run.ctx.ets.whereis(command["name"]) is None else opaque({"found": True})


async def ets_give_away(run: Run, command: Command) -> Any:
    run.ctx.ets.give_away(_table(run, command), run.target(command["to"]), run.term(command["data"]))
    return True


async def ets_set_heir(run: Run, command: Command) -> Any:
    heir = run.target(command["to"]) if "to" in command else None
    run.ctx.ets.set_heir(_table(run, command), heir, run.term(command["data"]) if "data" in command else None)
    return True


COMMANDS: dict[str, Any] = {
    function.__name__: function
    for function in (
        ets_new, ets_insert, ets_insert_new, ets_lookup, ets_member, ets_take, ets_delete, ets_delete_object,
        ets_delete_all, ets_lookup_element, ets_update_counter, ets_update_element, ets_tab2list, ets_match_object,
        ets_first, ets_last, ets_next, ets_prev, ets_info, ets_rename, ets_whereis, ets_give_away, ets_set_heir,
    )
}  # fmt: skip
