"""How the OS process of a guest ended, in words: from its status and what it left behind. Pure.

All but the status are claims of the guest: bounded, and without control characters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ..isolation.exits import CRASHED, FAILED_BEFORE_ENTRY, NO_CHANNEL, PROTOCOL, ExitStatus
from ..model.harmless import visible
from .stacks import FAULT, stack_in

CLOSED_CHANNEL = "it closed its channel; let its code close only files that it opened"
"""Why nobody can ask a guest any more, whether it has ended or lives on."""
_OWN: Final[Mapping[int, str]] = {
    FAILED_BEFORE_ENTRY: "it could not be made ready",
    CRASHED: "an exception that nobody caught ended it",
    NO_CHANNEL: CLOSED_CHANNEL,
    PROTOCOL: "it was sent something that it cannot read; please report it",
}
"""What the codes mean that a guest itself ends with."""


@dataclass(frozen=True, slots=True)
class Left:
    """What a guest left behind: on its heartbeat page, and as the end of its stderr."""

    words: str = ""
    """Which call of its own ended it, in whose callback."""
    busy: bool = False
    """Whether code of the user's could run."""
    name: str = ""
    """Whose callback ran, when it had run for a twentieth of a second: sooner nobody writes it down."""
    stderr: str = ""

    @property
    def fault(self) -> str:
        """What the fault handler wrote, if it did."""
        _, found, after = self.stderr.rpartition(FAULT)
        return f"{FAULT}{after}" if found else ""


def in_words(status: ExitStatus, left: Left) -> str:
    """The status, by whom, and where.

    >>> in_words(ExitStatus(signal=11), Left(busy=True, name="cart <0.7.0>"))
    'signal 11 (SIGSEGV) in a callback of cart <0.7.0>'
    >>> in_words(ExitStatus(signal=9), Left())
    'signal 9 (SIGKILL) while no callback ran'
    """
    text = str(status)
    if status.by_processor_time:
        text += ": more processor time than max_runtime allows"
    if left.words:
        return f"{text}: {visible(left.words)}"
    if status.code is not None:
        return text + _meant(status.code, left.stderr)
    where = stack_in(left.fault) if left.fault else []
    return f"{text} {_whose(left)}" + (f", at {where[0]}" if where else "")


def _whose(left: Left) -> str:
    if not left.busy:
        return "while no callback ran"
    return f"in a callback of {visible(left.name)}" if left.name else "in a callback"


def _meant(code: int, stderr: str) -> str:
    """Nothing of a code that is none of a guest's own: whatever it means, it means to the code that chose it."""
    raised = _raised(stderr) if code in (FAILED_BEFORE_ENTRY, CRASHED) else ""
    return raised or (f": {_OWN[code]}" if code in _OWN else "")


def _raised(stderr: str) -> str:
    """The exception that ended an interpreter: below its frames, which are indented, and above what came after it."""
    _, _, after = stderr.rpartition("Traceback (most recent call last):\n")
    lines = after.split("\n") if after != stderr else []  # splitlines would divide a message where nobody sees an end
    raised = next((line for line in lines if line and not line.startswith(" ")), "")
    return f" ({visible(raised[:200])})" if raised else ""
