"""The guide's own usage examples, in Python, and its result keys and error names."""

from __future__ import annotations

import py_compile
import subprocess
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from jupyter_sandbox import control as api
from jupyter_sandbox.manager.control import Control
from jupyter_sandbox.manager.default import default_manager, use_as_default
from jupyter_sandbox.manager.manager import SandboxManager
from jupyter_sandbox.model.errors import SandboxGone
from jupyter_sandbox.model.flavour import Flavour
from jupyter_sandbox.model.sandbox import Update

from .conftest import COUNTER, Told

MY_SERVER = """
from jupyter_sandbox.otp import GenServer, NoReply, Reply, application

class MyServer(GenServer):
    def init(self, state):
        return state
    def handle_call(self, request, caller, state):
        if request == "get_state":
            return Reply(state, state)
        if request[0] == "env":
            return Reply(application.get_env(self, request[1], "greeting"), state)
    def handle_cast(self, message, state):
        return NoReply(message)
    def handle_info(self, message, state):
        return NoReply(("info", message))
"""

CONFIG: dict[str, Any] = {
    "code_type": "module_source",
    "source": {"my_server.py": MY_SERVER},
    "main_module": "MyServer",
    "resource_limits": {"max_processes": 10, "max_memory": 10_000_000},
}


@pytest.fixture
def control(manager: SandboxManager) -> Control:
    return Control(manager)


@pytest.fixture
def experiment(control: Control) -> dict[str, Any]:
    status, experiment = control.create_experiment({**CONFIG, "args": [42]})
    assert status == "ok", experiment
    return experiment  # type: ignore[return-value]


def ok(result: tuple[str, Any]) -> Any:
    assert result[0] == "ok", result
    return result[1]


def error(result: tuple[str, Any]) -> Any:
    assert result[0] == "error", result
    return result[1]


# --- the guide's examples ------------------------------------------------------------------------------------------


def test_basic_sandbox_creation(experiment: dict[str, Any]) -> None:
    assert set(experiment) == {"sandbox_id", "status", "app_name", "created_at"}
    assert (experiment["status"], experiment["app_name"]) == ("running", f"sandbox_{experiment['sandbox_id']}")
    assert isinstance(experiment["created_at"], datetime)


def test_running_experiment_steps(control: Control, experiment: dict[str, Any]) -> None:
    step = {"type": "message_send", "target": "MyServer", "message": ("call", "get_state")}
    result = ok(control.run_experiment_step(experiment["sandbox_id"], step))
    assert result == {"sent_to": "MyServer", "message": ("call", "get_state"), "reply": 42}


def test_monitoring_and_analytics(control: Control, experiment: dict[str, Any]) -> None:
    number = experiment["sandbox_id"]
    state = ok(control.get_experiment_state(number))
    assert {"sandbox_id", "status", "runtime", "processes", "memory_usage", "supervision_tree"} <= set(state)
    assert (state["sandbox_id"], state["status"], type(state["runtime"])) == (number, "running", int)
    assert any(process["registered"] == "MyServer" for process in state["processes"])
    assert isinstance(state["memory_usage"], int)
    (top,) = state["supervision_tree"]
    assert "MyServer" in str(top)

    snapshot = ok(control.snapshot_experiment(number, "after_first_message"))
    assert set(snapshot) == {"snapshot_name", "created_at"} and snapshot["snapshot_name"] == "after_first_message"

    metrics = ok(control.get_metrics(number))
    assert set(metrics) == {"runtime_seconds", "event_count", "metrics", "recent_events"}
    assert set(metrics["metrics"]) == {
        "process_spawns", "process_exits", "messages_sent", "supervisor_restarts", "memory_peak",
    }  # fmt: skip


def test_the_module_functions_use_the_kernels_manager(manager: SandboxManager) -> None:
    use_as_default(manager)
    try:
        experiment = ok(api.create_experiment(CONFIG))
        number = experiment["sandbox_id"]
        step = {"type": "message_send", "target": "MyServer", "message": ("cast", 5)}
        assert ok(api.run_experiment_step(number, step)) == {"sent_to": "MyServer", "message": ("cast", 5)}
        ok(api.get_experiment_state(number))
        ok(api.snapshot_experiment(number, "s"))
        assert ok(api.restore_experiment(number, "s"))["restored_from"] == "s"
        assert ok(api.Analytics.get_metrics(number))["event_count"] >= 1
        ok(api.destroy_experiment(number))
        assert default_manager() is manager
    finally:
        use_as_default(None)


# --- steps ---------------------------------------------------------------------------------------------------------


