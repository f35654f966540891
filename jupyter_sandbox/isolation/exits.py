"""How an OS process ended: with a code or by a signal."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from typing import Final

FAILED_BEFORE_ENTRY: Final = 70
"""sysexits' EX_SOFTWARE: an exception ended the OS process before it was a guest."""
CRASHED: Final = 71
"""An exception ended a guest, which has printed it."""
PROTOCOL: Final = 76
"""sysexits' EX_PROTOCOL: the kernel sent a guest what it must not."""
NO_CHANNEL: Final = 74
"""sysexits' EX_IOERR: the channel of a guest was closed, by the kernel or by code that closes what it did not open."""


@dataclass(frozen=True, slots=True)
class ExitStatus:
    """Exactly one of ``code`` and ``signal`` is set.

    >>> str(ExitStatus(code=3)), str(ExitStatus(signal=11))
    ('exit 3', 'signal 11 (SIGSEGV)')
    """

    code: int | None = None
    signal: int | None = None

    @classmethod
    def of_wait(cls, status: int) -> ExitStatus:
        """From the status word of ``waitpid``."""
        code = os.waitstatus_to_exitcode(status)
        return cls(code=code) if code >= 0 else cls(signal=-code)

    def __str__(self) -> str:
        if self.signal is None:
            return f"exit {self.code}"
        try:
            name = signal.Signals(self.signal).name
        except ValueError:  # real-time signals have no names
            return f"signal {self.signal}"
        return f"signal {self.signal} ({name})"

    @property
    def by_processor_time(self) -> bool:
        """Whether it ended by the signal of who has used more processor time than it may.

        >>> ExitStatus(signal=24).by_processor_time, ExitStatus(signal=9).by_processor_time
        (True, False)
        """
        return self.signal is not None and self.signal == getattr(signal, "SIGXCPU", None)

    @property
    def text(self) -> str:
        """The same as ``str``."""
        return str(self)
