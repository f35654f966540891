"""Commands on applications, and the application that executes descriptions."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from jupyter_sandbox.model.ids import Pid
from jupyter_sandbox.otp import Error, Throw, application

from .interpreter import Command, Run
from .processes import Sup
from .terms import Returned, mfa, opaque, text_of
from .world import described, world_of


class App(application.Application):
    """An application whose supervisor and behaviour come from a description."""

    async def start(self, kind: str, argument: Any) -> Any:  # type: ignore[override]
        spec = self._spec(argument)
        world_of(self).event(self._who(spec), "app_start", type=kind)
        run = Run(self, self._who(spec))
        try:
            command = await run.run(spec.get("start", []))
        except Throw as error:
            raise Throw(_start_result(error.value)) from None
        if command is not None:
            return _start_result(run.term(command["value"]) if command["cmd"] == "bad_return" else command["cmd"])
        return await self.start_link(Sup, text_of(spec["top"]), name=spec["top"].get("name"))

    def start_phase(self, phase: str, kind: str, argument: Any) -> Any:
        spec = self._spec(None)
        world_of(self).event(self._who(spec), "app_start_phase", phase=phase, type=kind, args=argument)
        return Error(argument[1]) if isinstance(argument, tuple) and argument[0] == "fail" else None

    def prep_stop(self, state: Any) -> Any:
        world_of(self).event(self._who(self._spec(None)), "app_prep_stop")
        return state

    def stop(self, state: Any) -> Any:  # type: ignore[override]
        world_of(self).event(self._who(self._spec(None)), "app_stop")

    def _spec(self, argument: Any) -> dict[str, Any]:
        if argument is not None:
            self.dictionary["spec"] = described(argument)
        found = self.dictionary["spec"]
        assert isinstance(found, dict)
        return found

    def _who(self, spec: dict[str, Any]) -> str:
        return f"app:{spec['name']}"


def _start_result(term: Any) -> Any:
    """What a bare term means as the return value of an application's start."""
    match term:
        case ("ok", Pid() as top):
            return top
        case ("ok", top, state):
            return top, state
        case ("ok", top):
            return top, None
        case Pid():
            return Returned(term)
        case ("error", reason):
            return Error(reason)
        case _:
            return term


async def app_load(run: Run, command: Command) -> Any:
    app = command["app"]
    spec = application.Spec(
        app["name"], None if app.get("library") else App, text_of(app), registered=app.get("registered", []),
        applications=app.get("applications", []), env={key: run.term(value) for key, value in app.get("env", [])},
        start_phases=_start_phases(run, app),
    )  # fmt: skip
    try:
        await application.load(run.ctx, spec)
    except application.ApplicationError as error:
        what, name = error.reason
        return ("error", (what, opaque({"app_spec": name})))
    return "ok"


def _start_phases(run: Run, app: Command) -> Any:
    if "start_phases" not in app:
        return None
    return [(phase, run.term(argument)) for phase, argument in app["start_phases"]]


async def app_unload(run: Run, command: Command) -> Any:
    try:
        await application.unload(run.ctx, command["name"])
    except application.ApplicationError as error:
        return ("error", error.reason)
    return "ok"


async def app_start(run: Run, command: Command) -> Any:
    return await _outcome(application.start(run.ctx, command["name"], command.get("type", "temporary")))


async def app_ensure_started(run: Run, command: Command) -> Any:
    return await _outcome(application.ensure_started(run.ctx, command["name"], command.get("type", "temporary")))


async def app_ensure_all_started(run: Run, command: Command) -> Any:
    answer = application.ensure_all_started(run.ctx, command["name"], command.get("type", "temporary"))
    found = await _outcome(answer)
    return found if isinstance(found, tuple) else ("ok", found)


async def app_stop(run: Run, command: Command) -> Any:
    return await _outcome(application.stop(run.ctx, command["name"]))


async def _outcome(answer: Awaitable[Any]) -> Any:
    try:
        found = await answer
    except application.ApplicationError as error:
        return ("error", _shown(error.reason))
    return "ok" if found is None else found


def _shown(reason: Any) -> Any:
    """OTP's reason, with calls without their arguments and a file's error as Erlang writes it."""
    if isinstance(reason, tuple):
        if len(reason) == 2 and reason[0] == "no such file or directory":
            return opaque({"tuple": [{"str": part} for part in reason]})
        if len(reason) == 3 and reason[0] is App:
            return mfa("app", reason[1])
        return tuple(_shown(part) for part in reason)
    return reason


async def app_which(run: Run, command: Command) -> Any:
    return opaque({"set": sorted(await application.which_applications(run.ctx), key=text_of)})


async def app_loaded(run: Run, command: Command) -> Any:
    return opaque({"set": sorted(application.loaded_applications(run.ctx), key=text_of)})


async def app_get_env(run: Run, command: Command) -> Any:
    missing = "$missing"
    found = application.get_env(run.ctx, command["name"], command["key"], missing)
    if "default" in command:
        return run.term(command["default"]) if found == missing else found
    return None if found == missing else ("ok", found)


async def app_set_env(run: Run, command: Command) -> Any:
    await application.put_env(run.ctx, command["name"], command["key"], run.term(command["value"]))
    return "ok"


async def app_unset_env(run: Run, command: Command) -> Any:
    await application.unset_env(run.ctx, command["name"], command["key"])
    return "ok"


async def app_get_all_env(run: Run, command: Command) -> Any:
    return sorted(application.get_all_env(run.ctx, command["name"]).items())


async def app_get_key(run: Run, command: Command) -> Any:
    found = application.get_key(run.ctx, command["name"], command["key"])
    if found is None and application.get_key(run.ctx, command["name"], "name") is not None:
        found = _OWN_KEYS.get(command["key"])
    if command["key"] == "env" and found is not None:
        found = list(application.get_all_env(run.ctx, command["name"]).items())
    return None if found is None else ("ok", found)


_OWN_KEYS = {"maxT": "infinity", "maxP": "infinity", "optional_applications": [], "start_phases": "undefined"}
"""What Erlang tells of every application, and this project knows nothing of."""


async def app_get_application(run: Run, command: Command) -> Any:
    found = application.get_application(run.ctx, run.target(command["to"]))
    return None if found is None else ("ok", found)


async def node_stop(run: Run, command: Command) -> Any:
    pid = run.ctx.spawn(application.stop_node)  # nobody waits for init:stop
    run.ctx._process.node.processes[pid].group = None
    return "ok"


COMMANDS: dict[str, Any] = {
    function.__name__: function
    for function in (
        app_load, app_unload, app_start, app_ensure_started, app_ensure_all_started, app_stop, app_which, app_loaded,
        app_get_env, app_set_env, app_unset_env, app_get_all_env, app_get_key, app_get_application, node_stop,
    )
}  # fmt: skip