def test_call_cast_and_plain_messages_reach_their_handlers(control: Control, experiment: dict[str, Any]) -> None:
    number = experiment["sandbox_id"]

    def send(message: object) -> dict[str, Any]:
        step = {"type": "message_send", "target": "MyServer", "message": message}
        return ok(control.run_experiment_step(number, step))  # type: ignore[no-any-return]

    send(("cast", 7))
    assert send(("call", "get_state"))["reply"] == 7
    sent = send({"hello": 1})
    assert sent["sent_to"].startswith("<0.") and sent["message"] == {"hello": 1}
    assert send(("call", "get_state"))["reply"] == ("info", {"hello": 1})


def test_process_spawn_supervisor_restart_and_code_reload(control: Control, experiment: dict[str, Any]) -> None:
    number = experiment["sandbox_id"]
    spawned = ok(control.run_experiment_step(
        number, {"type": "process_spawn", "function": "my_server.MyServer", "args": [1], "name": "extra"}
    ))  # fmt: skip
    assert spawned["pid"].startswith("<0.")
    before = control.manager.get(number).inspect("MyServer").process.pid
    restarted = ok(control.run_experiment_step(number, {"type": "supervisor_restart", "target": "MyServer"}))
    assert restarted["restarted"] == "MyServer"
    assert control.manager.get(number).inspect("MyServer").process.pid != before
    new = MY_SERVER.replace("Reply(state, state)", 'Reply(("new", state), state)')
    step = {"type": "code_reload", "module_name": "my_server", "new_source": new}
    reloaded = ok(control.run_experiment_step(number, step))
    assert reloaded["reloaded"] == ["my_server"] and reloaded["versions"] == {"my_server": 2}
    assert control.manager.get(number).call("MyServer", "get_state") == ("new", 42)


def test_an_unknown_step_type_and_an_unknown_target_are_errors(control: Control, experiment: dict[str, Any]) -> None:
    number = experiment["sandbox_id"]
    assert error(control.run_experiment_step(number, {"type": "teleport"})) == "unknown_step_type"
    step = {"type": "message_send", "target": "Nobody", "message": "x"}
    kind, text = error(control.run_experiment_step(number, step))
    assert kind == "noproc" and "MyServer" in text
    assert error(control.run_experiment_step(number, {"type": "message_send"}))[0] == "usage_error"


def test_each_step_is_recorded_with_its_result(control: Control, experiment: dict[str, Any]) -> None:
    number = experiment["sandbox_id"]
    control.run_experiment_step(
        number, {"type": "message_send", "target": "MyServer", "message": ("call", "get_state")}
    )
    control.run_experiment_step(number, {"type": "teleport"})
    recent = ok(control.get_metrics(number))["recent_events"]
    steps = [one["data"] for one in recent if one["type"] == "experiment_step"]
    assert [step["step"]["type"] for step in steps] == ["teleport", "message_send"]
    assert steps[0]["result"] == ("error", "unknown_step_type") and steps[1]["result"][1]["reply"] == 42


def test_counters_are_sampled_within_a_second(control: Control, experiment: dict[str, Any], told: Told) -> None:
    number = experiment["sandbox_id"]
    control.run_experiment_step(number, {"type": "supervisor_restart", "target": "MyServer"})
    told.wait(
        lambda update: getattr(update, "info", None) is not None and update.info.counters.supervisor_restarts == 1
    )  # type: ignore[union-attr]
    counters = ok(control.get_metrics(number))["metrics"]
    assert counters["process_spawns"] >= 3 and counters["process_exits"] >= 1 and counters["messages_sent"] >= 1


# --- state, restore, destroy ---------------------------------------------------------------------------------------


def test_restore_goes_back_to_the_saved_state(control: Control, experiment: dict[str, Any]) -> None:
    number = experiment["sandbox_id"]
    ok(control.snapshot_experiment(number, "start"))
    control.run_experiment_step(number, {"type": "message_send", "target": "MyServer", "message": ("cast", 0)})
    restored = ok(control.restore_experiment(number, "start"))
    assert set(restored) == {"restored_from", "restored_at"}
    assert control.manager.get(number).call("MyServer", "get_state") == 42
    assert error(control.restore_experiment(number, "never")) == "snapshot_not_found"


def test_destroy_answers_when_and_again_the_second_time(control: Control, experiment: dict[str, Any]) -> None:
    number = experiment["sandbox_id"]
    assert set(ok(control.destroy_experiment(number))) == {"destroyed_at"}
    ok(control.destroy_experiment(number))
    assert error(control.get_experiment_state(number)) == "not_found"
    for unknown in (control.destroy_experiment, control.get_experiment_state, control.get_metrics):
        assert error(unknown(99_999)) == "not_found"
    assert error(control.run_experiment_step(99_999, {"type": "message_send"})) == "not_found"
    assert error(control.snapshot_experiment(99_999, "x")) == "not_found"


