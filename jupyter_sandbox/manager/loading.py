"""Code on its way into a sandbox: read it, try it in a guest that is thrown away, load it into the live one.

Nothing of a module is parsed or run in the kernel, and a module that does not
compile, does not import, or does not end its import never reaches the live guest.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from ..code.difference import difference, sources
from ..code.gather import gather
from ..isolation.aside import in_thread
from ..model.code import Bundle, ClassInfo, ModuleCode
from ..model.errors import CompileError, SandboxBusy, SandboxGone, UsageError
from ..wire.messages import Bring, Brought, Load, Loaded, Tried
from .bringing import COMPILE_S, Compiled, bring, parts, patience_s
from .handle import GuestHandle
from .life import ReloadBegan, ReloadEnded
from .loop import unbroken
from .reports import LoadReport
from .state import Verb, refusal
from .tried import Prepared, some, told
from .unit import Unit

TRIAL_S = 10.0
LIVE_S = 15.0
"""More than a trial: the same import already ended in time once."""


async def prepare(unit: Unit, source: object, module: str | None = None) -> Prepared:
    """Read ``source`` on a thread and try it together with the modules that the sandbox already has.

    Raises CompileError with the guide's kinds, UsageError for bad names.
    """
    given = await in_thread(lambda: gather(source, module))
    names = {one.name for one in given.modules}
    kept = tuple(one for name, one in unit.modules.items() if name not in names)
    guest = await unit.launch_trial()
    try:
        compiled = await _compile(unit, guest, kept, given.modules)
        tried = await _try(unit, guest, (*kept, *compiled.modules))
    finally:
        unit.discard(guest, "the trial is over")
    return told(compiled, given.origin, tried)


async def _compile(
    unit: Unit, guest: GuestHandle, kept: tuple[ModuleCode, ...], given: tuple[ModuleCode, ...]
) -> Compiled:
    """Hand both to a guest that runs none of it yet; what was given comes back with its code."""

    async def ask(make: Callable[[int], Bring]) -> Brought:
        return await guest.ask(make, Brought, COMPILE_S)

    try:
        both = await bring(ask, (*kept, *given))
    except SandboxBusy:
        text = f"a module was not compiled within {COMPILE_S:g} s; nothing was loaded. Divide the largest ones"
        raise CompileError("load_error", text) from None
    except SandboxGone as gone:
        _must_live(unit)
        raise CompileError(
            "load_error",
            f"the OS process ended while the code was compiled ({gone}); nothing was loaded. If the code is large, "
            f"give the sandbox more memory: %sandbox limits {unit.name} --max-memory BYTES",
        ) from None
    return Compiled(both.modules[len(kept) :], both.warnings)


async def _try(unit: Unit, guest: GuestHandle, modules: tuple[ModuleCode, ...]) -> Tried:
    patience = patience_s(TRIAL_S, modules)
    try:
        with guest.lookout.importing():
            return await guest.ask(
                lambda number: Load(id=number, bundle=Bundle(()), brought=len(modules), trial=True), Tried, patience
            )
    except SandboxBusy:
        raise CompileError(
            "compilation_error",
            f"the import of the code did not finish in {patience:.3g} s and was ended; nothing was loaded. "
            "Look for an endless loop at module level",
        ) from None
    except SandboxGone as gone:
        _must_live(unit)
        raise CompileError(
            "load_error",
            f"the import of the code ended the OS process ({gone}); nothing was loaded. {_todo(unit, str(gone))}",
        ) from None


def _todo(unit: Unit, why: str) -> str:
    """What to do about an import that ended its trial, by the reason of the end."""
    if why.startswith("hang"):
        return "Look for an endless loop at module level, and leave long work to a process"
    if why.startswith("it used"):
        return f"Take less memory at module level, or give it more: %sandbox limits {unit.name} --max-memory SIZE"
    if why.startswith(("it filled", "it has", "threads", "files", "watches")):
        return "Do less of that at module level, and leave it to a process"
    return "Look for os._exit or a crash at module level"


def _must_live(unit: Unit) -> None:
    """A trial ends with the sandbox that it is for, and then the code is not to blame. Raises SandboxGone."""
    if unit.life.destroyed:
        raise unit.gone("it was destroyed")


async def load(unit: Unit, source: object, module: str | None = None) -> LoadReport:
    """Load or hot-reload code into the sandbox; after any failure the old version runs on."""
    began = time.perf_counter()
    async with unit.lane.turn("code is being loaded into it"):
        admit(unit, "load")
        ready = await prepare(unit, source, module)
        before = {one.name: one.source for one in unit.modules.values() if one.source}
        loaded = await unbroken(_go_live(unit, ready))
    diff = await in_thread(lambda: difference(before, sources(ready.bundle)))
    return LoadReport(
        versions=tuple(loaded.versions) if loaded else (), moved=loaded.moved if loaded else 0,
        diff=diff, elapsed_ms=(time.perf_counter() - began) * 1000,
        modules=tuple(one.name for one in ready.bundle.modules), main=_only_main(unit), warnings=ready.warnings,
        kept=tuple(loaded.kept) if loaded else (),
    )  # fmt: skip


async def _go_live(unit: Unit, ready: Prepared) -> Loaded | None:
    loaded = await _load_live(unit, ready.bundle)
    remember(unit, ready)
    unit.announce()
    return loaded


async def _load_live(unit: Unit, bundle: Bundle) -> Loaded | None:
    """None when there is no guest: the next one gets the code."""
    admit(unit, "load")  # once more: while the code was tried, the sandbox may have come to its end
    guest = unit.guest
    if guest is None:
        return None
    unit.dispatch(ReloadBegan(guest.generation))
    try:
        return await load_into(unit, guest, bundle)
    except SandboxBusy:
        text = f"loading did not finish in {patience_s(LIVE_S, bundle.modules):.3g} s"
        unit.give_up(guest, f"{text}; its state is not known any more")
        raise SandboxGone(f"{text}, so sandbox {unit.name!r} was killed: %sandbox restart {unit.name}") from None
    finally:
        unit.dispatch(ReloadEnded(guest.generation))


async def load_into(unit: Unit, guest: GuestHandle, bundle: Bundle) -> Loaded:
    """Load compiled modules into a guest."""

    async def ask(make: Callable[[int], Bring]) -> Brought:
        return await unit.ask(make, Brought, COMPILE_S, guest=guest)

    *before, last = parts(bundle.modules)
    brought = [one for part in before for one in part]
    if brought:
        await bring(ask, brought)
    patience = patience_s(LIVE_S, bundle.modules)
    with guest.lookout.importing():
        return await unit.ask(
            lambda number: Load(id=number, bundle=Bundle(last, bundle.origin), brought=len(brought)), Loaded,
            patience, guest=guest,
        )  # fmt: skip


def remember(unit: Unit, ready: Prepared) -> None:
    """The sandbox has this code from now on: a fresh guest gets it too."""
    found: dict[str, list[ClassInfo]] = {}
    for known in ready.classes:
        found.setdefault(known.module, []).append(known)
    for one in ready.bundle.modules:
        # Taken out first: a module loaded again goes to the end, after what it may have begun to import.
        unit.modules.pop(one.name, None)
        unit.modules[one.name] = one
        unit.classes[one.name] = tuple(found.get(one.name, ()))


def whole(unit: Unit) -> Bundle:
    """All modules of the sandbox, as a fresh guest needs them."""
    return Bundle(tuple(unit.modules.values()), "all")


def main_name(unit: Unit, main: str) -> str:
    """``module.Class`` for what the user calls main; a class name alone is enough when only one module has it.

    Left to the guest when nothing fits: it knows all classes and says so.
    """
    if not unit.modules:
        raise _nothing_loaded(unit)
    if "." in main:
        return main
    found = [f"{one.module}.{one.name}" for classes in unit.classes.values() for one in classes if one.name == main]
    if len(found) > 1:
        raise UsageError("main", main, allowed=some(found), hint="Give it with its module")
    return found[0] if found else main


def default_main(unit: Unit) -> str:
    """The one class that can only be meant: the only application, else the only supervisor, else the only server."""
    everything = [one for classes in unit.classes.values() for one in classes]
    for behaviour in ("application", "supervisor", "server"):
        found = [f"{one.module}.{one.name}" for one in everything if one.behaviour == behaviour]
        if len(found) == 1:
            return found[0]
        if found:
            raise UsageError("main", hint=f"name one of the classes that can be started: {', '.join(some(found))}")
    if not unit.modules:
        raise _nothing_loaded(unit)
    hint = f"the code has no application, supervisor or server class; define one in %%sandbox module {unit.name} MODULE"
    raise UsageError("main", hint=hint)


def _nothing_loaded(unit: Unit) -> UsageError:
    hint = f"begin a cell with %%sandbox module {unit.name} MODULE, or type %sandbox load {unit.name} SOURCE"
    return UsageError(f"sandbox {unit.name!r} has no code to start", hint=hint)


def _only_main(unit: Unit) -> str:
    """What ``default_main`` says, or nothing when there is none or more than one."""
    try:
        return default_main(unit)
    except UsageError:
        return ""


def admit(unit: Unit, verb: Verb) -> None:
    """Raise why ``verb`` is not possible now, if it is not; whoever acts is who hears from then on."""
    refused = refusal(unit.life, verb)
    if refused is not None:
        raise refused
    if verb != "look":
        unit.voice.heard_by_caller()


def modules_of(bundle: Bundle) -> dict[str, ModuleCode]:
    """The modules of a bundle by name, in order."""
    return {one.name: one for one in bundle.modules}
