"""The link to the Lab panel: requests on the kernel's control channel, events as one message type on iopub.

Requests are answered while a cell runs, so the handler only acknowledges; the
work is done on a lane of the sandbox, and its outcome is an event. Nothing is
ever polled.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, is_dataclass
from typing import TYPE_CHECKING, Any, assert_never

from msgspec import to_builtins

from ..model.errors import SandboxError, UsageError
from ..model.sandbox import (
    AlertRaised,
    InfoChanged,
    NoticeTold,
    OutputArrived,
    Removed,
    SandboxInfo,
    StepsTold,
    TreePatched,
    TreeReplaced,
    Update,
)  # fmt: skip
from ..model.views import StepView, TreeView
from .cells import Cells
from .lanes import Lanes
from .mirror import Mirror
from .pacing import Change

if TYPE_CHECKING:
    from ..manager.manager import SandboxManager
    from ..manager.sandbox import Sandbox

REQUEST, REPLY, EVENT = "sandbox_request", "sandbox_reply", "sandbox_event"

Args = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Wiring:
    """What the bridge stands on."""

    manager: SandboxManager
    mirror: Mirror
    lanes: Lanes
    cells: Cells
    version: str


class LabBridge:
    """Attached to one kernel from ``attach`` to ``detach``; ``publish`` may be called from any thread."""

    def __init__(self, kernel: Any, wiring: Wiring) -> None:
        self._kernel, self._wiring = kernel, wiring
        self._lock = threading.Lock()
        self._seq = 0

    def attach(self) -> None:
        """Answer requests from now on, and say so: the panel connects when it hears this."""
        self._kernel.control_handlers[REQUEST] = self._on_request
        self.hello()

    def detach(self) -> None:
        """Say good-bye and answer no more."""
        self._kernel.control_handlers.pop(REQUEST, None)
        self._send("bye")

    def hello(self) -> None:
        """Everything there is, as the panel needs it to begin."""
        mirror = self._wiring.mirror
        cells = self._wiring.cells
        infos = [info_data(cells.labelled(info)) | {"lived_s": _lived_s(info)} for info in mirror.infos.values()]
        trees = {name: to_builtins(tree) for name, tree in mirror.trees.items() if name in mirror.infos}
        self._send("hello", version=self._wiring.version, sandboxes=infos, trees=trees)

    def publish(self, update: Update) -> None:
        """Tell an update; trees come through ``publish_tree``, which is paced."""
        match update:
            case InfoChanged(info):
                self._send("sandbox", info=info_data(self._wiring.cells.labelled(info)))
            case Removed(name, number):
                self._send("removed", name=name, id=number)
            case StepsTold(name, steps, step):
                self._send("steps", name=name, steps=[step_data(view) for view in steps], step=step)
            case AlertRaised():
                self._send("alert", **asdict(update) | {"message": self._wiring.cells.label(update.message)})
            case NoticeTold():
                told = asdict(update)
                told["text"] = self._wiring.cells.label(update.text)
                self._send("notice", **told | {"traceback": list(self._wiring.cells.labels(update.traceback))})
            case TreeReplaced() | TreePatched() | OutputArrived():
                pass
            case _:
                assert_never(update)

    def publish_tree(self, name: str, change: Change) -> None:
        """Tell a whole tree or a change of it."""
        if isinstance(change, TreeView):
            self._send("tree", name=name, tree=to_builtins(change))
        else:
            self._send("diff", name=name, diff=to_builtins(change))

    # --- requests -----------------------------------------------------------------------------------------------------

    async def _on_request(self, stream: Any, ident: Any, parent: Mapping[str, Any]) -> None:
        content = parent.get("content", {})
        request_id = str(content.get("id", ""))
        self._kernel.session.send(stream, REPLY, {"status": "ok", "id": request_id}, parent, ident)
        verb, sandbox = str(content.get("verb", "")), content.get("sandbox")
        args = content.get("args") if isinstance(content.get("args"), dict) else {}
        if verb == "hello":
            self.hello()
            self._result(request_id, None)
            return
        # What ends a sandbox must not wait behind a request that hangs in it.
        lane = f"{sandbox}!" if verb in URGENT else str(sandbox)
        self._wiring.lanes.submit(lane, lambda: self._do(request_id, verb, sandbox, args))

    def _do(self, request_id: str, verb: str, sandbox: object, args: Args) -> None:
        try:
            action = ACTIONS.get(verb)
            if action is None:
                raise UsageError("verb", verb, allowed=[*ACTIONS, "hello"])
            value = action(self._wiring.manager.get(str(sandbox)), args)
        except SandboxError as error:
            self._send("result", id=request_id, ok=False, error={"kind": error.kind, "message": str(error)})
        except Exception as error:
            text = f"{type(error).__name__}: {error}"
            self._send("result", id=request_id, ok=False, error={"kind": "internal_error", "message": text})
        else:
            if isinstance(value, TreeView):
                self.publish_tree(str(sandbox), value)
            self._result(request_id, value)

    def _result(self, request_id: str, value: object) -> None:
        self._send("result", id=request_id, ok=True, value=_plain(value, self._wiring.cells))

    def _send(self, kind: str, **content: object) -> None:
        with self._lock:
            self._seq += 1
            told = {"seq": self._seq, "type": kind, **content}
            kernel = self._kernel
            kernel.session.send(kernel.iopub_socket, EVENT, told, parent={}, ident=EVENT.encode())


def info_data(info: SandboxInfo) -> dict[str, Any]:
    """The facts of a sandbox as plain data."""
    return asdict(info) | {"protection_line": info.protection.line() if info.protection else ""}


def _lived_s(info: SandboxInfo) -> int:
    """The run time of now: the mirror's is of when something changed last, which may be long ago."""
    if info.status not in ("running", "paused"):
        return info.lived_s
    return max(info.lived_s, int(time.time() - info.ready_at))


