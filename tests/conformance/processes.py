"""The programmable server, supervisor and start functions of the scenarios, as behaviours of this project."""

from __future__ import annotations

from typing import Any

from jupyter_sandbox.model.ids import Pid
from jupyter_sandbox.otp import (
    HIBERNATE,
    IGNORE,
    After,
    Continue,
    Error,
    GenServer,
    NoReply,
    Ok,
    OtpContext,
    ProcessExit,
    Reply,
    Spec,
    StartError,
    Stop,
    Supervisor,
    Throw,
)  # fmt: skip

from .interpreter import Command, Run, now_or_later
from .machines import bare, machine_for
from .plain import Begun, run_data, run_process
from .terms import (
    ErlangError,
    ErlangShutdown,
    Extra,
    Form,
    Program,
    Returned,
    as_return,
    decode,
    parse,
    tag,
    text_of,
    thrown,
)
from .world import World, described, world_of


class Probe(GenServer):
    """A server that executes the commands it is sent."""

    def init(self, argument: Any) -> Any:
        spec = self.dictionary["spec"] = described(argument)
        world_of(self).begin(self, spec["label"])
        if spec.get("trap_exit"):
            self.trap_exit()
        return self._run(spec.get("init", []), run_data(self, spec), None, _init_return)

    def handle_call(self, request: Any, caller: Any, state: Any) -> Any:
        if isinstance(request, Program):
            return self._run(request.commands(), state, caller, _call_return)
        world_of(self).event(self._who(), "call", msg=request)
        return Reply(request, state)

    def handle_cast(self, request: Any, state: Any) -> Any:
        if isinstance(request, Program):
            return self._run(request.commands(), state, None, _return)
        world_of(self).event(self._who(), "cast", msg=request)
        return NoReply(state)

    def handle_info(self, message: Any, state: Any) -> Any:
        if isinstance(message, Program):
            return self._run(message.commands(), state, None, _return)
        world_of(self).event(self._who(), "info", msg=message)
        entries = self.dictionary["spec"].get("on_info", {})
        return self._run(entries.get(tag(message), entries.get("_", [])), state, None, _return)

    def handle_continue(self, argument: Any, state: Any) -> Any:
        world_of(self).event(self._who(), "continue")
        return self._run(argument.commands(), state, None, _return)

    def terminate(self, reason: Any, state: Any) -> Any:
        world_of(self).event(self._who(), "terminate", reason=reason)
        return self._run(self.dictionary["spec"].get("terminate", []), state, None, _return)

    def code_change(self, old_version: Any, state: Any, extra: Any) -> Any:
        world_of(self).event(self._who(), "code_change", old_vsn=old_version, extra=extra)
        changed = _CodeChange(state, extra)
        return self._run(self.dictionary["spec"].get("code_change", []), state, None, changed)

    def _who(self) -> str:
        return world_of(self).names[self.pid]

    def _run(self, commands: list[Command], data: Any, caller: Any, finish: Any) -> Any:
        return now_or_later(self._callback(commands, data, caller, finish), commands)

    async def _callback(self, commands: list[Command], data: Any, caller: Any, finish: Any) -> Any:
        run = Run(self, self._who(), data, caller)
        try:
            return finish(run, await run.run(commands))
        except Throw as error:
            if isinstance(finish, _CodeChange):
                return _changed(error.value)
            raise thrown(error, "init" if finish is _init_return else "other") from None


def _init_return(run: Run, command: Command | None) -> Any:
    if command is None:
        return Ok(run.data)
    match command["cmd"]:
        case "ok":
            return Ok(run.data, _then(command))
        case "ignore":
            return IGNORE
        case "stop":
            return Stop(run.term(command["reason"]))
        case "bad_return":  # in Python whatever init returns is the state; a thrown value is not
            raise Throw(as_return(run.term(command["value"]), "init"))
        case "error_return":
            return Error(run.term(command["reason"]))
        case "noreply":  # of another callback
            raise Throw(("noreply", run.data, *_rest(run, command)))
        case _:  # of another callback
            raise Throw(_return(run, command))


def _call_return(run: Run, command: Command | None) -> Any:
    return Reply("ok", run.data) if command is None else _return(run, command)


