"""Whatever somebody gives to whatever method: one clear error at most, and no sandbox is worse off.

What there is to be called is read from the signatures, so that a new method or argument is tried by itself.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, NoReturn, cast

import numpy
import pytest

from jupyter_sandbox.code.sources import CellSource, CompiledSource, FilesSource, FolderSource, GitSource
from jupyter_sandbox.manager.control import Control
from jupyter_sandbox.manager.experiment import CINEMA_KEYS, CONFIG_KEYS, STEP_KEYS
from jupyter_sandbox.manager.manager import SandboxManager
from jupyter_sandbox.manager.sandbox import Sandbox
from jupyter_sandbox.model.errors import CompileError, InternalError, NoProcess, SandboxError, SandboxGone, UsageError
from jupyter_sandbox.model.ids import Pid
from jupyter_sandbox.model.limits import LEAST_MEMORY, Limits
from jupyter_sandbox.model.sandbox import SandboxStatus

SOURCE = """
from jupyter_sandbox.otp import Child, GenServer, NoReply, Reply, Supervisor

class Patient(GenServer):
    def init(self, n):
        return n
    def handle_call(self, request, caller, n):
        return Reply("here", n)
    def handle_cast(self, message, n):
        return NoReply(n)
    def handle_info(self, message, n):
        return NoReply(n)

class Ward(Supervisor):
    intensity = 1_000_000

    def init(self, _):
        return [Child(Patient, 0, name="front")]
"""


def _raise(*_: object) -> NoReturn:
    raise ValueError("looked at")


class Hostile:
    """Raises at whatever is asked of it."""

    __repr__ = __str__ = __eq__ = __hash__ = __bool__ = __len__ = __iter__ = __reduce_ex__ = _raise  # type: ignore[assignment]
    __index__ = __int__ = __float__ = __fspath__ = __lt__ = __le__ = __gt__ = __ge__ = __contains__ = _raise


class Count(int):
    """A number of somebody's own, that is shown in its own way."""

    __repr__ = __str__ = __eq__ = __hash__ = __lt__ = __le__ = _raise  # type: ignore[assignment]


class Text(str):
    """A text of somebody's own."""

    __slots__ = ()
    __repr__ = __str__ = __eq__ = __hash__ = __len__ = __iter__ = strip = split = encode = _raise  # type: ignore[assignment]


class Items(dict[str, object]):
    """A map of somebody's own."""

    items = keys = values = __iter__ = __getitem__ = _raise  # type: ignore[assignment]


ODD: dict[str, Callable[[], object]] = {
    "nothing": lambda: None, "truth": lambda: True, "a float": lambda: 500.0, "no number": lambda: float("nan"),
    "less than nothing": lambda: -1, "much": lambda: 2**70, "more than can be written": lambda: 10**5_000,
    "a number of numpy": lambda: numpy.int64(10**9), "an array": lambda: numpy.zeros((40, 40)),
    "no text": lambda: "", "digits": lambda: "5", "a lone surrogate": lambda: "\ud800", "a null": lambda: "a\0b",
    "a long text": lambda: "x" * 100_000, "bytes": lambda: b"x", "a list": list, "a list of numbers": lambda: [5],
    "a map": dict, "a map of numbers": lambda: {5: 5}, "an object": object, "a class": lambda: Hostile,
    "a hostile object": Hostile, "hostile objects": lambda: [Hostile()], "a hostile key": lambda: Items(a=1),
    "a hostile value": lambda: {"max_processes": Hostile()}, "a hostile text": lambda: Text("nobody"),
    "a hostile number": lambda: Count(10**9), "a pid": lambda: Pid.of(4_000), "a path": lambda: Path("~nobody/x"),
    "no path": lambda: Path("a\0b"),
}  # fmt: skip
"""Values that nobody means; each is made anew for each call."""

RIGHT: dict[str, object] = {
    "allow": {"net": False}, "args": (0,), "capture": frozenset({"crash"}), "child": "front", "clock": "virtual",
    "code": {"ward.py": SOURCE}, "contains": "x", "count": 1, "cut": False, "data": {"n": 1},
    "dependencies": (), "env": {"n": 1},
    "file": "<here>", "flavour": "plain", "function": "ward.Patient", "interval_ms": 0, "isolation": "copy",
    "kind": "experiment_step", "kinds": ("crash",), "limit": 5, "limits": {"max_processes": 50}, "main": "ward.Ward",
    "max_steps": 1, "message": "m", "module": "ward", "name": "fresh", "name_or_id": "odd", "preimport": (),
    "process": "front", "profile": "strict", "reason": "kill", "receive": lambda update: None, "request": "r",
    "seed": 7, "source": SOURCE, "step": 1, "store": ":memory:", "supervisor": "Ward", "target": "front",
    "timeout_ms": 5_000, "value": 1,
}  # fmt: skip
"""A right value for each argument, by its name."""
ANYTHING = {"args", "child", "message", "request", "value"}
"""Arguments that are for the code in the sandbox, or are taken as they are shown."""
SAID = {"source": "code", "name": "snapshot"}
"""What a method calls an argument when it says no, where that is not its name."""
NEEDED: dict[Callable[..., object], dict[str, object]] = {
    Sandbox.exec: {"source": "1"}, Sandbox.until: {"kind": "call"}, SandboxManager.stored: {"name": "odd"},
    SandboxManager.create: {"name": "fresh"}, SandboxManager.destroy: {"name_or_id": "nobody"},
}  # fmt: skip
"""What a method is called with in any case, where RIGHT does not fit it."""


