"""How long a supervisor waits before it restarts a child. Beyond OTP: off unless a child asks for it. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from ..model.given import LONGEST_WAIT_MS


class Backoff(msgspec.Struct, frozen=True):
    """Delays that grow with every restart in a row: ``Child(Client, backoff=Backoff(100, 2, 5_000))``.

    **Not in OTP**, where a restart is immediate. The first restart waits
    ``first_ms`` milliseconds, each further one ``factor`` times as long, none
    longer than ``max_ms``. A child that ran for more than ``max_ms`` (counted in
    whole seconds) begins anew with ``first_ms``. The restart counts against the
    supervisor's intensity when the child exits, not when it is started.

    >>> [Backoff(100, 2, 500).delay_ms(attempt) for attempt in (1, 2, 3, 4, 400)]
    [100, 200, 400, 500, 500]
    """

    first_ms: int = 100
    factor: float = 2
    max_ms: int = 30_000

    def delay_ms(self, attempt: int) -> int:
        """The delay before this restart in a row, counted from 1."""
        delay: float = self.first_ms
        for _ in range(attempt - 1 if self.factor > 1 and delay > 0 else 0):
            delay *= self.factor
            if delay >= self.max_ms:
                break
        return int(min(delay, self.max_ms))


def is_good(value: Any) -> bool:
    """Whether a child specification may have this as its ``backoff``."""
    if value is None:
        return True
    if not isinstance(value, Backoff):
        return False
    whole = all(type(number) is int for number in (value.first_ms, value.max_ms))
    in_order = 0 <= value.first_ms <= value.max_ms <= LONGEST_WAIT_MS if whole else False
    return in_order and type(value.factor) in (int, float) and value.factor >= 1
