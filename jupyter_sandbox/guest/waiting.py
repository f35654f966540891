"""Where epoll(7) is refused, Python has none: asyncio and others wait by poll(2) then, as they do on other systems."""

from __future__ import annotations

import errno
import select
import selectors
from typing import NoReturn


class _Refused:
    """In the place of ``select.epoll``, for who asks for it by name."""

    def __new__(cls, *args: object, **options: object) -> NoReturn:
        raise PermissionError(
            errno.EPERM,
            "there is no epoll in this sandbox: its watches are counted for the user as a whole. Use select.poll or "
            "selectors.DefaultSelector, or create the sandbox with --subprocess",
        )


def hide_epoll() -> None:
    """For good: call it in an OS process where the call is refused."""
    if hasattr(select, "epoll"):
        select.epoll = _Refused  # type: ignore[assignment,misc]
        vars(selectors)["DefaultSelector"] = selectors.PollSelector
