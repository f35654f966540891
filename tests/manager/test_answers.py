"""A guest's refusal becomes the exception that says whose fault it is."""

from __future__ import annotations

import pytest

from jupyter_sandbox.manager.answers import COMPILE_KINDS, error_of
from jupyter_sandbox.model.errors import (
    KINDS,
    CallExit,
    CodeRaised,
    CompileError,
    Diagnostic,
    LimitExceeded,
    ProcessError,
    SandboxError,
    UsageError,
)  # fmt: skip
from jupyter_sandbox.wire.messages import Failed


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_has_its_class_and_keeps_its_text(kind: str) -> None:
    error = error_of(Failed(id=1, kind=kind, message="text; do this"))
    assert type(error) is KINDS[kind] and str(error) == "text; do this" and error.kind == kind


@pytest.mark.parametrize("kind", sorted(COMPILE_KINDS))
def test_code_errors_carry_their_diagnostics(kind: str) -> None:
    where = Diagnostic("<ipython-input-3>", 4, 9, "invalid syntax")
    error = error_of(Failed(id=1, kind=kind, message="x", diagnostics=[where], traceback=["line"]))
    assert isinstance(error, CompileError)
    assert (error.kind, error.diagnostics, error.traceback) == (kind, (where,), ("line",))


def test_exits_and_raised_code_carry_reason_and_traceback() -> None:
    exited = error_of(Failed(id=1, kind="exit", message="x", reason="kill", traceback=["a"]))
    assert isinstance(exited, CallExit) and (exited.reason, exited.traceback) == ("kill", ("a",))
    raised = error_of(Failed(id=1, kind="raised", message="x", traceback=["a"]))
    assert isinstance(raised, CodeRaised) and raised.traceback == ("a",)
    limit = error_of(Failed(id=1, kind="limit_exceeded", message="x", reason="process_limit"))
    assert isinstance(limit, LimitExceeded) and limit.limit == "process_limit"


def test_a_usage_error_is_shown_as_it_came() -> None:
    error = error_of(Failed(id=1, kind="usage_error", message="class Shop2 is not known. Known: Shop"))
    assert isinstance(error, UsageError) and str(error) == "class Shop2 is not known. Known: Shop"


def test_an_unknown_kind_is_kept_as_text() -> None:
    error = error_of(Failed(id=1, kind="already_started", message="x"))
    assert type(error) is ProcessError and error.kind == "already_started"
    assert SandboxError.kind == "sandbox_error" and ProcessError.kind == "process_error"
