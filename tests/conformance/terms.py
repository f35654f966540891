"""Erlang terms: from a scenario's JSON to Python values, and from the node's values back to JSON."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from jupyter_sandbox.model.exits import CallFailed, Crash
from jupyter_sandbox.model.ids import Pid, Ref
from jupyter_sandbox.otp import (
    HIBERNATE,
    After,
    Answer,
    Continue,
    Down,
    Error,
    Exit,
    GenericTimeout,
    Hibernate,
    Ignore,
    KeepState,
    NextEvent,
    NextState,
    NoReply,
    Ok,
    RepeatState,
    Reply,
    Response,
    SetEventTimeout,
    SetStateTimeout,
    SetTimeout,
    Stop,
    TableId,
    Throw,
    Timeout,
    Transfer,
)  # fmt: skip
from jupyter_sandbox.otp.statem_actions import Special
from jupyter_sandbox.runtime.exceptions import ProcessExit
from jupyter_sandbox.runtime.signals import Caller, Notify, Request, SystemRequest

if TYPE_CHECKING:
    from .world import World


_ABSENT: Final = Stop(None).state
"""What stands in an optional field of a return value that was left out."""


@dataclass(frozen=True, slots=True)
class Program:
    """A message that makes its receiver execute commands. The commands are text, so that it is copied for nothing."""

    text: str

    def commands(self) -> list[dict[str, Any]]:
        """The commands, parsed; not to be changed."""
        found: list[dict[str, Any]] = parse(self.text)
        return found


@dataclass(frozen=True, slots=True)
class Order:
    """A command of the driver to a plain process, by way of its mailbox."""

    op: int
    text: str


@dataclass(frozen=True, slots=True)
class Extra:
    """The argument that ``start_child`` adds to a template's: text, and no child specification."""

    text: str


@dataclass(frozen=True, slots=True)
class Returned:
    """What a supervisor's init returned and Erlang takes for none of its forms, where Python might."""

    value: Any


@dataclass(frozen=True, slots=True)
class Opaque:
    """A piece of JSON that stands for something of Erlang's own."""

    text: str


def opaque(shape: Any) -> Opaque:
    """Something that is rendered as just this JSON."""
    return Opaque(text_of(shape))


STACK: Final = Opaque('{"stack":true}')
"""A stack trace of Erlang's."""


def mfa(module: str, function: str) -> Opaque:
    """A function call as it occurs in exit reasons, without its arguments."""
    return opaque({"mfa": [module, function]})


class ErlangError(Exception):
    """``erlang:error(Reason)``."""

    def __init__(self, reason: Any) -> None:
        super().__init__(reason)
        self.reason = reason


class ErlangShutdown(ProcessExit):
    """``erlang:error(shutdown)``: nobody can tell its reason ``{shutdown, Stack}`` from an orderly end."""

    def __init__(self) -> None:
        super().__init__(("shutdown", STACK))


@functools.lru_cache(maxsize=4096)
def parse(text: str) -> Any:
    """JSON text as data; shared between its users."""
    return json.loads(text)


def text_of(value: Any) -> str:
    """The compact JSON text by which everything is sorted and compared."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def decode(shape: Any, world: World, own: Pid | None) -> Any:
    """The Python value of a term, names looked up now."""
    if isinstance(shape, list):
        return [decode(item, world, own) for item in shape]
    if not isinstance(shape, dict):
        return shape
    if len(shape) != 1:
        raise ValueError(f"not a term: {shape}")
    ((kind, inner),) = shape.items()
    match kind:
        case "tuple":
            return signal(tuple(decode(item, world, own) for item in inner))
        case "bin":
            return inner.encode()
        case "map":
            found = {decode(key, world, own): decode(item, world, own) for key, item in inner}
            if len(found) < len(inner):
                raise ValueError("a dictionary cannot tell these keys apart")
            return found
        case "pid":
            return world.pid(inner)
        case "ref":
            return world.ref(inner)
        case "table":
            return world.table(inner)
        case "self":
            return own
        case "do":
            return Program(text_of(inner))
        case _:
            raise ValueError(f"unknown kind of term: {kind}")


def signal(term: tuple[Any, ...]) -> Any:
    """A tuple, or the message of a link, monitor or timer that it is the form of."""
    match term:
        case ("EXIT", Pid() as pid, reason):
            return Exit(pid, reason)
        case ("DOWN", Ref() as ref, "process", target, reason):
            return Down(ref, target, reason)
        case ("timeout", Ref() as ref, message):
            return Timeout(ref, message)
        case ("$gen_cast", message):
            return Notify(message)
        case _:
            return term


def render(value: Any, world: World) -> Any:
    """The JSON of a value of the node's."""
    if value is None:
        return "undefined"
    kind = type(value)
    if kind in (str, int, float, bool):
        return value
    if kind is list:
        return [render(item, world) for item in value]
    if kind is tuple:
        return _render_tuple(value, world)
    simple = _SIMPLE.get(kind)
    if simple is not None:
        return simple(value, world)
    if isinstance(value, type):
        return value.__name__.lower()
    fields = _TUPLES.get(kind)
    if fields is not None:
        return {"tuple": [render(item, world) for item in fields(value)]}
    return {"unknown": f"{kind.__name__}: {value!r}"}  # equals nothing that was recorded


