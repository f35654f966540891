"""Requests about code: load, versions, execute a cell and call it off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..model.errors import CompileError
from ..runtime import LoadCode
from ..wire import messages as m
from ..wire.values import encode_value
from .guest import CELL, OTP_CLIENTS, Handlers, pid_text
from .tracebacks import error_lines, one_line

if TYPE_CHECKING:
    from .guest import Guest


def load(guest: Guest, request: m.Load) -> None:
    """Try modules, or load them into the live node."""
    if request.trial:
        _try(guest, request)
        return
    guest.node.admit(LoadCode(request.bundle, {}))
    outcome = guest.code.last
    step = guest.node.step_number
    guest.emit(m.Loaded(id=request.id, versions=guest.code.views(), moved=outcome.moved, step=step))


def _try(guest: Guest, request: m.Load) -> None:
    from .trial import try_bundle  # only throw-away guests need it

    try:
        trial = try_bundle(request.bundle, guest.code.finder)
    except CompileError:
        raise
    except BaseException as error:  # code at the top of a module may raise anything at all
        raise CompileError("compilation_error", one_line(error), (), tuple(error_lines(error))) from None
    guest.emit(m.Tried(id=request.id, classes=trial.classes, bundle=trial.bundle, warnings=trial.warnings))


def versions(guest: Guest, request: m.Versions) -> None:
    """Which versions are loaded, and how many processes run each."""
    guest.emit(m.VersionList(id=request.id, versions=guest.code.views()))


def execute(guest: Guest, request: m.Execute) -> None:
    """Run a cell in a process of its own."""
    guest.must_run("exec")

    def answer(outcome: Any) -> m.Answer:
        value, drawing = outcome
        data = encode_value(value)
        if drawing is None:
            return m.Value(id=request.id, data=data)
        return m.Pictured(id=request.id, data=data, mime=drawing.mime, image=drawing.image, why=drawing.why)

    guest.pending.apply(request, CELL, (request.source, request.file, request.timeout_ms), answer)
    guest.cells.add(request.id, request.file, guest.node)


def call_off(guest: Guest, request: m.CallOff) -> None:
    """Kill the process of a cell. It may not have been spawned yet."""

    def killed() -> bool:
        client = guest.cells.client(request.request)
        if client is not None:
            cell = guest.cells.process(client)
            if cell is None and not guest.paused:
                return False
            target = client if cell is None else cell
            guest.pending.tell(f"{OTP_CLIENTS}kill", (pid_text(target.pid), "kill"))
        guest.emit(m.Done(id=request.id))
        return True

    guest.pending.later(request.id, killed)


HANDLERS: Handlers = {m.Load: load, m.Versions: versions, m.Execute: execute, m.CallOff: call_off}
