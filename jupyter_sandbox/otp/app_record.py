"""What a node knows of its applications: specifications, who runs, environments. Data only; ``application`` acts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from ..model.errors import ProcessError
from ..model.ids import Pid, Ref
from ..model.reasons import said
from ..runtime import Node

BASE: Final = ("kernel", "stdlib")
"""Always loaded and running, as in Erlang."""


class ApplicationError(ProcessError):
    """OTP's error for an application operation, as ``reason``."""

    kind = "application_error"

    def __init__(self, what: str, reason: Any) -> None:
        super().__init__(f"{what} failed: {said(reason, 400)}")
        self.reason = reason


@dataclass(slots=True)
class Spec:
    """What is known of a loaded application. ``module`` None: a library without processes."""

    name: str
    module: Any = None
    argument: Any = None
    description: str = ""
    version: str = "1.0.0"
    modules: list[str] = field(default_factory=list)
    registered: list[str] = field(default_factory=list)
    applications: list[str] = field(default_factory=list)
    env: dict[str, Any] = field(default_factory=dict)
    start_phases: list[tuple[str, Any]] | None = None


@dataclass(slots=True)
class Loaded:
    """A loaded application.

    ``started``: since its start, until it is stopped, also when it ended by
    itself. ``running``: its processes run. ``starting``: who waits for the start
    in progress, None when there is none. Unloaded in the middle of its start it is
    not ``known`` any more: it runs until it is stopped, and is forgotten then.
    """

    spec: Spec
    kind: str = "temporary"
    running: bool = False
    master: Pid | None = None
    top: Pid | None = None
    started: bool = False
    serial: int = 0
    starting: list[tuple[Pid, Ref]] | None = None
    known: bool = True


def applications(node: Node) -> dict[str, Loaded]:
    """All loaded applications of a node, by name."""
    found: dict[str, Loaded] = node.globals.setdefault("applications", {})
    return found


def loaded(node: Node, name: str) -> Loaded | None:
    """An application that is loaded."""
    entry = applications(node).get(name)
    return entry if entry is not None and entry.known else None


def forget_unloaded(node: Node, entry: Loaded) -> None:
    """An application has ended: nothing is left of one that was unloaded meanwhile."""
    if not entry.known:
        applications(node).pop(entry.spec.name, None)


def environments(node: Node) -> dict[str, dict[str, Any]]:
    """The environments of a node's applications; one may be set before its application is loaded."""
    found: dict[str, dict[str, Any]] = node.globals.setdefault("application_env", {})
    return found


def running(node: Node) -> list[Loaded]:
    """The running applications, the last started first: the order in which they are stopped together."""
    entries = [entry for entry in applications(node).values() if entry.running]
    return sorted(entries, key=lambda entry: entry.serial, reverse=True)


def now_running(node: Node, entry: Loaded) -> None:
    """Note that an application runs."""
    entry.running = entry.started = True
    entry.serial = node.globals["application_serial"] = node.globals.get("application_serial", 0) + 1
