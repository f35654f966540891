"""Where messages with files in them are refused, sockets say that they cannot: asyncio then does without.

From Python 3.12 on asyncio asks sockets whether they can, and would take a refusal for the end of its connection.
"""

from __future__ import annotations

import socket
import sys
from typing import NoReturn


class _Absent:
    """Not there, for ``hasattr`` too."""

    def __get__(self, instance: object, owner: type) -> NoReturn:
        raise AttributeError(
            "sockets have no sendmsg in this sandbox: files could travel with it, uncounted. Use send, "
            "or create the sandbox with --net or --subprocess"
        )


def hide_sendmsg() -> None:
    """For good: call it in an OS process where the call is refused."""
    socket.socket.sendmsg = _Absent()  # type: ignore[assignment,method-assign]
    events = sys.modules.get("asyncio.selector_events")
    if getattr(events, "_HAS_SENDMSG", False):  # imported before, by the flavour
        vars(events)["_HAS_SENDMSG"] = False
