"""Requests about code: load, versions, execute a cell and call it off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..code.compiler import compile_first
from ..model.code import Bundle, ModuleCode
from ..model.errors import CompileError, InternalError
from ..runtime import LoadCode
from ..wire import messages as m
from ..wire.values import PICTURED_BYTES
from .guest import CELL, OTP_CLIENTS, Handlers, pid_text
from .met import NO_MEMORY
from .tracebacks import error_lines, one_line
from .values import value_answer

if TYPE_CHECKING:
    from .guest import Guest

_AT_ONCE_NS: Final = 500_000_000
"""After which no other module is begun to be compiled in the same answer."""

_MOST_KEPT: Final = 20
_LONGEST: Final = 1_000
"""So many sentences about what is still of the old code, of so many characters."""


def load(guest: Guest, request: m.Load) -> None:
    """Try modules, or load them into the live node."""
    modules = _of(guest, request)
    if request.trial:
        _try(guest, request, modules)
        return
    try:
        guest.node.admit(LoadCode(Bundle(modules, request.bundle.origin), {}))
    except MemoryError as error:
        guest.reporter.refused("loading failed", "MemoryError", "", guest.node.name)
        raise CompileError("load_error", NO_MEMORY, (), tuple(error_lines(error))) from None
    outcome = guest.code.last
    step = guest.node.step_number
    kept = [text[:_LONGEST] for text in outcome.kept[:_MOST_KEPT]]
    guest.emit(m.Loaded(id=request.id, versions=guest.code.views(), moved=outcome.moved, step=step, kept=kept))


def bring(guest: Guest, request: m.Bring) -> None:
    """Put modules aside for a load, compiled: some of them, so that the answer is soon there and fits into a frame."""
    if request.anew:
        guest.brought.clear()
    until = guest.read_ns() + _AT_ONCE_NS
    try:
        taken = compile_first(request.modules, lambda: guest.read_ns() > until)
        guest.brought += map(ModuleCode.compiled, request.modules, taken.codes)
    except MemoryError:
        raise CompileError("load_error", NO_MEMORY) from None
    told = m.Brought(
        id=request.id, codes=taken.codes, faults=taken.faults, refused=taken.refused, warnings=taken.warnings
    )  # fmt: skip
    guest.emit(told)


def _of(guest: Guest, request: m.Load) -> tuple[ModuleCode, ...]:
    """What is to be loaded: what was brought, which is taken for this load or for none, and what comes with it."""
    brought, guest.brought = guest.brought if request.brought else [], []
    if len(brought) != request.brought:
        raise InternalError(f"{len(brought)} modules were brought and {request.brought} are wanted; please report it")
    return *brought, *request.bundle.modules


def _try(guest: Guest, request: m.Load, modules: tuple[ModuleCode, ...]) -> None:
    from .trial import try_modules  # only throw-away guests need it

    try:
        trial = try_modules(modules, guest.code.finder)
    except CompileError:
        raise
    except MemoryError as error:
        raise CompileError("load_error", NO_MEMORY, (), tuple(error_lines(error))) from None
    except BaseException as error:  # code at the top of a module may raise anything at all
        raise CompileError("compilation_error", one_line(error), (), tuple(error_lines(error))) from None
    guest.emit(m.Tried(id=request.id, classes=trial.classes, order=trial.order))


def versions(guest: Guest, request: m.Versions) -> None:
    """Which versions are loaded, and how many processes run each."""
    guest.emit(m.VersionList(id=request.id, versions=guest.code.views()))


def execute(guest: Guest, request: m.Execute) -> None:
    """Run a cell in a process of its own."""
    guest.must_run("exec")

    def answer(outcome: Any) -> m.Answer:
        value, drawing = outcome
        most = request.most if drawing is None or request.most is None else min(request.most, PICTURED_BYTES)
        told = value_answer(request.id, value, most)
        if drawing is None or type(told) is m.Oversized:
            return told
        return m.Pictured(id=request.id, data=told.data, mime=drawing.mime, image=drawing.image, why=drawing.why)

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


HANDLERS: Handlers = {m.Bring: bring, m.Load: load, m.Versions: versions, m.Execute: execute, m.CallOff: call_off}
