"""The words of a scenario: commands, descriptions, actions and their fields. It says which of them this runner lacks.

It judges words alone, never values: scenarios give wrong values on purpose. Child specifications take any field, as
Erlang does.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_SYS = "to timeout old_vsn extra reason"
_STARTED = "label name trap_exit data init on_info terminate code_change"

COMMANDS: dict[str, str] = {
    # by themselves
    "advance": "ms", "log": "value", "sleep": "ms", "set_data": "value", "save_from": "as", "answer": "as value",
    "raise": "class reason", "spawn": "spec how ref", "start": "spec how timeout ref", "init_ack": "value",
    # signals, messages, names, timers
    "link": "to", "unlink": "to", "monitor": "to ref alias tag", "demonitor": "ref opts", "alias": "ref",
    "unalias": "ref", "exit_signal": "to reason", "trap_exit": "value", "send": "to msg", "receive": "tag timeout",
    "register": "name to", "unregister": "name", "whereis": "name", "registered": "", "is_alive": "to",
    "info": "to item", "send_after": "ms to msg timer", "start_timer": "ms to msg timer", "cancel_timer": "timer",
    "read_timer": "timer", "send_interval": "ms to msg timer", "cancel_interval": "timer",
    # behaviours
    "call": "to msg timeout", "cast": "to msg", "server_stop": "to reason timeout", "send_request": "to msg as",
    "receive_response": "as timeout", "statem_call": "to msg timeout", "statem_cast": "to msg",
    "statem_stop": "to reason timeout", "start_child": "to child args", "terminate_child": "to id",
    "restart_child": "to id", "delete_child": "to id", "get_childspec": "to id", "which_children": "to",
    "count_children": "to", "check_childspecs": "children auto_shutdown", "sys_get_state": _SYS,
    "sys_replace_state": f"{_SYS} value raise", "sys_get_status": _SYS, "sys_suspend": _SYS, "sys_resume": _SYS,
    "sys_terminate": _SYS, "sys_change_code": _SYS,
    # applications
    "app_load": "app", "app_unload": "name", "app_start": "name type", "app_stop": "name",
    "app_ensure_started": "name type", "app_ensure_all_started": "name type", "app_which": "", "app_loaded": "",
    "app_get_env": "name key default", "app_set_env": "name key value", "app_unset_env": "name key",
    "app_get_all_env": "name", "app_get_key": "name key", "app_get_application": "to", "node_stop": "",
    # tables
    "ets_new": "table type protection keypos named heir", "ets_insert": "table value",
    "ets_insert_new": "table value", "ets_lookup": "table key", "ets_member": "table key", "ets_take": "table key",
    "ets_delete": "table key", "ets_delete_object": "table value", "ets_delete_all": "table",
    "ets_lookup_element": "table key pos", "ets_update_counter": "table key op default",
    "ets_update_element": "table key op", "ets_tab2list": "table", "ets_match_object": "table pattern",
    "ets_first": "table", "ets_last": "table", "ets_next": "table key", "ets_prev": "table key",
    "ets_info": "table item", "ets_rename": "table name", "ets_whereis": "name", "ets_give_away": "table to data",
    "ets_set_heir": "table to data",
    # return commands
    "reply": "value then actions", "reply_data": "then actions", "reply_last": "then actions",
    "noreply": "then actions", "stop": "reason reply", "ok": "then actions", "ignore": "", "bad_return": "value",
    "error_return": "reason", "next_state": "state actions", "keep_state": "actions", "repeat_state": "actions",
    "finish": "",
}  # fmt: skip
"""The fields of each command beside those that all take."""

_ALWAYS = frozenset({"cmd", "in", "inc", "log", "catch"})

KINDS: dict[str, str] = {
    "server": _STARTED, "proc": f"{_STARTED} start_info", "proclib": _STARTED, "badstart": "label return raise",
    "sup": "label name strategy intensity period auto_shutdown children init", "undef": "label",
    "statem": f"{_STARTED} state rules mode state_enter",
}  # fmt: skip
"""The fields of each kind of process description."""

_APP = frozenset({"name", "top", "applications", "env", "registered", "start_phases", "library", "start"})
_RULE = frozenset({"state", "type", "content", "do"})
_ACTIONS = (
    {"reply"}, {"reply_to", "value"}, {"next_event", "content"}, {"state_timeout", "content"},
    {"timeout", "content"}, {"generic", "time", "content"},
)  # fmt: skip
_THEN = frozenset({"timeout", "continue"})
_LISTS = ("init", "terminate", "code_change", "start", "do", "continue")
"""Fields that hold a command list."""


def unknown_words(op: Any) -> list[str]:
    """What one op says that this runner does not know, in words; nothing if it knows all of it."""
    return list(_command(op))


def _command(command: Any) -> Iterator[str]:
    if not isinstance(command, dict) or not isinstance(command.get("cmd"), str):
        yield f"no command: {command!r}"
        return
    name = command["cmd"]
    if name not in COMMANDS:
        yield f"command {name}"
        return
    yield from _extra(command, _ALWAYS | set(COMMANDS[name].split()), f"of command {name}")
    for field, value in command.items():
        match field:
            case "spec":
                yield from _description(value)
            case "child":
                yield from _child(value)
            case "children" if isinstance(value, list):
                for child in value:
                    yield from _child(child)
            case "app":
                yield from _application(value)
            case "then" if value != "hibernate":
                yield from _extra(value, _THEN, "of then")
                yield from _inside(value)
            case "actions":
                for action in value if isinstance(value, list) else [value]:
                    yield from _action(action)
            case "args":
                pass  # what Erlang would refuse may stand here
            case _:
                yield from _term(value)


def _description(spec: Any) -> Iterator[str]:
    if not isinstance(spec, dict) or "kind" not in spec:
        yield f"no process description: {spec!r}"
        return
    if spec["kind"] not in KINDS:
        yield f"kind {spec['kind']}"
        return
    yield from _extra(spec, {"kind", *KINDS[spec["kind"]].split()}, f"of kind {spec['kind']}")
    children, rules, handlers = spec.get("children"), spec.get("rules", []), spec.get("on_info", {})
    for child in children if isinstance(children, list) else []:
        yield from _child(child)
    for rule in rules if isinstance(rules, list) else []:
        yield from _extra(rule, _RULE, "of a rule")
        yield from _inside(rule)
    for commands in handlers.values() if isinstance(handlers, dict) else []:
        yield from _commands(commands)
    yield from _inside(spec)


def _child(child: Any) -> Iterator[str]:
    start = child.get("start") if isinstance(child, dict) else None
    if isinstance(start, dict) and "kind" in start:
        yield from _description(start)


def _application(app: Any) -> Iterator[str]:
    yield from _extra(app, _APP, "of an application")
    if isinstance(app, dict):
        yield from _inside(app)
        if "top" in app:
            yield from _description(app["top"])


def _action(action: Any) -> Iterator[str]:
    if isinstance(action, str) and action not in ("postpone", "hibernate"):
        yield f"action {action}"
    if isinstance(action, dict) and not any(set(action) <= known for known in _ACTIONS):
        yield f"action with {', '.join(sorted(action))}"


def _inside(holder: Any) -> Iterator[str]:
    for field in _LISTS:
        if isinstance(holder, dict) and isinstance(holder.get(field), list):
            yield from _commands(holder[field])


def _commands(commands: Any) -> Iterator[str]:
    if not isinstance(commands, list):
        yield f"no command list: {commands!r}"
        return
    for command in commands:
        yield from _command(command)


def _term(value: Any) -> Iterator[str]:
    """The programs in a term."""
    if isinstance(value, dict):
        if set(value) == {"do"}:
            yield from _commands(value["do"])
        elif set(value) == {"tuple"}:
            yield from _term(value["tuple"])
    elif isinstance(value, list):
        for item in value:
            yield from _term(item)


def _extra(holder: Any, known: frozenset[str] | set[str], where: str) -> Iterator[str]:
    if not isinstance(holder, dict):
        yield f"no fields {where}: {holder!r}"
        return
    yield from (f"field {field} {where}" for field in sorted(set(holder) - known))
