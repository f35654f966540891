"""The guide's configuration maps, checked: an experiment's configuration and its steps as closed types. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..code.sources import CompiledSource, FilesSource, GitSource, Source
from ..model.errors import CompileError, UsageError, shown
from ..model.given import integer, kinds, many, one_of, pairs, path, term, text, text_or_none, texts, timeout
from ..model.limits import Limits

CODE_TYPES: Mapping[str, str] = {
    "module_source": "module_source", "source": "module_source", "files": "module_source",
    "beam_files": "beam_files", "compiled_files": "beam_files", "compiled": "beam_files", "pyc_files": "beam_files",
    "git_repo": "git_repo", "git": "git_repo",
}  # fmt: skip
"""The guide's code types and what else people call them."""
CONFIG_KEYS = (
    "code_type", "source", "beam_files", "compiled_files", "repo_url", "commit", "subfolder", "main_module",
    "resource_limits", "dependencies", "env", "cinema_debugger", "name", "args", "seed",
    "flavour", "preimport",
)  # fmt: skip
CINEMA_KEYS = ("enabled", "capture_events", "visualization_endpoint")
STEP_KEYS: Mapping[str, tuple[str, ...]] = {
    "message_send": ("target", "message", "timeout_ms"),
    "process_spawn": ("function", "module", "args", "name"),
    "supervisor_restart": ("child", "target", "supervisor"),
    "code_reload": ("source", "new_source", "module_name", "module", "beam_files"),
}
"""The step types and what each may say."""


class UnknownCodeType(CompileError):
    """The guide's ``invalid_code_type``: its name says all."""


@dataclass(frozen=True, slots=True)
class Experiment:
    """A configuration that can be carried out. ``capture`` None means that all kinds of events are recorded."""

    source: Source
    main: str | None
    args: tuple[object, ...] = ()
    limits: Limits = field(default_factory=Limits)
    env: Mapping[str, object] = field(default_factory=dict)
    dependencies: tuple[str, ...] = ()
    capture: frozenset[str] | None = None
    name: str | None = None
    seed: int | None = None
    flavour: str | None = None
    preimport: tuple[str, ...] = ()
    """With ``flavour``, what is imported before its code runs, as ``SandboxManager.create`` takes it."""


# --- steps ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MessageSend:
    """``message`` is ``("call", x)``, ``("cast", x)`` or a plain message."""

    target: str
    message: object
    timeout_ms: int | None = 5_000


@dataclass(frozen=True, slots=True)
class ProcessSpawn:
    function: str
    args: tuple[object, ...] = ()
    name: str | None = None


@dataclass(frozen=True, slots=True)
class SupervisorRestart:
    """Stop a child and start it again, as OTP does by hand: it does not count; without ``supervisor`` its own acts."""

    child: str
    supervisor: str | None = None


@dataclass(frozen=True, slots=True)
class CodeReload:
    source: object
    module: str | None = None


ExperimentStep = MessageSend | ProcessSpawn | SupervisorRestart | CodeReload


def read_config(config: object) -> Experiment:
    """Check a configuration.

    >>> read_config({"code_type": "module_source", "source": {"a.py": ""}, "main_module": "a.A"}).main
    'a.A'

    Raises CompileError (invalid_code_type) and UsageError that names the key, the value and what is allowed.
    """
    given = _mapping("config", config, CONFIG_KEYS)
    cinema = _mapping("cinema_debugger", _or_empty(given, "cinema_debugger"), CINEMA_KEYS)
    return Experiment(
        source=_source(given),
        main=_text_or_none(given, "main_module"),
        args=tuple(_sequence(given, "args")),
        limits=Limits.merged(pairs("resource_limits", _or_empty(given, "resource_limits")), field="resource_limits"),
        env=_mapping("env", _pairs(given.get("env"))),
        dependencies=texts("dependencies", _sequence(given, "dependencies"), "give a list of names"),
        capture=_capture(cinema),
        name=_text_or_none(given, "name"),
        seed=_whole_or_none(given, "seed"),
        flavour=_text_or_none(given, "flavour"),
        preimport=tuple(text("preimport", one) for one in _sequence(given, "preimport")),
    )


def _source(given: Mapping[str, object]) -> Source:
    code_type = given.get("code_type")
    match CODE_TYPES.get(code_type) if type(code_type) is str else None:
        case "module_source":
            return FilesSource(_files(given.get("source")))
        case "beam_files":
            return compiled_source(given.get("beam_files", given.get("compiled_files")))
        case "git_repo":
            return _git(given)
        case _:
            allowed = ", ".join(("module_source", "beam_files", "git_repo"))
            told = f"code_type {shown(code_type)} is not known; use one of {allowed}"
            raise UnknownCodeType("invalid_code_type", told)


def _files(source: object) -> Mapping[str, str]:
    hint = 'give a map of file name to text: {"my_server.py": "..."}'
    if not (files := pairs("source", source, hint)):
        raise UsageError("source", source, hint=hint)
    return {name: text("source", held, "file names and their contents are texts") for name, held in files.items()}


