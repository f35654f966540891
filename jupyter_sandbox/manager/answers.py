"""From a guest's answer to what the user gets: the value asked for, or the right exception. Pure."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from ..model.errors import (
    KINDS,
    CallExit,
    CallTimeout,
    CodeRaised,
    CompileError,
    Diagnostic,
    IsolationError,
    LimitExceeded,
    NoProcess,
    PreimportFailed,
    ProcessError,
    ProtocolError,
    SandboxError,
    SnapshotError,
    StartFailed,
    UsageError,
)  # fmt: skip
from ..model.harmless import shortened
from ..wire.messages import Failed

_LONGEST, _MOST = 8_000, 1_000
"""Characters of a text, pieces of a list: what an honest guest tells is shorter."""
COMPILE_KINDS = frozenset({"compilation_failed", "compilation_error", "load_error"})
SPOKEN = frozenset(
    cls.kind for cls in (NoProcess, CallTimeout, CallExit, StartFailed, CodeRaised, LimitExceeded, SnapshotError)
)  # fmt: skip
"""Kinds with a class of their own that an honest guest says."""
OURS = frozenset(KINDS) - SPOKEN | {
    SandboxError.kind, IsolationError.kind, ProtocolError.kind, PreimportFailed.kind,
    "git_clone_failed", "repo_error", "invalid_code_type",
}  # fmt: skip
"""Kinds that the manager acts on, or that a user takes for its word: no guest says them."""


def error_of(failed: Failed, sandbox: str) -> SandboxError:
    """The exception for a refusal by this sandbox.

    >>> error_of(Failed(id=1, kind="noproc", message="no process 'x'. Known: front"), "shop")
    NoProcess("no process 'x'. Known: front")
    """
    failed = _harmless(failed)
    kind, traceback = failed.kind, tuple(failed.traceback)
    if kind in COMPILE_KINDS:
        return CompileError(kind, failed.message, tuple(failed.diagnostics), traceback)
    if kind in OURS:
        return _claimed(sandbox, failed)
    match KINDS.get(kind):
        case cls if cls is CallExit:
            return CallExit(failed.message, failed.reason, traceback)
        case cls if cls is StartFailed:
            return StartFailed(failed.message, failed.reason, traceback)
        case cls if cls is CodeRaised:
            return CodeRaised(failed.message, traceback)
        case cls if cls is LimitExceeded:
            return LimitExceeded(failed.message, failed.reason)
        case None if kind == UsageError.kind:
            return UsageError(failed.message)
        case None:
            return _other(kind, failed.message)
        case cls:
            return cls(failed.message)


def _harmless(failed: Failed) -> Failed:
    """Exceptions are shown as they are, also by a terminal: no control character of a sandbox gets there."""
    shown = [harmless(one) for one in failed.diagnostics[:_MOST]]
    return msgspec.structs.replace(
        failed, kind=_cut(failed.kind), message=_cut(failed.message), reason=_cut(failed.reason), diagnostics=shown,
        traceback=[_cut(line) for line in failed.traceback[:_MOST]],
    )  # fmt: skip


def harmless(one: Diagnostic) -> Diagnostic:
    """The same complaint, as it may be shown."""
    return replace(
        one,
        file=_cut(one.file),
        text=_cut(one.text),
        source_line=_cut(one.source_line),
        severity=_cut(one.severity),
    )


def _cut(text: str) -> str:
    return shortened(text, _LONGEST)


def _claimed(sandbox: str, failed: Failed) -> SandboxError:
    """Told as what it is: the word of a sandbox that speaks as if it were the manager."""
    return ProcessError(
        f"sandbox {sandbox!r} answered {failed.message!r} as {failed.kind}, which is not for a sandbox to say; "
        f"its code may be hostile: %sandbox destroy {sandbox}"
    )


def _other(kind: str, message: str) -> SandboxError:
    error = ProcessError(message)
    error.kind = kind
    return error
