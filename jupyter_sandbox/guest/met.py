"""Which limit of the operating system an error of Python's means, and what to say of it."""

from __future__ import annotations

import errno
import resource
from typing import Final

from ..model.limits import FILE_SIZE

NO_MEMORY: Final = (
    "there was no memory left to load the code; nothing was loaded. Give the sandbox more: "
    "%sandbox limits NAME --max-memory SIZE"
)

_NO_THREAD: Final = "can't start new thread"
"""What Python says when there is no room for the stack of one: more threads than may be end the sandbox."""


def limit_met(error: str, text: str, sandbox: str) -> tuple[str, str] | None:
    """The limit and the words, by the name of an error and what it says.

    >>> limit_met("OSError", "[Errno 27] File too large", "shop")
    ('file_limit', 'a file of the sandbox may have 16 MB: write several')
    """
    more = f"`%sandbox limits {sandbox} --max-memory SIZE` lets the sandbox have more"
    if error == "MemoryError":
        return "memory_limit", f"it needed more memory than max_memory leaves; {more}"
    if error == "RuntimeError" and text.startswith(_NO_THREAD):
        return "memory_limit", f"it had no memory left for another thread; {more}"
    if error == "OSError" and text.startswith(f"[Errno {errno.EMFILE}]"):
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]  # not every profile has the same
        return "files_limit", f"the sandbox may have {most} files open: close some"
    if error == "OSError" and text.startswith(f"[Errno {errno.EFBIG}]"):
        return "file_limit", f"a file of the sandbox may have {FILE_SIZE // 1_000_000} MB: write several"
    return None