def public(cls: type) -> list[tuple[Callable[..., object], inspect.Parameter]]:
    """All arguments of all public methods of a class."""
    methods = [one for name, one in inspect.getmembers(cls, inspect.isfunction) if not name.startswith("_")]
    given = [(one, named) for one in methods for named in list(inspect.signature(one).parameters.values())[1:]]
    given = [(one, named) for one, named in given if (one, named.name) != (Sandbox.limits, "changes")]
    missing = {named.name for _, named in given} - RIGHT.keys()
    assert not missing, f"say in RIGHT what a right value is for {missing}"
    return given


def names(given: list[tuple[Callable[..., object], inspect.Parameter]]) -> list[str]:
    return [f"{method.__name__}-{named.name}" for method, named in given]


EVERYWHERE = [*public(Sandbox), *public(SandboxManager)]
OF_CREATE = [named.name for method, named in EVERYWHERE if method is SandboxManager.create]
OF_NO_USE = ("a hostile object", "hostile objects", "a hostile key")
"""What nobody can take for anything."""
OTHER: dict[type, tuple[Callable[[Any], object], ...]] = {str: (Text, numpy.str_), int: (Count, numpy.int64)}
SOURCES: dict[type, Any] = {
    CellSource: CellSource("extra", "x = 1"), FilesSource: FilesSource({"extra.py": "x = 1"}),
    FolderSource: FolderSource(Path("nowhere")), CompiledSource: CompiledSource(),
    GitSource: GitSource("nowhere", "0" * 40),
}  # fmt: skip
LIMITS = Limits(max_processes=10_000)
OF_LIMITS = [field.name for field in fields(Limits)]


@pytest.fixture(scope="module")
def own() -> Iterator[SandboxManager]:
    with SandboxManager(store=":memory:") as manager:
        yield manager


@pytest.fixture(scope="module")
def odd(own: SandboxManager) -> Sandbox:
    """What all is tried on; nothing of it may end it."""
    return own.create("odd", code={"ward.py": SOURCE}, main="ward.Ward", limits=LIMITS)


def clear(own: SandboxManager, odd: Sandbox) -> None:
    """End what was made, so that its name is free again, and let the rest go on."""
    for made in own.list():
        if made.name != "odd":
            own.destroy(made.id)
    own.store.forget("odd")
    odd.resume()
    with suppress(NoProcess):
        while odd.inspect("fresh"):
            odd.kill("fresh")


@pytest.fixture(autouse=True)
def unharmed(own: SandboxManager, odd: Sandbox) -> Iterator[None]:
    """It goes on in the same OS process."""
    before = odd.info().os_pid
    yield
    clear(own, odd)
    assert (odd.info().reason, odd.info().os_pid, odd.status) == ("", before, SandboxStatus.RUNNING)


def call(method: Callable[..., object], given: dict[str, object], own: SandboxManager, odd: Sandbox) -> object:
    """Call it with this value, and with right ones for what it needs besides."""
    signature, [(argument, value)] = inspect.signature(method), given.items()
    on = own if hasattr(SandboxManager, method.__name__) and method is not Sandbox.limits else odd
    bound, named = signature.bind_partial(on), signature.parameters[argument]
    for one in list(signature.parameters.values())[1:]:
        before = named.kind is named.VAR_POSITIONAL and one.kind is one.POSITIONAL_OR_KEYWORD
        if one is named:
            bound.arguments[one.name] = (value,) if one.kind is one.VAR_POSITIONAL else value
        elif one.name in (needed := NEEDED.get(method, {})):
            bound.arguments[one.name] = needed[one.name]
        elif before or (one.default is one.empty and "VAR" not in one.kind.name):
            bound.arguments[one.name] = RIGHT[one.name]
    result = method(*bound.args, **bound.kwargs)
    if method is SandboxManager.subscribe:
        cast("Callable[[], None]", result)()
    return result


def told(act: Callable[[], object]) -> SandboxError | None:
    """What it says, if it says no: in one line, and nothing that is nobody's fault here."""
    try:
        act()
    except SandboxError as error:
        assert not isinstance(error, (InternalError, SandboxGone)), error
        assert str(error) and "\n" not in str(error)
        return error
    return None


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize(("method", "named"), EVERYWHERE, ids=names(EVERYWHERE))
def test_an_odd_value_is_taken_or_refused_in_one_line(
    own: SandboxManager, odd: Sandbox, method: Callable[..., object], named: inspect.Parameter, kind: str
) -> None:
    error = told(lambda: call(method, {named.name: ODD[kind]()}, own, odd))
    if kind in OF_NO_USE and named.name not in ANYTHING:
        assert isinstance(error, UsageError | CompileError), error
        assert named.name in str(error) or SAID.get(named.name, named.name) in str(error), error


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("argument", OF_CREATE)
def test_an_odd_value_ends_nobody_where_no_spare_is_at_hand(own: SandboxManager, argument: str, kind: str) -> None:
    told(lambda: own.create(**{"allow": {"net": True}, argument: ODD[kind]()}))  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("limit", OF_LIMITS)