def _return(run: Run, command: Command | None) -> Any:
    if command is None:
        return NoReply(run.data)
    match command["cmd"]:
        case "reply" | "reply_data" | "reply_last" if run.caller is None:  # of another callback
            value = {"reply_data": run.data, "reply_last": run.last}.get(command["cmd"])
            return (
                "reply",
                run.term(command["value"]) if "value" in command else value,
                run.data,
                *_rest(run, command),
            )
        case "reply":
            return Reply(run.term(command["value"]), run.data, _then(command))
        case "reply_data":
            return Reply(run.data, run.data, _then(command))
        case "reply_last":
            return Reply(run.last, run.data, _then(command))
        case "noreply":
            return NoReply(run.data, _then(command))
        case "stop" if "reply" in command:
            return Stop(run.term(command["reason"]), run.data, run.term(command["reply"]))
        case "stop":
            return Stop(run.term(command["reason"]), run.data)
        case "bad_return":
            return as_return(run.term(command["value"]), "other")
        case "error_return":
            return Error(run.term(command["reason"]))
        case "ignore":
            return "ignore"
        case "ok":
            return ("ok", run.data, *_rest(run, command))
        case other:
            return other


def _rest(run: Run, command: Command) -> list[Any]:
    """What follows the state in a tuple that this callback may not return."""
    then = command.get("then")
    if isinstance(then, dict):
        return [("continue", Program(text_of(then["continue"]))) if "continue" in then else then["timeout"]]
    return [] if then is None else [then]


class _CodeChange:
    """What code_change makes of the old data."""

    def __init__(self, data: Any, extra: Any) -> None:
        self.data, self.extra = data, extra

    def __call__(self, run: Run, command: Command | None) -> Any:
        if command is None:
            return ("migrated", self.extra, self.data)
        match command["cmd"]:
            case "ok" if "then" not in command:
                return run.data
            case "error_return":
                return Error(run.term(command["reason"]))
            case "bad_return":  # as with init, only a thrown value is no new state
                return _changed(run.term(command["value"]))
            case "noreply":
                return _changed(("noreply", run.data, *_rest(run, command)))
            case _:  # of another callback
                return _changed(_return(run, command))


def _changed(term: Any) -> Any:
    """What a bare term means as the return value of code_change."""
    match term:
        case ("ok", state):
            return state
        case ("error", reason):
            return Error(reason)
        case _:
            raise Throw(term)


def _then(command: Command) -> Any:
    then = command.get("then")
    if then is None:
        return None
    if then == "hibernate":
        return HIBERNATE
    if "timeout" in then:
        return None if then["timeout"] == "infinity" else After(then["timeout"])
    return Continue(Program(text_of(then["continue"])))


class Sup(Supervisor):
    """A supervisor whose flags and children come from a description."""

    def init(self, argument: Any) -> Any:
        spec = described(argument)
        world_of(self).begin(self, spec["label"])
        commands = spec.get("init", [])
        return now_or_later(self._init(spec, commands), commands)

    async def _init(self, spec: dict[str, Any], commands: list[Command]) -> Any:
        run = Run(self, world_of(self).names[self.pid])
        try:
            command = await run.run(commands)
        except Throw as error:
            raise Throw(IGNORE if error.value == "ignore" else error.value) from None
        if command is not None:
            return IGNORE if command["cmd"] == "ignore" else _supervisor_return(run.term(command["value"]))
        simple = spec.get("strategy") == "simple_one_for_one"
        given = spec["children"]
        children = (
            [child_form(child, simple) for child in given] if isinstance(given, list) else Returned(_plain(given))
        )
        flags = {field: spec[name] for name, field in _FLAGS.items() if name in spec}
        return Spec(children, **({"intensity": 1} | flags))


def _supervisor_return(term: Any) -> Any:
    """What a bare term means as the return value of a supervisor's init."""
    match term:
        case "ignore":
            return IGNORE
        case ("ok", ((strategy, intensity, period), list() as children)):
            return Spec(children, strategy=strategy, intensity=intensity, period_s=period)
        case ("ok", (dict() as given, list() as children)):
            flags = {field: given[name] for name, field in _FLAGS.items() if name in given}
            return Spec(children, **({"intensity": 1} | flags))
        case ("ok", (flags, list())):
            raise Throw(Stop(("supervisor_data", ("invalid_type", flags))))
        case _:
            return Returned(term)


_FLAGS = {"strategy": "strategy", "intensity": "intensity", "period": "period_s", "auto_shutdown": "auto_shutdown"}