def compiled_source(given: object) -> CompiledSource:
    """``beam_files``: a map of module to the bytes of its ``.pyc``, or a list of (module, bytes) or of paths."""
    hint = "give a map of module name to the bytes of its .pyc, or paths of .pyc, .whl or .zip files"
    if isinstance(given, Mapping):
        named = list(pairs("beam_files", given, hint).items())
    else:
        listed = many("beam_files", given, hint)
        if listed and not any(isinstance(one, tuple | list) for one in listed):
            return CompiledSource(paths=tuple(Path(path("beam_files", one, hint)) for one in listed))
        named = [_module(one, hint) for one in listed]
    if not named:
        raise UsageError("beam_files", given, hint=hint)
    for name, code in named:
        if not isinstance(code, bytes | bytearray):
            raise UsageError("beam_files", name, hint=hint)
    return CompiledSource(modules={name: bytes(code) for name, code in named if isinstance(code, bytes | bytearray)})


def _module(given: object, hint: str) -> tuple[str, object]:
    match given:
        case [name, code]:
            return text("beam_files", name, hint), code
        case _:
            raise UsageError("beam_files", given, hint=hint)


def _git(given: Mapping[str, object]) -> GitSource:
    url, commit = _text_or_none(given, "repo_url"), _text_or_none(given, "commit")
    if not url:
        raise UsageError("repo_url", url, hint="give an https address or the path of a local repository")
    if not commit:
        raise UsageError("commit", commit, hint="give the full id of a commit: git rev-parse HEAD")
    return GitSource(url, commit, _text_or_none(given, "subfolder"))


def _capture(cinema: Mapping[str, object]) -> frozenset[str] | None:
    enabled = cinema.get("enabled", False)
    if not isinstance(enabled, bool):
        raise UsageError("enabled", enabled, hint="say True or False")
    endpoint = cinema.get("visualization_endpoint")
    if endpoint is not None:
        raise UsageError(
            "visualization_endpoint", endpoint, hint="pushing events to an endpoint is not built yet; leave it out"
        )
    wanted = kinds("capture_events", _sequence(cinema, "capture_events"))
    return frozenset(wanted) if enabled and "capture_events" in cinema else None


def read_step(step: object) -> ExperimentStep | None:
    """Check a step; None when its type is unknown. Raises UsageError that names what is missing.

    >>> read_step({"type": "message_send", "target": "front", "message": ("call", "next")})
    MessageSend(target='front', message=('call', 'next'), timeout_ms=5000)
    """
    kind = _mapping("step", step).get("type")
    kind = str.__str__(kind) if isinstance(kind, str) else ""
    if kind not in STEP_KEYS:
        return None
    given = _mapping(kind, step, ("type", *STEP_KEYS[kind]))
    match kind:
        case "message_send":
            if "message" not in given:
                raise UsageError("message", hint='give the message: ("call", x), ("cast", x), or a plain one')
            patience = timeout("timeout_ms", given.get("timeout_ms", 5_000))
            return MessageSend(_target(given, "target"), given["message"], patience)
        case "process_spawn":
            function = given.get("function", given.get("module"))
            if not isinstance(function, str):
                raise UsageError("function", function, hint="give module.function or module.Class")
            return ProcessSpawn(function, tuple(_sequence(given, "args")), _text_or_none(given, "name"))
        case "supervisor_restart":
            child = "child" if "child" in given else "target"
            return SupervisorRestart(_target(given, child), _text_or_none(given, "supervisor"))
        case _:
            return _reload(given)


def _reload(given: Mapping[str, object]) -> CodeReload:
    source = given.get("source", given.get("new_source"))
    module = _text_or_none(given, "module_name") or _text_or_none(given, "module")
    if "beam_files" in given:
        return CodeReload(compiled_source(given["beam_files"]))
    if source is None:
        raise UsageError("source", hint="give the new source: a map of files, or a text with module_name")
    if isinstance(source, str) and not module:
        raise UsageError("module_name", module, hint="a text of source needs the name of its module, such as 'counter'")
    return CodeReload(source, module)


def _mapping(name: str, value: object, known: Sequence[str] = ()) -> Mapping[str, object]:
    given = pairs(name, value)
    for key in given if known else ():
        one_of(name, key, known)
    return given


def _or_empty(given: Mapping[str, object], key: str) -> object:
    value = given.get(key)
    return {} if value is None else value


def _pairs(env: object) -> object:
    """``env`` may be a list of pairs too, as an Elixir keyword list is."""
    if env is None:
        return {}
    if isinstance(env, list) and all(isinstance(one, tuple | list) and len(one) == 2 for one in env):
        return {term("env", key): value for key, value in env}
    return env


def _sequence(given: Mapping[str, object], key: str) -> Sequence[object]:
    value = given.get(key)
    if value is None:
        return ()
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        raise UsageError(key, value, hint="give a list")
    return value


def _text_or_none(given: Mapping[str, object], key: str) -> str | None:
    return text_or_none(key, given.get(key))


def _whole_or_none(given: Mapping[str, object], key: str) -> int | None:
    number, value = integer(given.get(key)), given.get(key)
    if value is not None and number is None:
        raise UsageError(key, value, hint="give a whole number")
    return number


def _target(given: Mapping[str, object], key: str) -> str:
    value = given.get(key)
    if value is None or not (found := term(key, value)):
        raise UsageError(key, hint="name a process: a registered name, a path in the tree, or a pid")
    return found
