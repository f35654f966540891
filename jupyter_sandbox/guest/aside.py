"""Code of the user's that runs for a request while no process does: how a state is saved, or an argument opened.

Like a callback it can be told and interrupted; what it costs is the request.
"""

from __future__ import annotations

from types import TracebackType


class HandlerTimeout(BaseException):
    """A callback ran longer than ``handler_budget``, or the top level of a module longer than it may.

    No Exception, so that ``except Exception`` does not hide it.
    """


class Aside:
    """``with guest.aside:`` stands around what may run such code, and around nothing that must not stop half way.

    >>> aside = Aside()
    >>> with aside:
    ...     aside.number
    1
    >>> aside.number
    0
    """

    def __init__(self) -> None:
        self.number = 0
        """Its own for each piece of work, 0 while there is none."""
        self._begun = 0

    def __enter__(self) -> None:
        self._begun += 1
        self.number = self._begun

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.number = 0
