"""The programmable state machine of the scenarios."""

from __future__ import annotations

from typing import Any

from jupyter_sandbox.model.exits import Crash
from jupyter_sandbox.otp import (
    HIBERNATE,
    IGNORE,
    KEEP,
    POSTPONE,
    UPDATE,
    Answer,
    Call,
    Cast,
    Enter,
    Error,
    EventTimeout,
    GenericTimeout,
    GenStatem,
    Info,
    Internal,
    Keep,
    KeepState,
    NextEvent,
    NextState,
    RepeatState,
    SetEventTimeout,
    SetStateTimeout,
    SetTimeout,
    StateTimeout,
    Stop,
    StopAndReply,
    Throw,
)  # fmt: skip

from .interpreter import Command, Run, Unsupported, now_or_later
from .plain import run_data
from .terms import STACK, Program, text_of
from .world import described, world_of

ERLANG_BEGAN_MS = 576_460_752_000
"""How far below 0 Erlang's monotonic time begins: an absolute time near 0 is as far away as that."""

_TYPES: dict[Any, str] = {
    Call: "call", Cast: "cast", Info: "info", Internal: "internal", Enter: "enter", StateTimeout: "state_timeout",
    EventTimeout: "timeout",
}  # fmt: skip


class Machine(GenStatem):
    """A state machine that executes the commands it is sent, or those of the first rule that matches."""

    mode = "handle_event_function"

    def init(self, argument: Any) -> Any:
        spec = self.dictionary["spec"] = described(argument)
        world_of(self).begin(self, spec["label"])
        if spec.get("trap_exit"):
            self.trap_exit()
        commands = spec.get("init", [])
        return now_or_later(self._init(spec, commands), commands)

    async def _init(self, spec: dict[str, Any], commands: list[Command]) -> Any:
        run = Run(self, self._who(), run_data(self, spec))
        try:
            command = await run.run(commands)
        except Throw as error:
            raise Throw(_as_init_return(error.value)) from None
        match None if command is None else command["cmd"]:
            case None | "ok":
                return NextState(run.term(spec["state"]), run.data, _actions(run, command))
            case "ignore":
                return IGNORE
            case "stop":
                assert command is not None
                return Stop(run.term(command["reason"]))
            case "bad_return":
                assert command is not None
                return _as_init_return(run.term(command["value"]))
            case "next_state":  # of another callback, though in Python it is init's, too
                assert command is not None
                return "next_state", run.term(command["state"]), run.data, _actions(run, command)
            case _:  # of another callback
                return _return(run, command, spec["state"], run.data)

    def handle_event(self, event: Any, state: Any, data: Any) -> Any:
        kind = ("timeout", event.name) if isinstance(event, GenericTimeout) else _TYPES[type(event)]
        content = event.old_state if isinstance(event, Enter) else event.content
        world_of(self).event(self._who(), "event", state=state, type=kind, content=content)
        commands = content.commands() if isinstance(content, Program) else self._rule(state, kind, content)
        return now_or_later(self._event(event, state, data, commands), commands)

    def _rule(self, state: Any, kind: Any, content: Any) -> list[Command]:
        run = Run(self, self._who())
        for rule in self.dictionary["spec"]["rules"]:
            wanted = (("state", state), ("type", kind), ("content", content))
            if all(rule.get(field, "_") == "_" or run.term(rule[field]) == value for field, value in wanted):
                found: list[Command] = rule["do"]
                return found
        return []

    async def _event(self, event: Any, state: Any, data: Any, commands: list[Command]) -> Any:
        caller = event.caller if isinstance(event, Call) else None
        run = Run(self, self._who(), data, caller)
        try:
            command = await run.run(commands)
        except Throw as error:
            raise Throw(_as_return(error.value)) from None
        return _return(run, command, state, data)

    def terminate(self, reason: Any, state: Any, data: Any) -> Any:
        # Erlang gives a machine the bare reason of an error; here it is the value of the crash.
        world_of(self).event(self._who(), "terminate", reason=bare(reason), state=state)
        commands = self.dictionary["spec"].get("terminate", [])
        return now_or_later(Run(self, self._who(), data).run(commands), commands)

    def code_change(self, old_version: Any, state: Any, data: Any, extra: Any) -> Any:
        world_of(self).event(self._who(), "code_change", old_vsn=old_version, extra=extra)
        return state, ("migrated", extra, data)

    def _who(self) -> str:
        return world_of(self).names[self.pid]


