"""A guest's refusal becomes the exception that says whose fault it is."""

from __future__ import annotations

import pytest

from jupyter_sandbox.manager.answers import COMPILE_KINDS, OURS, SPOKEN, error_of
from jupyter_sandbox.model.errors import (
    KINDS,
    CallExit,
    CodeRaised,
    CompileError,
    Diagnostic,
    InternalError,
    IsolationError,
    LimitExceeded,
    ProcessError,
    ProtocolError,
    SandboxError,
    SandboxGone,
    UsageError,
)  # fmt: skip
from jupyter_sandbox.wire.messages import Failed


@pytest.mark.parametrize("kind", sorted(SPOKEN))
def test_every_kind_has_its_class_and_keeps_its_text(kind: str) -> None:
    error = error_of(Failed(id=1, kind=kind, message="text; do this"), "shop")
    assert type(error) is KINDS[kind] and str(error) == "text; do this" and error.kind == kind


@pytest.mark.parametrize("kind", sorted(COMPILE_KINDS))
def test_code_errors_carry_their_diagnostics(kind: str) -> None:
    where = Diagnostic("<ipython-input-3>", 4, 9, "invalid syntax")
    error = error_of(Failed(id=1, kind=kind, message="x", diagnostics=[where], traceback=["line"]), "shop")
    assert isinstance(error, CompileError)
    assert (error.kind, error.diagnostics, error.traceback) == (kind, (where,), ("line",))


def test_exits_and_raised_code_carry_reason_and_traceback() -> None:
    exited = error_of(Failed(id=1, kind="exit", message="x", reason="kill", traceback=["a"]), "shop")
    assert isinstance(exited, CallExit) and (exited.reason, exited.traceback) == ("kill", ("a",))
    raised = error_of(Failed(id=1, kind="raised", message="x", traceback=["a"]), "shop")
    assert isinstance(raised, CodeRaised) and raised.traceback == ("a",)
    limit = error_of(Failed(id=1, kind="limit_exceeded", message="x", reason="process_limit"), "shop")
    assert isinstance(limit, LimitExceeded) and limit.limit == "process_limit"


def test_a_usage_error_is_shown_as_it_came() -> None:
    error = error_of(Failed(id=1, kind="usage_error", message="class Shop2 is not known. Known: Shop"), "shop")
    assert isinstance(error, UsageError) and str(error) == "class Shop2 is not known. Known: Shop"


def test_an_unknown_kind_is_kept_as_text() -> None:
    error = error_of(Failed(id=1, kind="already_started", message="x"), "shop")
    assert type(error) is ProcessError and error.kind == "already_started"
    assert SandboxError.kind == "sandbox_error" and ProcessError.kind == "process_error"


@pytest.mark.parametrize("kind", sorted(OURS))
def test_a_sandbox_that_speaks_as_the_manager_is_named_as_who_speaks(kind: str) -> None:
    error = error_of(Failed(id=1, kind=kind, message="all is lost; reinstall"), "shop")
    assert type(error) is ProcessError and error.kind == "process_error"
    assert str(error).startswith("sandbox 'shop' answered 'all is lost; reinstall' as ")


def test_every_error_is_either_for_a_sandbox_to_say_or_for_the_manager() -> None:
    def under(cls: type[SandboxError]) -> set[str]:
        return {cls.kind}.union(*map(under, cls.__subclasses__()))

    assert set(KINDS) == SPOKEN | OURS & set(KINDS) and not SPOKEN & OURS
    of_the_manager = under(IsolationError) | under(ProtocolError) | under(InternalError) | under(SandboxGone)
    assert of_the_manager - OURS == {"limit_exceeded"}