def _render_tuple(value: tuple[Any, ...], world: World) -> Any:
    if len(value) == 2 and type(value[1]) is Down:  # a monitor with a tag of its own
        return {"tuple": [render(value[0], world), *_down(value[1], world)[1:]]}
    if len(value) == 3 and isinstance(value[0], type) and isinstance(value[2], Returned | list):
        module, function, returned = value
        if isinstance(getattr(returned, "value", returned), list):  # looks like a call with its arguments
            return {"mfa": [module.__name__.lower(), function]}
    if len(value) == 2 and value[0] == "start_child" and isinstance(value[1], tuple):  # asked of no supervisor
        extra = all(isinstance(item, Extra) for item in value[1])
        return {"tuple": ["start_child", render(list(value[1]) if extra else value[1][0], world)]}
    return {"tuple": [render(item, world) for item in value]}


def _down(value: Down, world: World) -> list[Any]:
    watched = value.process
    shown = {"tuple": [watched, "node"]} if isinstance(watched, str) else render(watched, world)
    return ["DOWN", render(value.ref, world), "process", shown, render(value.reason, world)]


def _as_map(shape: Any) -> Any:
    """A description as Erlang shows it, which has it as a map."""
    if isinstance(shape, dict):
        return {"map": sorted(([key, _as_map(value)] for key, value in shape.items()), key=text_of)}
    return [_as_map(item) for item in shape] if isinstance(shape, list) else shape


def _render_dict(value: dict[Any, Any], world: World) -> Any:
    pairs = [[render(key, world), render(item, world)] for key, item in value.items()]
    return {"map": sorted(pairs, key=text_of)}


class Form(dict[str, Any]):
    """A child specification as this project takes it, made from a scenario's."""

    def __init__(self, fields: dict[str, Any], given: dict[str, Any]) -> None:
        super().__init__(fields)
        self.given = given


def _render_form(value: Form, world: World) -> Any:
    """A child specification as it was given."""
    shown = dict(value.given)
    start = shown.get("start")
    if isinstance(start, dict) and "kind" in start:
        shown["start"] = {"mfa": [{"server": "probe"}.get(start["kind"], start["kind"]), "start_link"]}
    return {"map": sorted(([key, field] for key, field in shown.items()), key=text_of)}


_SIMPLE: dict[type, Any] = {
    bytes: lambda value, world: {"bin": value.decode()},
    dict: _render_dict,
    Pid: lambda value, world: {"pid": world.name_of(value)},
    Ref: lambda value, world: {"ref": world.ref_name(value)},
    Caller: lambda value, world: {"tuple": [{"pid": world.name_of(value.pid)}, {"ref": "?"}]},
    TableId: lambda value, world: {"table": world.table_name(value)},
    Program: lambda value, world: {"do": True},
    Opaque: lambda value, world: parse(value.text),
    Returned: lambda value, world: render(value.value, world),
    Down: lambda value, world: {"tuple": _down(value, world)},
    Crash: lambda value, world: {"tuple": [render(value.value, world), {"stack": True}]},
    CallFailed: lambda value, world: {"tuple": [render(value.reason, world), {"mfa": ["gen_server", value.function]}]},
    Ignore: lambda value, world: "ignore",
    Hibernate: lambda value, world: "hibernate",
    Special: lambda value, world: value.value,
    Form: _render_form,
    Extra: lambda value, world: _as_map(parse(value.text)),
}