BEHAVIOURS = {"server": Probe, "sup": Sup}
MODULES = {"server": "probe"}
"""The names of the callback modules behind descriptions, where they differ from the kind."""


def behaviour(spec: dict[str, Any]) -> Any:
    """The class behind a description, None if it is none of a behaviour."""
    return machine_for(spec) if spec["kind"] == "statem" else BEHAVIOURS.get(spec["kind"])


def _plain(shape: Any) -> Any:
    """A term in which no process, reference or table is named."""
    return decode(shape, World(), None)


def child_form(spec: Any, simple: bool = False) -> Any:
    """A child specification as this project takes it, with Erlang's defaults where they differ."""
    if not isinstance(spec, dict) or "tuple" in spec:
        return Returned(_plain(spec))
    form: dict[str, Any] = {key: spec[key] for key in ("restart", "significant", "modules") if key in spec}
    if "id" in spec:
        form["id"] = _plain(spec["id"])
    form["type"] = spec.get("type", "worker")
    form["shutdown_ms"] = 5_000 if form["type"] == "worker" else None
    if "shutdown" in spec:
        form["shutdown_ms"] = None if spec["shutdown"] == "infinity" else spec["shutdown"]
    if "start" not in spec:
        return Form(form, spec)
    start = spec["start"]
    if not isinstance(start, dict) or "kind" not in start:
        return Form(form | {"start": _plain(start)}, spec)
    kind = start["kind"]
    module = behaviour(start)
    form.setdefault("modules", [MODULES.get(kind, kind)])
    form |= {"module": module, "argument": text_of(start)}
    if module is not None and not simple and kind != "statem":
        return Form(form | {"name": start.get("name")}, spec)
    return Form(form | {"start": _STARTS.get(kind, start_described)}, spec)


def _with_extra(argument: Any, extra: tuple[Any, ...]) -> dict[str, Any]:
    """The description with what ``start_child`` gave, which is a list with one more argument at most."""
    if not all(isinstance(item, Extra) for item in extra):
        raise ErlangError("badarg")
    if len(extra) > 1:
        raise ErlangError("undef")
    for item in extra:
        if not isinstance(parse(item.text), dict):
            raise ErlangError(("badmap", parse(item.text)))
    return described((argument, *(item.text for item in extra)))


async def start_described(sup: OtpContext, argument: Any, *extra: Any) -> Any:
    """The start function of children that are not started in the usual way."""
    spec = _with_extra(argument, extra)
    if spec["kind"] == "proc":
        return await _start_process(sup, spec)
    try:
        found = await sup.start_link(behaviour(spec), text_of(spec), name=spec.get("name"))
    except StartError as error:
        raise StartError(bare(error.reason) if spec["kind"] == "statem" else error.reason) from None
    return IGNORE if found is None else found


async def _start_process(sup: OtpContext, spec: dict[str, Any]) -> Any:
    pid = sup.spawn_link(run_process, text_of(spec), sup.pid)
    await sup.receive(lambda message: isinstance(message, Begun) and message.pid == pid)
    return (pid, decode(spec["start_info"], world_of(sup), pid)) if "start_info" in spec else pid


async def start_badly(sup: OtpContext, argument: Any, *extra: Any) -> Any:
    """A start function that returns or raises whatever the description says."""
    spec = _with_extra(argument, extra)
    world = world_of(sup)
    if "raise" not in spec:
        return _start_result(decode(spec["return"], world, sup.pid))
    reason = decode(spec["raise"]["reason"], world, sup.pid)
    if spec["raise"]["class"] == "throw":  # Erlang's supervisor starts its children under `catch`
        return _start_result(reason)
    if spec["raise"]["class"] == "error" and reason == "shutdown":
        raise ErlangShutdown
    raise {"exit": ProcessExit, "error": ErlangError}[spec["raise"]["class"]](reason)


def _start_result(term: Any) -> Any:
    match term:
        case "ignore":
            return IGNORE
        case ("error", reason):
            raise StartError(reason)
        case ("ok", Pid() as pid):
            return pid
        case ("ok", Pid() as pid, info):
            return pid, info
        case Pid():
            return Returned(term)
        case other:
            return other


async def start_nowhere(sup: OtpContext, argument: Any, *extra: Any) -> Any:
    """A start function that does not exist."""
    raise ErlangError("undef")


_STARTS = {"badstart": start_badly, "undef": start_nowhere}
