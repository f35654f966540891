"""The guide's control API over the manager that this kernel's magics use too.

>>> from jupyter_sandbox.control import (
...     Analytics, create_experiment, destroy_experiment, get_experiment_state, restore_experiment, run_experiment_step,
...     snapshot_experiment)
>>> from jupyter_sandbox import SandboxManager
>>> from jupyter_sandbox.manager.default import use_as_default
>>> manager = SandboxManager(store=":memory:")
>>> use_as_default(manager)  # a notebook need not: its kernel has a manager
>>> source = '''
... from jupyter_sandbox.otp import GenServer, Reply
... class Adder(GenServer):
...     def init(self, _):
...         return 0
...     def handle_call(self, n, caller, total):
...         return Reply(total + n, total + n)
... '''
>>> ok, experiment = create_experiment(
...     {"code_type": "module_source", "source": {"adder.py": source}, "main_module": "adder.Adder"})
>>> id = experiment["sandbox_id"]
>>> add = {"type": "message_send", "target": "Adder", "message": ("call", 20)}
>>> run_experiment_step(id, add)[0], snapshot_experiment(id, "twenty")[0], run_experiment_step(id, add)[0]
('ok', 'ok', 'ok')
>>> restore_experiment(id, "twenty")[0], get_experiment_state(id)[1]["status"], Analytics.get_metrics(id)[0]
('ok', 'running', 'ok')
>>> destroy_experiment(id)[0], destroy_experiment("nobody")[0]
('ok', 'error')
>>> manager.close()

Every function returns ``("ok", {...})`` or ``("error", reason)``; see
``manager.control`` for the keys.
"""

from __future__ import annotations

from collections.abc import Mapping

from .manager.control import Control, Result
from .manager.default import default_manager

__all__ = [
    "Analytics", "Control", "create_experiment", "destroy_experiment", "get_experiment_state", "restore_experiment",
    "run_experiment_step", "snapshot_experiment",
]  # fmt: skip


def create_experiment(config: Mapping[str, object]) -> Result:
    """``("ok", {sandbox_id, status, app_name, created_at})``."""
    return Control(default_manager()).create_experiment(config)


def run_experiment_step(sandbox_id: int | str, step_config: Mapping[str, object]) -> Result:
    """message_send, process_spawn, supervisor_restart or code_reload; else ``("error", "unknown_step_type")``."""
    return Control(default_manager()).run_experiment_step(sandbox_id, step_config)


def get_experiment_state(sandbox_id: int | str) -> Result:
    """``("ok", {sandbox_id, status, runtime, processes, memory_usage, supervision_tree})``."""
    return Control(default_manager()).get_experiment_state(sandbox_id)


def snapshot_experiment(sandbox_id: int | str, snapshot_name: str) -> Result:
    """``("ok", {snapshot_name, created_at})``."""
    return Control(default_manager()).snapshot_experiment(sandbox_id, snapshot_name)


def restore_experiment(sandbox_id: int | str, snapshot_name: str) -> Result:
    """``("ok", {restored_from, restored_at})``."""
    return Control(default_manager()).restore_experiment(sandbox_id, snapshot_name)


def destroy_experiment(sandbox_id: int | str) -> Result:
    """``("ok", {destroyed_at})``; also the second time."""
    return Control(default_manager()).destroy_experiment(sandbox_id)


class Analytics:
    """The guide's name for the counters of an experiment."""

    @staticmethod
    def get_metrics(sandbox_id: int | str) -> Result:
        """``("ok", {runtime_seconds, event_count, metrics, recent_events})``."""
        return Control(default_manager()).get_metrics(sandbox_id)
