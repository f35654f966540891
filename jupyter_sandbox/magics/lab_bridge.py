"""The link to the Lab panel: requests on the kernel's control channel, events as one message type on iopub.

Requests are answered while a cell runs, so the handler only acknowledges; the
work is done on a lane of the sandbox, and its outcome is an event. Nothing is
ever polled.
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass, replace
from typing import TYPE_CHECKING, Any, assert_never

from msgspec import to_builtins

from ..model.errors import SandboxBusy, SandboxError, UsageError
from ..model.harmless import visible
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
from ..widgets.told import diff_data, tree_data
from .asked import MOST_WAITING, Answer, Asked
from .budget import size_of
from .cells import Cells
from .lanes import Lanes
from .mirror import Mirror
from .pacer import Change

if TYPE_CHECKING:
    from ..manager.manager import SandboxManager
    from ..manager.sandbox import Sandbox

REQUEST, REPLY, EVENT = "sandbox_request", "sandbox_reply", "sandbox_event"
INFO_BYTES = 2_000
"""Of the facts of a sandbox, about."""
SESSIONS = 100
"""Clients that are known to have been told everything."""
ID_CHARS = 100
"""Of a request's id; that of the panel is a UUID, and those of requests that wait are kept."""

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
        self._asked = Asked(failed=self._unanswered)
        self._seq = 0
        self._gone = False
        self._met: dict[str, None] = {}
        self._alerts: dict[str, tuple[str, ...]] = {}
        """What was told last of each sandbox: facts come ten times a second, alerts hardly ever."""

    def attach(self, session: str = "") -> None:
        """Answer requests from now on, and say so: the panel connects when it hears this, that of this client too."""
        self._note(session)
        self._kernel.control_handlers[REQUEST] = self._on_request
        self.hello()

    def detach(self) -> None:
        """Say good-bye and answer no more."""
        self._asked.close()
        self._kernel.control_handlers.pop(REQUEST, None)
        self._send("bye")

    def meet(self, session: str) -> None:
        """A client runs a cell: a page that has not been heard of, in another browser say, is told everything.

        It says there what to type, and that is what its user does: nothing would be loaded anew, and nothing told.
        """
        if session and self._note(session):
            self.hello()

    def _note(self, session: str) -> bool:
        """Whether this client is a new one; a few more than have pages open are remembered."""
        new = session not in self._met
        self._met = {**dict(list(self._met.items())[-SESSIONS:]), session: None} if new else self._met
        return new

    def hello(self) -> int:
        """Everything there is, as the panel needs it to begin; about how many bytes that were."""
        mirror = self._wiring.mirror
        cells = self._wiring.cells
        self._alerts = {info.name: info.alerts for info in mirror.infos.values()}
        infos = [info_data(cells.labelled(info)) | {"lived_s": _lived_s(info)} for info in mirror.infos.values()]
        trees = {name: tree_data(tree) for name, tree in mirror.trees.items() if name in mirror.infos}
        self._send("hello", version=self._wiring.version, sandboxes=infos, trees=trees)
        return sum(size_of(mirror.trees[name]) for name in trees) + len(infos) * INFO_BYTES

    def publish(self, update: Update) -> None:
        """Tell an update; trees come through ``publish_tree``, which is paced."""
        match update:
            case InfoChanged(info):
                self._send("sandbox", info=self._facts(info))
            case Removed(name, number):
                self._alerts.pop(name, None)
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

    def _facts(self, info: SandboxInfo) -> dict[str, Any]:
        """All of them, the alerts only when there are others than before."""
        if self._alerts.get(info.name) == info.alerts:
            facts = info_data(self._wiring.cells.labelled(replace(info, alerts=())))
            del facts["alerts"]
            return facts
        self._alerts[info.name] = info.alerts
        return info_data(self._wiring.cells.labelled(info))

    def publish_tree(self, name: str, change: Change, pause_s: int = 0) -> None:
        """Tell a whole tree or a change of it; ``pause_s`` as ``Pacer`` gives it."""
        if isinstance(change, TreeView):
            self._send("tree", name=name, tree=tree_data(change), pause_s=pause_s)
        else:
            self._send("diff", name=name, diff=diff_data(change))

    # --- requests -----------------------------------------------------------------------------------------------------

    async def _on_request(self, stream: Any, ident: Any, parent: Mapping[str, Any]) -> None:
        content = parent.get("content", {})
        self._note(str(parent.get("header", {}).get("session", "")))
        request_id, lanes = str(content.get("id", ""))[:ID_CHARS], self._wiring.lanes
        self._kernel.session.send(stream, REPLY, {"status": "ok", "id": request_id}, parent, ident)
        verb, sandbox = str(content.get("verb", "")), content.get("sandbox")
        args = content.get("args") if isinstance(content.get("args"), dict) else {}
        # What ends a sandbox must not wait behind a request that hangs in it.
        lane = f"{sandbox}!" if verb in URGENT else str(sandbox)
        match verb:
            case "hello":
                self._asked.ask("", request_id, self._greet, run=lambda work: work())
            case "tree":
                whole: Answer = lambda ids: self._do(ids, verb, sandbox, args)  # noqa: E731
                self._asked.ask(f"tree {sandbox}", request_id, whole, run=functools.partial(lanes.submit, lane))
            case _:
                try:
                    lanes.submit(lane, lambda: self._do([request_id], verb, sandbox, args), MOST_WAITING)
                except SandboxBusy as error:
                    self._unanswered([request_id], error)

    def _greet(self, request_ids: Sequence[str]) -> int:
        size = self.hello()
        self._results(request_ids, None)
        return size

    def _do(self, request_ids: Sequence[str], verb: str, sandbox: object, args: Args) -> int:
        """Carry out what these requests ask for; how many bytes of trees that told."""
        try:
            action = ACTIONS.get(verb)
            if action is None:
                raise UsageError("verb", verb, allowed=[*ACTIONS, "hello"])
            value = action(self._wiring.manager.get(str(sandbox)), args)
        except BaseException as error:  # also what would end a thread: somebody waits for this answer
            self._unanswered(request_ids, error)
        else:
            if not isinstance(value, TreeView):
                self._results(request_ids, value)
                return 0
            self.publish_tree(str(sandbox), value)
            self._results(request_ids, None)  # it has been told, which is enough
            return size_of(value)
        return 0

    def _results(self, request_ids: Sequence[str], value: object) -> None:
        told = _plain(value, self._wiring.cells)
        for request_id in request_ids:
            self._send("result", id=request_id, ok=True, value=told)

    def _unanswered(self, request_ids: Sequence[str], error: BaseException) -> None:
        if isinstance(error, SandboxError):
            self._failed(request_ids, error.kind, str(error))
        else:
            self._failed(request_ids, "internal_error", f"{type(error).__name__}: {error}")

    def _failed(self, request_ids: Sequence[str], kind: str, message: str) -> None:
        for request_id in request_ids:
            self._send("result", id=request_id, ok=False, error={"kind": kind, "message": message})

    def _send(self, kind: str, **content: object) -> None:
        with self._lock:
            if self._gone:
                return
            self._gone = kind == "bye"  # what came after it would make a page believe that all is as before
            self._seq += 1
            told = {"seq": self._seq, "type": kind, **content}
            kernel = self._kernel
            kernel.session.send(kernel.iopub_socket, EVENT, told, parent={}, ident=EVENT.encode())


def info_data(info: SandboxInfo) -> dict[str, Any]:
    """The facts of a sandbox as plain data."""
    told: dict[str, Any] = to_builtins(info)
    return told | {"protection_line": info.protection.line() if info.protection else ""}


def _lived_s(info: SandboxInfo) -> int:
    """The run time of now: the mirror's is of when something changed last, which may be long ago."""
    if info.status not in ("running", "paused"):
        return info.lived_s
    return max(info.lived_s, (time.monotonic_ns() - info.ready_ns) // 1_000_000_000)


def step_data(step: StepView) -> dict[str, Any]:
    """A step as plain data, with its line."""
    told: dict[str, Any] = to_builtins(step)
    return told | {"line": step.line()}


def _plain(value: object, cells: Cells) -> object:
    """A view as plain data, harmless and with the names of cells; anything else as it is or not at all."""
    if is_dataclass(value) and not isinstance(value, type):
        return _labelled(asdict(value), cells)
    return value if value is None or isinstance(value, bool | int | float | str) else None


def _labelled(value: Any, cells: Cells) -> Any:
    match value:
        case str():
            return visible(cells.label(value))
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
