"""From a guest's answer to what the user gets: the value asked for, or the right exception. Pure."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from ..model.errors import (
    KINDS,
    CallExit,
    CodeRaised,
    CompileError,
    LimitExceeded,
    ProcessError,
    SandboxError,
    StartFailed,
    UsageError,
)  # fmt: skip
from ..model.harmless import visible
from ..wire.messages import Failed

_LONGEST, _MOST = 8_000, 1_000
"""Characters of a text, pieces of a list: what an honest guest tells is shorter."""
COMPILE_KINDS = frozenset(
    {
        "compilation_failed", "compilation_error", "load_error", "git_clone_failed", "repo_error",
        "invalid_code_type",
    }
)  # fmt: skip


def error_of(failed: Failed) -> SandboxError:
    """The exception for a refusal.

    >>> error_of(Failed(id=1, kind="noproc", message="no process 'x'. Known: front"))
    NoProcess("no process 'x'. Known: front")
    """
    failed = _harmless(failed)
    kind, traceback = failed.kind, tuple(failed.traceback)
    if kind in COMPILE_KINDS:
        return CompileError(kind, failed.message, tuple(failed.diagnostics), traceback)
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
    shown = [
        replace(
            one,
            file=_cut(one.file),
            text=_cut(one.text),
            source_line=_cut(one.source_line),
            severity=_cut(one.severity),
        )
        for one in failed.diagnostics[:_MOST]
    ]
    return msgspec.structs.replace(
        failed, kind=_cut(failed.kind), message=_cut(failed.message), reason=_cut(failed.reason), diagnostics=shown,
        traceback=[_cut(line) for line in failed.traceback[:_MOST]],
    )  # fmt: skip


def _cut(text: str) -> str:
    return visible(text[:_LONGEST])


def _other(kind: str, message: str) -> SandboxError:
    error = ProcessError(message)
    error.kind = kind
    return error