def test_a_crashed_experiment_says_so(control: Control, experiment: dict[str, Any]) -> None:
    number = experiment["sandbox_id"]
    with pytest.raises(SandboxGone):
        control.manager.get(number).exec("import os; os._exit(3)")
    state = ok(control.get_experiment_state(number))
    assert (state["status"], state["processes"]) == ("crashed", [])
    assert state["reason"].startswith("its OS process ended with exit 3")


# --- code types ----------------------------------------------------------------------------------------------------


def test_many_files_and_a_supervisor_as_main(control: Control) -> None:
    config = {
        "code_type": "module_source",
        "source": {"shop/__init__.py": "", "shop/counter.py": COUNTER, "shop/top.py": "from shop.counter import Shop"},
        "main_module": "shop.counter.Shop",
    }
    number = ok(control.create_experiment(config))["sandbox_id"]
    assert control.manager.get(number).call("front", "next") == 0


def test_compiled_files(control: Control, tmp_path: Path) -> None:
    (tmp_path / "my_server.py").write_text(MY_SERVER)
    compiled = py_compile.compile(str(tmp_path / "my_server.py"), cfile=str(tmp_path / "my_server.pyc"))
    data = Path(str(compiled)).read_bytes()
    config = {"code_type": "beam_files", "beam_files": {"my_server": data}, "main_module": "MyServer"}
    number = ok(control.create_experiment(config))["sandbox_id"]
    assert control.manager.get(number).call("MyServer", "get_state") is None


def test_a_git_repository_at_a_commit(control: Control, tmp_path: Path) -> None:
    (tmp_path / "my_server.py").write_text(MY_SERVER)
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    for command in (["init", "-q"], ["add", "."], [*identity, "commit", "-qm", "x"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True, capture_output=True)
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=tmp_path, check=True, capture_output=True, text=True
    ).stdout.strip()
    config = {"code_type": "git_repo", "repo_url": str(tmp_path), "commit": commit, "main_module": "MyServer"}
    number = ok(control.create_experiment(config))["sandbox_id"]
    assert control.manager.get(number).call("MyServer", "get_state") is None
    for wrong in ("0" * 40, "main"):
        reason = error(control.create_experiment({**config, "commit": wrong}))
        assert reason[0] in ("repo_error", "git_clone_failed", "usage_error")


def test_env_reaches_the_application(control: Control) -> None:
    config = {**CONFIG, "env": {"greeting": "hello"}, "dependencies": []}
    experiment = ok(control.create_experiment(config))
    sandbox = control.manager.get(experiment["sandbox_id"])
    assert sandbox.call("MyServer", ("env", experiment["app_name"])) == "hello"


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"code_type": "elixir"}, "invalid_code_type"),
        ({"source": {"my_server.py": "def ("}}, "compilation_failed"),
        ({"source": {"my_server.py": "1 / 0"}}, "compilation_error"),
        ({"code_type": "beam_files", "beam_files": {"a": b"nonsense"}}, "load_error"),
        ({"code_type": "git_repo", "repo_url": "/nowhere/at/all", "commit": "0" * 40}, None),
        ({"main_module": "Nobody"}, None),
        ({"sauce": {}}, "usage_error"),
    ],
)
def test_error_kinds_are_the_guides_and_nothing_is_left(
    control: Control, change: dict[str, Any], kind: str | None
) -> None:
    reason = error(control.create_experiment({**CONFIG, **change}))
    assert kind is None or (reason if isinstance(reason, str) else reason[0]) == kind
    assert control.manager.list() == []


def test_compiler_errors_are_captured_with_file_and_line(control: Control) -> None:
    kind, text = error(control.create_experiment({**CONFIG, "source": {"my_server.py": "x = 1\ndef ("}}))
    assert kind == "compilation_failed" and "my_server.py:2" in text


def test_the_cinema_block_captures_messages_and_states(control: Control, told: Told) -> None:
    block = {"enabled": True, "capture_events": ["process_spawn", "message_send", "state_change"]}
    number = ok(control.create_experiment({**CONFIG, "cinema_debugger": block}))["sandbox_id"]
    ok(control.run_experiment_step(number, {"type": "message_send", "target": "MyServer", "message": ("cast", 7)}))

    def captured(_: Update) -> bool:
        kinds = {one["type"] for one in control.manager.get(number)._unit.analytics.recent()}
        return {"message_send", "state_change"} <= kinds

    told.wait(captured)
    kinds = {one["type"] for one in ok(control.get_metrics(number))["recent_events"]}
    assert kinds <= {"process_spawn", "message_send", "state_change", "experiment_step"}


