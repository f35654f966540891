"""What nobody catches, in a thread, in ``__del__`` or in what the collector calls: printed as Python does it, without
lines of ours. It hangs on nobody, so it ends nothing and is told to nobody else.
"""

from __future__ import annotations

import _thread
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from ..model.text import short_text
from .tracebacks import error_lines

if TYPE_CHECKING:
    import threading
    from sys import UnraisableHookArgs


def tell_the_uncaught() -> None:
    """From now on, as long as the user's code sets no hooks of its own.

    Most guests never load ``threading``: it takes its hook from ``_thread`` when it is loaded.
    """
    sys.unraisablehook = _ignored
    _thread._excepthook = _in_thread
    if "threading" in sys.modules:
        sys.modules["threading"].excepthook = _in_thread  # type: ignore[attr-defined]


def _ignored(args: UnraisableHookArgs) -> None:
    _tell(f"{args.err_msg or 'Exception ignored in'}: {short_text(args.object, 200)}", args.exc_value)


def _in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_type is not SystemExit:
        name = "a thread" if args.thread is None else f"thread {args.thread.name}"
        _tell(f"Exception in {name}:", args.exc_value)


def _tell(head: str, error: BaseException | None) -> None:
    """The user's code may have put something of its own in place of the stream, or be broken while it is asked."""
    with suppress(BaseException):
        lines = [] if error is None else error_lines(error)
        sys.stderr.write("\n".join([head, *lines, ""]))