class StateMachine(Machine):
    """The same in the other mode: one function per state, looked up by its name."""

    mode = "state_functions"

    def __getattr__(self, state: str) -> Any:
        if state.startswith("_"):
            raise AttributeError(state)
        return lambda event, data: self.handle_event(event, state, data)


def machine_for(spec: dict[str, Any]) -> type[Machine]:
    """The class for a description: callback mode and state enter calls belong to the class."""
    base = StateMachine if spec.get("mode", "state_functions") == "state_functions" else Machine
    return type("Statem", (base,), {"state_enter": bool(spec.get("state_enter"))})


def bare(reason: Any) -> Any:
    """Erlang reports a machine's failed init by the bare reason of an error; here it is the value of the crash."""
    if reason == ("shutdown", STACK):
        return "shutdown"
    return reason.value if isinstance(reason, Crash) else reason


def _return(run: Run, command: Command | None, state: Any, data: Any) -> Any:
    if command is None:
        return KeepState(run.data) if run.data is not data else KEEP
    actions = _actions(run, command)
    match command["cmd"]:
        case "next_state":
            return NextState(run.term(command["state"]), run.data, actions)
        case "keep_state":
            return KeepState(run.data, actions)
        case "repeat_state":
            return RepeatState(run.data, actions)
        case "reply":
            return KeepState(run.data, [Answer(run.caller, run.term(command["value"])), *actions])
        case "reply_data":
            return KeepState(run.data, [Answer(run.caller, run.data), *actions])
        case "stop" if "reply" in command:
            answer = Answer(run.caller, run.term(command["reply"]))
            return StopAndReply(run.term(command["reason"]), [answer], run.data)
        case "stop":
            return Stop(run.term(command["reason"]), run.data)
        case "bad_return":
            return _as_return(run.term(command["value"]))
        case "error_return":
            return Error(run.term(command["reason"]))
        case other:  # of another callback
            return other


def _as_return(term: Any) -> Any:
    """What a bare term means as the return value of a state machine's callback, if anything."""
    match term:
        case "keep_state_and_data":
            return KEEP
        case ("keep_state_and_data", actions):
            return Keep(_bare_actions(actions))
        case ("keep_state", new, *rest) if len(rest) < 2:
            return KeepState(new, _bare_actions(*rest))
        case ("next_state", state, new, *rest) if len(rest) < 2:
            return NextState(state, new, _bare_actions(*rest))
        case "repeat_state_and_data":
            return RepeatState()
        case ("repeat_state_and_data", actions):
            return RepeatState(actions=_bare_actions(actions))
        case ("repeat_state", new, *rest) if len(rest) < 2:
            return RepeatState(new, _bare_actions(*rest))
        case "stop":
            return Stop("normal")
        case ("stop", reason):
            return Stop(reason)
        case ("stop", reason, new):
            return Stop(reason, new)
        case ("stop_and_reply", reason, replies):
            return StopAndReply(reason, replies if isinstance(replies, list) else [replies])
        case ("stop_and_reply", reason, replies, new):
            return StopAndReply(reason, replies if isinstance(replies, list) else [replies], new)
        case _:
            return term


def _as_init_return(term: Any) -> Any:
    match term:
        case "ignore":
            return IGNORE
        case ("stop", reason):
            return Stop(reason)
        case ("ok", state, data, *rest) if len(rest) < 2:
            return NextState(state, data, _bare_actions(*rest))
        case _:
            return term


