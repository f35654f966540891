"""The guide's control API: experiments made, stepped, looked at, saved and destroyed with plain maps and results.

Every function returns ``("ok", {...})`` or ``("error", reason)``. A reason is
the guide's name of the error (``"unknown_step_type"``), or a pair of its name
and a text when there is more to say.
"""

from __future__ import annotations

import dataclasses
import reprlib
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import assert_never

from ..model.errors import CompileError, NoProcess, SandboxError, UsageError, shown
from ..model.given import pairs
from ..model.harmless import shortened
from ..model.sandbox import SandboxInfo
from ..model.views import ProcessView, TreeView
from .experiment import (
    CodeReload,
    ExperimentStep,
    MessageSend,
    ProcessSpawn,
    SupervisorRestart,
    UnknownCodeType,
    read_config,
    read_step,
)  # fmt: skip
from .manager import SandboxManager
from .newest import memory_of
from .sandbox import Sandbox

LARGE_BYTES, BRIEF = 20_000, 1_000
"""What is recorded of a step: whole up to so many bytes, else so many characters of its beginning."""
DEEPEST = 50
"""Levels of a tree in nested maps: what Python prints and saves has some hundred at most."""

Result = tuple[str, object]
"""``("ok", map)`` or ``("error", reason)``."""


class Control:
    """The six verbs over one manager.

    >>> control = Control(SandboxManager(store=":memory:"))
    >>> control.get_experiment_state(7)
    ('error', 'not_found')
    >>> control.manager.close()
    """

    def __init__(self, manager: SandboxManager) -> None:
        self.manager = manager

    def create_experiment(self, config: Mapping[str, object]) -> Result:
        """``sandbox_id, status, app_name, created_at``. The keys of ``config`` are the guide's."""

        def create() -> dict[str, object]:
            wanted = read_config(config)
            sandbox = self.manager.create(
                wanted.name, code=wanted.source, main=wanted.main or "", args=wanted.args, limits=wanted.limits,
                env=wanted.env, seed=wanted.seed, dependencies=wanted.dependencies, capture=wanted.capture,
                flavour=wanted.flavour, preimport=wanted.preimport,
            )  # fmt: skip
            info = sandbox.info()
            return {
                "sandbox_id": info.id,
                "status": str(info.status),
                "app_name": info.app_name,
                "created_at": _moment(info.created_at),
            }

        return _result(create)

    def run_experiment_step(self, sandbox_id: int | str, step_config: Mapping[str, object]) -> Result:
        """One step; recorded in the analytics with its result, also when it fails."""
        sandbox = self._sandbox(sandbox_id)
        if sandbox is None:
            return "error", "not_found"

        def run() -> object:
            step = read_step(step_config)
            return None if step is None else _execute(sandbox, step)

        outcome = _result(run)
        if outcome == ("ok", None):
            outcome = "error", "unknown_step_type"
        sandbox.record("experiment_step", {"step": _described(step_config), "result": _kept(outcome)})
        return outcome

    def get_experiment_state(self, sandbox_id: int | str) -> Result:
        """``sandbox_id, status, runtime`` (s), ``processes, memory_usage`` (bytes), ``supervision_tree``."""
        sandbox = self._sandbox(sandbox_id)
        if sandbox is None:
            return "error", "not_found"
        return _result(lambda: _state(sandbox))

    def snapshot_experiment(self, sandbox_id: int | str, snapshot_name: str) -> Result:
        """``snapshot_name, created_at``."""
        sandbox = self._sandbox(sandbox_id)
        if sandbox is None:
            return "error", "not_found"

        def take() -> dict[str, object]:
            info = sandbox.snapshot(snapshot_name)
            return {"snapshot_name": info.name, "created_at": _moment(info.created_at)}

        return _result(take)

    def restore_experiment(self, sandbox_id: int | str, snapshot_name: str) -> Result:
        """``restored_from, restored_at``. A failure leaves the running system as it was."""
        sandbox = self._sandbox(sandbox_id)
        if sandbox is None:
            return "error", "not_found"
        if isinstance(snapshot_name, str) and all(info.name != snapshot_name for info in sandbox.snapshots()):
            return "error", "snapshot_not_found"

        def restore() -> dict[str, object]:
            sandbox.restore(snapshot_name)
            return {"restored_from": snapshot_name, "restored_at": _moment(time.time())}

        return _result(restore)

    def destroy_experiment(self, sandbox_id: int | str) -> Result:
        """``destroyed_at``. Idempotent; an id that never was is not_found."""
        try:
            if not self.manager.destroy(sandbox_id) and not self.manager.was_destroyed(sandbox_id):
                return "error", "not_found"
        except UsageError:
            return "error", "not_found"
        return "ok", {"destroyed_at": _moment(time.time())}

    def get_metrics(self, sandbox_id: int | str) -> Result:
        """``runtime_seconds, event_count, metrics, recent_events`` (newest 10, newest first)."""
        sandbox = self._sandbox(sandbox_id)
        return ("error", "not_found") if sandbox is None else _result(sandbox.metrics)

    def _sandbox(self, sandbox_id: int | str) -> Sandbox | None:
        try:
            return self.manager.get(sandbox_id)
        except SandboxError:
            return None


