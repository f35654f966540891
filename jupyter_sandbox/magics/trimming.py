"""Errors of the Python API point at the user's own line: the frames of this package below it are left out.

A bug of ours keeps all of them. Uses IPython's one place for such handlers
only while nobody else does, and leaves it empty again.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any

from ..model.errors import InternalError, SandboxError

_OURS = __name__.partition(".")[0]


class Trimming:
    """Attached to one shell."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._attached = False

    def attach(self) -> None:
        """Show our errors from now on, unless somebody handles errors already."""
        if not self._shell.custom_exceptions:
            self._shell.set_custom_exc((SandboxError,), _show)
            self._attached = True

    def detach(self) -> None:
        """Leave the place as it was found."""
        if self._attached and self._shell.custom_exceptions == (SandboxError,):
            self._shell.set_custom_exc((), None)
        self._attached = False


def _show(
    shell: Any, kind: type[BaseException], error: BaseException, tb: TracebackType, tb_offset: Any = None
) -> None:
    if not isinstance(error, InternalError):
        trim(tb)
    shell.showtraceback((kind, error, tb), tb_offset=tb_offset, running_compiled_code=True)


def trim(tb: TracebackType) -> None:
    """Cut a traceback below the line that called into this package.

    An error is raised where we wait for an answer, so below the first frame of
    ours there is nothing of the user's.
    """
    here = tb
    while here.tb_next is not None:
        if not _is_ours(here) and _is_ours(here.tb_next):
            here.tb_next = None
            return
        here = here.tb_next


def _is_ours(tb: TracebackType) -> bool:
    return str(tb.tb_frame.f_globals.get("__name__", "")).partition(".")[0] == _OURS