def test_an_odd_limit_is_refused_however_it_is_given(own: SandboxManager, odd: Sandbox, limit: str, kind: str) -> None:
    refused = told(lambda: own.create("fresh", limits={limit: ODD[kind]()}))
    for other in (
        lambda: own.create("other", limits=Limits(**{limit: ODD[kind]()})),  # type: ignore[arg-type]
        lambda: odd.limits(**{limit: ODD[kind]()}),  # type: ignore[arg-type]
    ):
        assert type(told(other)) is type(refused)
    if refused is None:
        assert "number" in kind
        odd.limits(**{limit: getattr(LIMITS, limit)})
    else:
        assert isinstance(refused, UsageError) and refused.field == limit


def test_less_memory_than_anything_needs_is_refused(own: SandboxManager, odd: Sandbox) -> None:
    little = LEAST_MEMORY - 1
    for act in (
        lambda: own.create(limits={"max_memory": little}),
        lambda: own.create(limits=Limits(max_memory=little)),
        lambda: odd.limits(max_memory=little),
    ):
        with pytest.raises(
            UsageError, match=f"^max_memory {little} is not valid: it is in bytes; give at least 1000000"
        ):
            act()
    assert own.create(limits={"max_memory": LEAST_MEMORY}).info().limits.max_memory == LEAST_MEMORY


@pytest.mark.parametrize(("method", "named"), EVERYWHERE, ids=names(EVERYWHERE))
def test_a_text_or_a_number_of_another_class_is_as_good(
    own: SandboxManager, odd: Sandbox, method: Callable[..., object], named: inspect.Parameter
) -> None:
    right: Any = NEEDED.get(method, {}).get(named.name, RIGHT[named.name])
    plain = told(lambda: call(method, {named.name: right}, own, odd))
    for other in OTHER.get(type(right), ()) if named.name not in ANYTHING else ():
        clear(own, odd)
        error = told(lambda other=other: call(method, {named.name: other(right)}, own, odd))
        assert (type(error), str(error)) == (type(plain), str(plain))


@pytest.mark.parametrize("kind", ODD)
def test_a_manager_is_not_made_with_odd_values(kind: str) -> None:
    for argument in ("store", "flavour"):
        told(lambda argument=argument: SandboxManager(**{argument: ODD[kind]()}).close())  # type: ignore[arg-type]
    if kind in OF_NO_USE:
        for argument in ("store", "flavour"):
            with pytest.raises(UsageError, match=argument):
                SandboxManager(**{argument: ODD[kind]()})  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [*OF_NO_USE, "a hostile text", "a hostile value", "much", "a long text", "a float"])
def test_the_guides_functions_answer_whatever_they_are_given(own: SandboxManager, odd: Sandbox, kind: str) -> None:
    control = Control(own)
    config = {"code_type": "module_source", "source": {"ward.py": SOURCE}, "main_module": "ward.Ward"}
    answers = [control.create_experiment({**config, key: ODD[kind]()}) for key in CONFIG_KEYS]
    answers += [control.create_experiment({**config, "cinema_debugger": {key: ODD[kind]()}}) for key in CINEMA_KEYS]
    answers += [control.create_experiment(ODD[kind]()), control.run_experiment_step("odd", ODD[kind]())]  # type: ignore[arg-type]
    for step, keys in STEP_KEYS.items():
        right = {key: RIGHT[key] for key in keys if key in ("target", "message", "function")}
        answers += [
            control.run_experiment_step("odd", {"type": step, **right, key: ODD[kind]()}) for key in (*keys, "type")
        ]
    for act in (control.get_experiment_state, control.get_metrics, control.destroy_experiment):
        answers.append(act(ODD[kind]()))  # type: ignore[arg-type]
    for keep in (control.restore_experiment, control.snapshot_experiment):
        answers += [keep("odd", ODD[kind]()), keep(ODD[kind](), "before")]  # type: ignore[arg-type]
    assert {verdict for verdict, _ in answers} <= {"ok", "error"}
    assert not [said for verdict, said in answers if verdict == "error" and "report it" in str(said)]


def test_a_source_that_was_made_by_hand_is_looked_at_too(odd: Sandbox) -> None:
    for kind, made in ODD.items():
        for source in (CellSource, FilesSource, FolderSource, CompiledSource, GitSource):
            for field in fields(source):
                wrong = replace(SOURCES[source], **{field.name: made()})
                error = told(lambda wrong=wrong: odd.load(wrong))
                if kind in OF_NO_USE:
                    assert isinstance(error, UsageError) and error.field == field.name, (source, error)