def test_the_cinema_block_really_filters(control: Control, told: Told) -> None:
    block = {"enabled": True, "capture_events": ["supervisor_restart"]}
    number = ok(control.create_experiment({**CONFIG, "cinema_debugger": block}))["sandbox_id"]
    control.manager.get(number).restart_process("MyServer")
    told.wait(
        lambda update: getattr(update, "info", None) is not None and update.info.counters.supervisor_restarts == 1
    )  # type: ignore[union-attr]
    recent = ok(control.get_metrics(number))["recent_events"]
    assert {one["type"] for one in recent} == {"supervisor_restart"}
    refused = error(control.create_experiment({**CONFIG, "cinema_debugger": {"visualization_endpoint": "ws://x"}}))
    assert refused[0] == "usage_error"


@pytest.fixture(autouse=True)
def no_manager_of_the_kernel() -> Iterator[None]:
    yield
    use_as_default(None)


def test_a_restart_by_hand_uses_up_no_restart(control: Control, experiment: dict[str, Any]) -> None:
    number = experiment["sandbox_id"]
    for _ in range(6):
        ok(control.run_experiment_step(number, {"type": "supervisor_restart", "target": "MyServer"}))
    tree = control.manager.get(number).tree()
    assert all(view.budget_left == view.budget for view in tree.processes if view.budget is not None)
    assert control.manager.get(number).why("MyServer")[0].decision.startswith("restarted by hand")


def test_counters_are_those_of_now(control: Control, experiment: dict[str, Any]) -> None:
    number = experiment["sandbox_id"]
    ok(control.run_experiment_step(number, {"type": "supervisor_restart", "target": "MyServer"}))
    assert ok(control.get_metrics(number))["metrics"]["supervisor_restarts"] == 1
    assert control.manager.get(number).info().counters.supervisor_restarts == 1


def test_what_is_no_map_and_no_name_is_refused(control: Control, experiment: dict[str, Any]) -> None:
    number = experiment["sandbox_id"]
    assert error(control.create_experiment({**CONFIG, "resource_limits": []}))[0] == "usage_error"
    assert error(control.snapshot_experiment(number, 5))[0] == "usage_error"  # type: ignore[arg-type]
    assert error(control.restore_experiment(number, None))[0] == "usage_error"  # type: ignore[arg-type]
    assert error(control.get_experiment_state(True)) == "not_found"
    step = {"type": "process_spawn", "module": "nowhere.Server"}
    assert "nowhere" in error(control.run_experiment_step(number, step))[1]
    assert "nowhere" in error(control.run_experiment_step(number, {**step, "module": "nowhere"}))[1]


def test_a_dependency_that_does_not_run_is_named(control: Control) -> None:
    reason = error(control.create_experiment({**CONFIG, "dependencies": ["billing"]}))
    assert reason[0] == "start_failed"
    assert "it depends on the application billing, which is not running" in reason[1]


def test_an_application_that_forgets_to_wait_for_its_supervisor_is_told_so(control: Control) -> None:
    source = (
        "from jupyter_sandbox.otp import Application, Supervisor\nclass Top(Supervisor): pass\n"
        "class App(Application):\n    def start(self, kind, argument):\n        return self.start_link(Top)\n"
    )
    reason = error(control.create_experiment({**CONFIG, "source": {"app.py": source}, "main_module": "app.App"}))
    assert "write `async def start` and `return await self.start_link(...)`" in reason[1]


def test_compiled_files_of_a_wrong_kind_are_named(control: Control) -> None:
    reason = error(control.create_experiment({"code_type": "beam_files", "beam_files": ["/etc/passwd"]}))
    assert reason[0] == "invalid_code_type" and "passwd is no compiled file" in reason[1]


def test_an_experiment_says_what_it_has_imported_already(control: Control) -> None:
    created = ok(control.create_experiment({**CONFIG, "preimport": ["colorsys"]}))
    assert control.manager.get(created["sandbox_id"]).info().flavour == Flavour.of("plain", ["colorsys"]).name
    plain = ok(control.create_experiment({**CONFIG, "flavour": "plain"}))
    assert control.manager.get(plain["sandbox_id"]).info().flavour == "plain"


@pytest.mark.parametrize(
    "wrong", [{"flavour": "vanilla"}, {"flavour": 7}, {"preimport": "colorsys"}, {"flavor": "sci"}]
)
def test_a_flavour_that_there_is_not_is_an_error_and_leaves_nothing(control: Control, wrong: dict[str, Any]) -> None:
    status, reason = control.create_experiment({**CONFIG, **wrong})
    assert status == "error" and next(iter(wrong)) in str(reason)
    assert control.manager.list() == []