def _bare_actions(given: Any = ()) -> Any:
    """Actions from terms, one or a list; what is none is left as it is, for the machine to refuse."""
    if given == ():
        return ()
    found: dict[Any, Any] = {}
    for number, term in enumerate(given if isinstance(given, list) else [given]):
        match term:
            case ("postpone" | "hibernate" as name, bool(wanted)):  # the last one counts
                found.pop(name, None)
                if wanted:
                    found[name] = _bare_action(name)
            case "postpone" | "hibernate":
                found[term] = _bare_action(term)
            case _:
                found[number] = _bare_action(term)
    return list(found.values())


def _bare_action(term: Any) -> Any:
    match term:
        case "postpone":
            return POSTPONE
        case "hibernate":
            return HIBERNATE
        case ("next_event", str() as kind, content) if kind in _INSERTED:
            return NextEvent(_INSERTED[kind](content))
        case ("state_timeout", "cancel"):
            return SetStateTimeout(None)
        case ("timeout", "cancel"):
            return SetEventTimeout(None)
        case (("timeout", name), "cancel"):
            return SetTimeout(name, None)
        case ("state_timeout" | "timeout" | ("timeout", _), _, _):
            return _bare_timeout(term, False)
        case ("state_timeout" | "timeout" | ("timeout", _), _, _, options):
            return _bare_timeout(term, _is_absolute(options))
        case "infinity":
            return SetEventTimeout(None)
        case int() if not isinstance(term, bool):
            return SetEventTimeout(term, term)
        case _:
            return term


def _bare_timeout(term: Any, absolute: bool | None) -> Any:
    """A timeout from a term; the term itself if its options are none."""
    kind, time, content = term[:3]
    if absolute is None:
        return term
    if time == 0:
        absolute = False  # for Erlang, 0 is now
    if absolute and isinstance(time, int):
        time += ERLANG_BEGAN_MS
    match kind:
        case "state_timeout":
            return SetStateTimeout(_time(time), content, absolute)
        case "timeout":
            return SetEventTimeout(_time(time), content, absolute)
        case _:
            return SetTimeout(kind[1], _time(time), content, absolute)


def _is_absolute(options: Any) -> bool | None:
    """What the options of a timeout say; None if they are no options."""
    absolute = False
    for option in options if isinstance(options, list) else [options]:
        match option:
            case ("abs", bool(said)):
                absolute = said
            case _:
                return None
    return absolute


def _actions(run: Run, command: Command | None) -> list[Any]:
    given = [] if command is None else command.get("actions", [])
    return [_action(run, action) for action in given]


def _action(run: Run, action: Any) -> Any:
    if action == "postpone":
        return POSTPONE
    if action == "hibernate":
        return HIBERNATE
    content = run.term(action["content"]) if "content" in action else "undefined"
    if "next_event" in action:
        return NextEvent(_inserted(run, action["next_event"], content))
    if "reply_to" in action:
        return Answer(run.ctx.dictionary.get(("from", action["reply_to"])), run.term(action["value"]))
    if "reply" in action:
        return Answer(run.caller, run.term(action["reply"]))
    if "state_timeout" in action:
        return SetStateTimeout(_time(action["state_timeout"]), content)
    if "timeout" in action:
        return SetEventTimeout(_time(action["timeout"]), content)
    if "generic" in action:
        return SetTimeout(run.term(action["generic"]), _time(action["time"]), content)
    raise Unsupported(f"action {text_of(action)}")


def _time(time: Any) -> Any:
    return {"infinity": None, "cancel": None, "update": UPDATE}.get(time, time) if isinstance(time, str) else time


def _inserted(run: Run, kind: Any, content: Any) -> Any:
    if isinstance(kind, str) and kind in _INSERTED:
        return _INSERTED[kind](content)
    found = run.term(kind)
    if isinstance(found, tuple) and found[0] == "timeout":
        return GenericTimeout(found[1], content)
    raise Unsupported(f"an inserted event of type {kind}")


_INSERTED: dict[str, Any] = {
    "cast": Cast, "info": Info, "internal": Internal, "state_timeout": StateTimeout, "timeout": EventTimeout,
}  # fmt: skip