_TUPLES: dict[type, Any] = {
    Exit: lambda value: ("EXIT", value.process, value.reason),
    Timeout: lambda value: ("timeout", value.ref, value.message),
    Notify: lambda value: ("$gen_cast", value.message),
    Request: lambda value: ("$gen_call", value.caller, value.message),
    SystemRequest: lambda value: ("system", value.caller, _system_request(*value.request)),
    Transfer: lambda value: ("ETS-TRANSFER", value.table, value.sender, value.data),
    Reply: lambda value: ("reply", value.value, value.state, *_shown_then(value.then)),
    NoReply: lambda value: ("noreply", value.state, *_shown_then(value.then)),
    Ok: lambda value: ("ok", value.state, *_shown_then(value.then)),
    Error: lambda value: ("error", value.reason),
    Continue: lambda value: ("continue", value.argument),
    Stop: lambda value: (
        "stop",
        *(part for part in (value.reason, value.reply, value.state) if part is not _ABSENT),
    ),
    Response: lambda value: (value.ref, value.value),
    Answer: lambda value: ("reply", value.caller, value.value),
    SetStateTimeout: lambda value: ("state_timeout", *_time_and_content(value)),
    SetEventTimeout: lambda value: ("timeout", *_time_and_content(value)),
    SetTimeout: lambda value: (("timeout", value.name), *_time_and_content(value)),
    NextState: lambda value: ("next_state", value.state, *_rest(value)),
    KeepState: lambda value: ("keep_state", *_rest(value)),
    RepeatState: lambda value: ("repeat_state", *_rest(value)),
    NextEvent: lambda value: ("next_event", _event_type(value.event), value.event.content),
}


def _system_request(operation: str, argument: Any) -> Any:
    name = {"leave": "terminate"}.get(operation, operation)
    if name == "change_code":
        return (name, *argument)
    return name if argument is None else (name, argument)


def _event_type(event: Any) -> Any:
    if isinstance(event, GenericTimeout):
        return ("timeout", event.name)
    name = type(event).__name__.lower()
    return {"statetimeout": "state_timeout", "eventtimeout": "timeout"}.get(name, name)


def _shown_then(then: Any) -> tuple[Any, ...]:
    """What follows the state in a return value."""
    if then is None:
        return ()
    return (then.ms,) if type(then) is After else ("hibernate",) if then is HIBERNATE else (then,)


def _time_and_content(timer: SetStateTimeout | SetEventTimeout | SetTimeout) -> tuple[Any, ...]:
    return ("infinity" if timer.ms is None else timer.ms, timer.content)


def _rest(result: NextState | KeepState | RepeatState) -> tuple[Any, ...]:
    """Data and actions of a state machine's result, as far as they are given."""
    data = () if result.data is _ABSENT else (result.data,)
    return (*data, list(result.actions)) if isinstance(result.actions, list) else data


_HEADS: dict[type, str] = {
    Exit: "EXIT", Down: "DOWN", Timeout: "timeout", Transfer: "ETS-TRANSFER", Notify: "$gen_cast",
    Request: "$gen_call", SystemRequest: "system",
}  # fmt: skip
"""What stands first in the tuples that Erlang has for messages that are objects here."""


def tag(message: Any) -> str:
    """What selects an ``on_info`` entry or a ``receive``."""
    if isinstance(message, str):
        return message
    head = _HEADS.get(type(message))
    if head is not None:
        return head
    if type(message) is tuple and message and isinstance(message[0], str):
        return message[0]
    return "_"


def as_return(term: Any, callback: str) -> Any:
    """What a bare term means as the return value of a server's callback, if anything."""
    match term:
        case "ignore" if callback == "init":
            return Ignore()
        case ("stop", reason) if callback == "init":
            return Stop(reason)
        case ("ok", state, *rest) if callback == "init" and _then(rest) is not _ABSENT:
            return Ok(state, _then(rest))
        case _ if callback == "init":
            return term
        case ("stop", reason, state):
            return Stop(reason, state)
        case ("stop", reason, reply, state):
            return Stop(reason, state, reply)
        case ("reply", value, state, *rest) if _then(rest) is not _ABSENT:
            return Reply(value, state, _then(rest))
        case ("noreply", state, *rest) if _then(rest) is not _ABSENT:
            return NoReply(state, _then(rest))
        case _:
            return term


def _then(rest: list[Any]) -> Any:
    """What follows the new state in a return value; ``_ABSENT`` if it is nothing that may follow."""
    match rest:
        case [] | ["infinity"]:
            return None
        case ["hibernate"]:
            return HIBERNATE
        case [int() as ms] if not isinstance(ms, bool) and ms >= 0:
            return After(ms)
        case [("continue", argument)]:
            return Continue(argument)
        case _:
            return _ABSENT


def thrown(error: Throw, callback: str) -> Throw:
    """The same throw, of what Erlang would take it for."""
    return Throw(as_return(error.value, callback))
