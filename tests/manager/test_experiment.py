"""The guide's configuration keys: what is accepted, and what is said about the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_sandbox.code.sources import CompiledSource, FilesSource, GitSource
from jupyter_sandbox.manager.experiment import (
    CodeReload,
    MessageSend,
    ProcessSpawn,
    SupervisorRestart,
    read_config,
    read_step,
)  # fmt: skip
from jupyter_sandbox.model.errors import CompileError, UsageError
from jupyter_sandbox.model.limits import Limits

BASE: dict[str, object] = {"code_type": "module_source", "source": {"my_server.py": "x = 1", "other.py": ""}}
COMMIT = "a" * 40


def test_source_is_a_map_of_many_files() -> None:
    assert read_config(BASE).source == FilesSource({"my_server.py": "x = 1", "other.py": ""})


@pytest.mark.parametrize("code_type", ["beam_files", "compiled_files", "compiled"])
def test_compiled_files_come_as_a_map_pairs_or_paths(code_type: str) -> None:
    config = {"code_type": code_type}
    assert read_config({**config, "beam_files": {"a": b"x"}}).source == CompiledSource(modules={"a": b"x"})
    assert read_config({**config, "compiled_files": [("a", b"x")]}).source == CompiledSource(modules={"a": b"x"})
    assert read_config({**config, "beam_files": ["a.pyc"]}).source == CompiledSource(paths=(Path("a.pyc"),))


def test_a_git_repository_needs_its_url_and_a_commit() -> None:
    config = {"code_type": "git_repo", "repo_url": "https://example.org/x", "commit": COMMIT}
    assert read_config(config).source == GitSource("https://example.org/x", COMMIT)
    for missing in ("repo_url", "commit"):
        with pytest.raises(UsageError, match=missing):
            read_config({key: value for key, value in config.items() if key != missing})


@pytest.mark.parametrize("code_type", [None, "elixir", 7])
def test_any_other_code_type_is_invalid(code_type: object) -> None:
    with pytest.raises(CompileError) as caught:
        read_config({**BASE, "code_type": code_type})
    assert caught.value.kind == "invalid_code_type"


def test_partial_limits_merge_over_the_defaults() -> None:
    limits = read_config({**BASE, "resource_limits": {"max_processes": 10, "max_memory": 10_000_000}}).limits
    assert limits == Limits(max_processes=10, max_memory=10_000_000)


def test_env_is_a_map_or_a_list_of_pairs() -> None:
    assert read_config({**BASE, "env": {"a": 1}}).env == {"a": 1}
    assert read_config({**BASE, "env": [("a", 1)]}).env == {"a": 1}


def test_dependencies_and_main_module() -> None:
    config = read_config({**BASE, "dependencies": ["logger"], "main_module": "my_server.MyServer"})
    assert (config.dependencies, config.main) == (("logger",), "my_server.MyServer")


def test_the_cinema_block_filters_events_when_it_is_enabled() -> None:
    block = {"enabled": True, "capture_events": ["process_spawn", "message_send", "state_change"]}
    wanted = frozenset({"process_spawn", "message_send", "state_change"})
    assert read_config({**BASE, "cinema_debugger": block}).capture == wanted
    assert read_config({**BASE, "cinema_debugger": {**block, "enabled": False}}).capture is None
    assert read_config({**BASE, "cinema_debugger": {"enabled": True}}).capture is None
    assert read_config({**BASE, "cinema_debugger": {**block, "visualization_endpoint": None}}).capture == wanted


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"sauce": {}}, "Did you mean 'source'"),
        ({"source": "text"}, "map of file name to text"),
        ({"source": {"a.py": 1}}, "texts"),
        ({"resource_limits": {"max_memori": 1}}, "max_memory"),
        ({"resource_limits": {"max_memory": -1}}, "above 0"),
        ({"resource_limits": 7}, "give a map"),
        ({"main_module": 7}, "give a text"),
        ({"dependencies": "logger"}, "give a list"),
        ({"dependencies": [5]}, "dependencies 5 is not valid"),
        ({"env": 7}, "give a map"),
        ({"cinema_debugger": {"enabled": "yes"}}, "True or False"),
        ({"cinema_debugger": {"enabled": True, "capture_events": ["spawned"]}}, "process_spawn"),
        ({"cinema_debugger": {"enable": True}}, "Did you mean 'enabled'"),
        ({"cinema_debugger": {"visualization_endpoint": "ws://localhost:4000/cinema"}}, "not built yet; leave it out"),
        ({"seed": "x"}, "whole number"),
    ],
)
def test_a_wrong_key_or_value_is_named_with_what_is_allowed(change: dict[str, object], text: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_config({**BASE, **change})
    assert text in str(caught.value) and "\n" not in str(caught.value)


def test_all_four_step_types() -> None:
    assert read_step({"type": "message_send", "target": "A", "message": "x"}) == MessageSend("A", "x")
    assert read_step({"type": "process_spawn", "function": "a.f", "args": [1]}) == ProcessSpawn("a.f", (1,))
    assert read_step({"type": "supervisor_restart", "target": "A"}) == SupervisorRestart("A")
    assert read_step({"type": "supervisor_restart", "child": "A", "supervisor": "S"}) == SupervisorRestart("A", "S")
    assert read_step({"type": "code_reload", "module_name": "a", "new_source": "x"}) == CodeReload("x", "a")
    assert read_step({"type": "code_reload", "source": {"a.py": "x"}}) == CodeReload({"a.py": "x"})


@pytest.mark.parametrize("kind", [None, "message", 3])
def test_an_unknown_step_type_is_none(kind: object) -> None:
    assert read_step({"type": kind}) is None


@pytest.mark.parametrize(
    ("step", "key"),
    [
        ({"type": "message_send", "message": 1}, "target"),
        ({"type": "message_send", "target": "A"}, "message"),
        ({"type": "message_send", "target": "A", "message": 1, "timeout_ms": -5}, "timeout_ms"),
        ({"type": "process_spawn"}, "function"),
        ({"type": "supervisor_restart"}, "target"),
        ({"type": "code_reload"}, "source"),
        ({"type": "code_reload", "source": "n = 1"}, "module_name"),
        ({"type": "message_send", "target": "A", "message": 1, "mesage": 2}, "Did you mean 'message'"),
        ({"type": "process_spawn", "function": "a.f", "target": "A"}, "process_spawn 'target' is not known"),
        ("not a map", "step"),
    ],
)
def test_an_incomplete_step_names_what_is_missing(step: object, key: str) -> None:
    with pytest.raises(UsageError, match=key):
        read_step(step)