# --- steps ----------------------------------------------------------------------------------------------------------


def _execute(sandbox: Sandbox, step: ExperimentStep) -> dict[str, object]:
    match step:
        case MessageSend():
            return _send(sandbox, step)
        case ProcessSpawn(function, args, name):
            return {"spawned": function, "pid": sandbox.spawn(function, *args, name=name)}
        case SupervisorRestart(child, supervisor):
            if supervisor is None:
                return {"restarted": child, "result": sandbox.restart_process(child)}
            return {"restarted": child, "supervisor": supervisor, "result": sandbox.restart_under(supervisor, child)}
        case CodeReload(source, module):
            report = sandbox.load(source, module)
            versions = {one.module: one.version for one in report.versions if one.current}
            return {"reloaded": list(report.modules), "versions": versions, "moved": report.moved}
        case _:
            assert_never(step)


def _send(sandbox: Sandbox, step: MessageSend) -> dict[str, object]:
    sent = {"sent_to": step.target, "message": step.message}
    match step.message:
        case (str() as how, request) if str.__str__(how) == "call":
            return {**sent, "reply": sandbox.call(step.target, request, step.timeout_ms)}
        case (str() as how, message) if str.__str__(how) == "cast":
            sandbox.cast(step.target, message)
            return sent
        case message:
            return {**sent, "sent_to": sandbox.send(step.target, message)}


def _described(step_config: object) -> dict[str, object]:
    """The step as it is recorded: sources are long, and the versions tell them apart."""
    try:
        told = pairs("step", step_config)
    except UsageError:
        return {"step": shown(step_config)}
    return {key: _brief(value) for key, value in told.items() if key not in ("source", "new_source", "beam_files")}


def _kept(outcome: Result) -> Result:
    """The outcome as it is recorded: a thousand of them are kept, and a reply may be megabytes."""
    verdict, value = outcome
    match value:
        case dict():
            return verdict, {key: _brief(one) for key, one in value.items()}
        case (kind, text):
            return verdict, (kind, _brief(text))
        case _:
            return verdict, _brief(value)


def _brief(value: object) -> object:
    try:
        if memory_of(value) <= LARGE_BYTES:
            return value
    except Exception:  # a message that holds itself, or a class of the user's raises what it likes: it was refused
        pass
    return f"{shortened(_text(value), BRIEF)}…"


def _text(value: object) -> str:
    try:
        return str.__str__(value) if isinstance(value, str) else reprlib.repr(value)
    except Exception:  # it cannot be shown, and not even that it is too long
        return shown(value)


# --- state ----------------------------------------------------------------------------------------------------------


def _state(sandbox: Sandbox) -> dict[str, object]:
    tree = _tree_or_none(sandbox)
    info: SandboxInfo = sandbox.info()
    return {
        "sandbox_id": info.id,
        "status": str(info.status),
        "runtime": info.runtime_s,
        "processes": [_process(view) for view in tree.processes if view.pid] if tree else [],
        "memory_usage": info.memory,
        "supervision_tree": _nested(tree) if tree else [],
        "reason": info.reason,
        "alerts": list(info.alerts),
    }


def _tree_or_none(sandbox: Sandbox) -> TreeView | None:
    """A sandbox that crashed or stopped still has a state to report, only no tree."""
    try:
        return sandbox.tree()
    except SandboxError:
        return None


def _process(view: ProcessView) -> dict[str, object]:
    return dataclasses.asdict(view)


def _nested(tree: TreeView) -> list[dict[str, object]]:
    """The flat tree as nested maps: id, pid, type, status, and children in start order.

    What lies deeper than ``DEEPEST`` stands on that level: nobody could print or save a map of a thousand levels.
    """
    beneath: dict[str, tuple[int, list[dict[str, object]]]] = {}
    """Of each process on which level its children stand, and the list that they go into."""
    roots: list[dict[str, object]] = []
    top = 1, roots
    for view in tree.processes:
        level, siblings = beneath.get(view.parent, top) if view.parent is not None else top
        children: list[dict[str, object]] = []
        node: dict[str, object] = {
            "id": view.name, "key": view.key, "pid": view.pid, "type": view.kind, "behaviour": view.behaviour,
            "status": view.status, "strategy": view.strategy, "restarts": view.restarts, "children": children,
        }  # fmt: skip
        siblings.append(node)
        # Only now is it known itself: no circles.
        beneath[view.key] = (level + 1, children) if level < DEEPEST else (level, siblings)
    return roots


# --- results --------------------------------------------------------------------------------------------------------


def _result(act: Callable[[], object]) -> Result:
    try:
        return "ok", act()
    except SandboxError as error:
        return "error", _reason(error)


def _reason(error: SandboxError) -> object:
    """The guide's form: a bare name when the name says all, else name and text."""
    match error:
        case UnknownCodeType():
            return error.kind
        case CompileError():
            where = "\n".join(str(one) for one in error.diagnostics if str(one) not in str(error))
            return error.kind, "\n".join(part for part in (str(error), where, *error.traceback) if part)
        case NoProcess():
            return "noproc", str(error)
        case _:
            return error.kind, str(error)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
