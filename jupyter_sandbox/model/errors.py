"""Every error that a user can meet. The class says whose fault it is; the text ends with what to do next."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


class SandboxError(Exception):
    """Base of all errors of jupyter_sandbox. ``kind`` is its stable machine-readable name."""

    kind = "sandbox_error"


class UsageError(SandboxError):
    """The caller gave something that cannot be: names the field, the value and what is allowed.

    >>> str(UsageError("verb", "strat", allowed=["start", "stop"]))
    "verb 'strat' is not known. Did you mean 'start'? Known: start, stop"
    """

    kind = "usage_error"

    def __init__(
        self,
        field: str,
        value: object = None,
        *,
        allowed: Iterable[str] = (),
        hint: str = "",
        kind: str = "usage_error",
    ) -> None:
        self.field, self.value, self.allowed, self.hint = field, value, tuple(allowed), hint
        self.kind = kind
        super().__init__(self._text())

    def _text(self) -> str:
        told = shown(self.value)
        if not self.allowed:
            head = f"{self.field} {told} is not valid" if self.value is not None else self.field
            return f"{head}: {self.hint}" if self.hint else head
        text = f"{self.field} {told} is not known."
        close = _closest(self.value, self.allowed) if type(self.value) is str else None
        if close:
            text += f" Did you mean {close!r}?"
        return f"{text} Known: {', '.join(self.allowed)}" + (f". {self.hint}" if self.hint else "")


def shown(value: object) -> str:
    """The value on one line, whatever it makes of being shown."""
    try:
        text = repr(value)
    except Exception:  # its own fault, and not what is to be told
        return f"of type {type(value).__name__}"
    text = " ".join(text.split()) if "\n" in text else text
    return text if len(text) <= 80 else f"{text[:77]}..."


def _closest(word: str, known: tuple[str, ...]) -> str | None:
    from difflib import get_close_matches  # only on the way to an error

    found = get_close_matches(word, known, n=1, cutoff=0.65)
    return found[0] if found else None


class ProcessError(SandboxError):
    """Something went wrong between processes."""

    kind = "process_error"


class NoProcess(ProcessError):
    """No living process answers to that name, path or pid."""

    kind = "noproc"


class CallTimeout(ProcessError):
    """A call was not answered in time. The late reply, if any, is dropped."""

    kind = "timeout"


class CallExit(ProcessError):
    """The process that was called exited before it answered; ``reason`` is its exit reason as text."""

    kind = "exit"

    def __init__(self, message: str, reason: str = "", traceback: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.reason, self.traceback = reason, traceback


class StartFailed(ProcessError):
    """A process, supervisor or application did not start; ``traceback`` holds the lines of what its init raised."""

    kind = "start_failed"

    def __init__(self, message: str, reason: str = "", traceback: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.reason, self.traceback = reason, traceback


class CodeRaised(SandboxError):
    """User code raised inside a sandbox; ``traceback`` holds the lines to show, user frames only."""

    kind = "raised"

    def __init__(self, message: str, traceback: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.traceback = traceback


class SandboxGone(SandboxError):
    """The sandbox stopped, crashed or was destroyed; the text says why and how to start again."""

    kind = "sandbox_gone"


class SandboxBusy(SandboxError):
    """The sandbox did not answer in time; it may be stuck in a callback."""

    kind = "sandbox_busy"


class ProtocolError(SandboxError):
    """Bytes or frames that the protocol does not allow."""

    kind = "protocol"


class LocalProtocolError(ProtocolError):
    """Our side tried something illegal: a bug of ours."""


class Unsendable(LocalProtocolError):
    """A frame that cannot be written, or that the other side could not read or would not take: it is not sent."""


class RemoteProtocolError(ProtocolError):
    """The other side sent something illegal: it is not trusted any further."""


class IsolationError(SandboxError):
    """The operating system did not give what isolation needs."""

    kind = "isolation"


class LaunchFailed(IsolationError):
    """A sandbox's OS process could not be started."""

    kind = "launch_failed"


class PreimportFailed(LaunchFailed):
    """A module that a flavour is to have imported cannot be; ``modules`` names which. ``missing``: there is none."""

    kind = "preimport_failed"

    def __init__(self, message: str, modules: tuple[str, ...] = (), *, missing: bool = False) -> None:
        super().__init__(message)
        self.modules, self.missing = modules, missing


class LimitExceeded(IsolationError):
    """A limit was reached; ``limit`` is process_limit, memory_limit or runtime_limit and so on."""

    kind = "limit_exceeded"

    def __init__(self, message: str, limit: str = "") -> None:
        super().__init__(message)
        self.limit = limit


class Unsupported(IsolationError):
    """This machine cannot do what was asked for explicitly."""

    kind = "unsupported"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One complaint about code: where (file, 1-based line and column) and what.

    ``file`` is the name the code was compiled under; for a cell that is the
    name IPython gave the cell, so a traceback and a diagnostic agree.
    """

    file: str
    line: int
    column: int
    text: str
    source_line: str = ""
    severity: str = "error"

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.text}"


class CompileError(SandboxError):
    """Code was refused. ``kind`` is the guide's: compilation_failed, compilation_error, load_error,
    git_clone_failed, repo_error, invalid_code_type."""

    def __init__(
        self, kind: str, message: str, diagnostics: tuple[Diagnostic, ...] = (), traceback: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message)
        self.kind, self.diagnostics, self.traceback = kind, diagnostics, traceback


class SnapshotError(SandboxError):
    """State that cannot be saved or restored; names the process and the value's type."""

    kind = "snapshot_failed"


class ReplayDivergence(SandboxError):
    """A replay did not do what the recording did."""

    kind = "replay_divergence"

    def __init__(self, step: int, expected: int, actual: int) -> None:
        super().__init__(
            f"the replay left the recording at step {step}: hash {actual:#x} instead of {expected:#x}. "
            "Code that reads something the journal does not hold (a file, a thread, the machine's clock through a "
            "library) does this; reach it through `await self.outside(...)`"
        )
        self.step, self.expected, self.actual = step, expected, actual


class InternalError(SandboxError):
    """A bug in jupyter_sandbox: please report it."""

    kind = "internal_error"


KINDS: dict[str, type[SandboxError]] = {
    cls.kind: cls
    for cls in (
        NoProcess, CallTimeout, CallExit, StartFailed, CodeRaised, SandboxGone, SandboxBusy, LaunchFailed,
        LimitExceeded, Unsupported, SnapshotError, InternalError,
    )
}  # fmt: skip