def step_data(step: StepView) -> dict[str, Any]:
    """A step as plain data, with its line."""
    told: dict[str, Any] = to_builtins(step)
    return told | {"line": step.line()}


def _plain(value: object, cells: Cells) -> object:
    """A view as plain data with the names of cells; anything else as it is or not at all."""
    if is_dataclass(value) and not isinstance(value, type):
        return _labelled(asdict(value), cells)
    return value if value is None or isinstance(value, bool | int | float | str) else None


def _labelled(value: Any, cells: Cells) -> Any:
    match value:
        case str():
            return cells.label(value)
        case dict():
            return {key: _labelled(item, cells) for key, item in value.items()}
        case list() | tuple():
            return [_labelled(item, cells) for item in value]
        case _:
            return value


def _target(args: Args) -> str:
    target = args.get("target")
    if not isinstance(target, str) or not target:
        raise UsageError("target", target, hint="name a process")
    return target


def _count(args: Args) -> int:
    count = args.get("count", 1)
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise UsageError("count", count, hint="give a whole number above 0")
    return count


def _snapshot(sandbox: Sandbox, args: Args) -> object:
    name = args.get("name")
    if not isinstance(name, str) or not name:
        raise UsageError("name", name, hint="name the snapshot")
    return sandbox.snapshot(name)


ACTIONS: Mapping[str, Callable[[Sandbox, Args], object]] = {
    "pause": lambda sandbox, args: sandbox.pause(),
    "resume": lambda sandbox, args: sandbox.resume(),
    "step": lambda sandbox, args: sandbox.step(_count(args)),
    "stop": lambda sandbox, args: sandbox.stop(),
    "start": lambda sandbox, args: sandbox.start(args.get("main")),
    "restart": lambda sandbox, args: sandbox.restart(),
    "destroy": lambda sandbox, args: sandbox.destroy(),
    "kill_process": lambda sandbox, args: sandbox.kill(_target(args)),
    "suspend_process": lambda sandbox, args: sandbox.suspend(_target(args)),
    "unsuspend_process": lambda sandbox, args: sandbox.unsuspend(_target(args)),
    "restart_process": lambda sandbox, args: sandbox.restart_process(_target(args)),
    "inspect": lambda sandbox, args: sandbox.inspect(_target(args)),
    "snapshot": _snapshot,
    "tree": lambda sandbox, args: sandbox.tree(),
}

URGENT = ("destroy", "stop", "restart")
