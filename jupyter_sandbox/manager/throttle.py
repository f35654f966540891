"""How often a guest's alerts and notices are passed on: what comes faster is counted, and told with the next one. Pure.

An honest guest raises each alert once a second at most and tells fifty notices in it. Whoever writes on the channel by
itself could fill a notebook in this way, past ``max_output``.
"""

from __future__ import annotations

from typing import Final

from ..model.bucket import TokenBucket

KINDS: Final = frozenset({"process_limit", "mailbox_limit", "memory_limit", "files_limit", "file_limit"})
"""What a guest raises alerts about. All others are of one kind: there are as many as somebody can make up."""
AGAIN_S: Final = 5.0
"""After which an alert of the same kind is told anew."""
NOTICES, NOTICES_PER_SECOND = 4_000_000, 250_000
"""Characters at once, and in each second; fifty crashes with their tracebacks are about a hundred thousand."""


class Alerts:
    """Of one guest and one cell.

    >>> alerts = Alerts()
    >>> alerts.passed("mailbox_limit", "over", 1.0), alerts.passed("mailbox_limit", "over", 2.0)
    ('over', None)
    >>> alerts.passed("mailbox_limit", "over", 7.0)
    'over (and 1 more like it)'
    """

    def __init__(self) -> None:
        self._told: dict[str, float] = {}
        self._more: dict[str, int] = {}

    def passed(self, limit: str, message: str, now: float) -> str | None:
        """What to say now, if anything."""
        kind = limit if limit in KINDS else ""
        if now - self._told.get(kind, float("-inf")) < AGAIN_S:
            self._more[kind] = self._more.get(kind, 0) + 1
            return None
        self._told[kind] = now
        more = self._more.pop(kind, 0)
        return f"{message} (and {more} more like it)" if more else message


class Notices:
    """How many characters of notices may still come.

    >>> notices = Notices()
    >>> notices.passed(3_999_999, 1.0), notices.passed(9, 1.0), notices.passed(9, 1.0), notices.passed(9, 2.0)
    (0, None, None, 2)
    """

    def __init__(self) -> None:
        self._bucket, self._more = TokenBucket.full(NOTICES, NOTICES_PER_SECOND), 0

    def passed(self, size: int, now: float) -> int | None:
        """How many were left out before this one, which may be told; None when it is left out, too."""
        after = self._bucket.spent(size, now)
        if after.overdrawn:
            self._more += 1
            return None
        self._bucket = after
        more, self._more = self._more, 0
        return more
