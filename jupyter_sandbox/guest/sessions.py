"""Where no session can be begun, who asks Python for one is told so: Linux says no more than that it is not permitted.

It refuses below, so whoever gets around the words has the same error without them.
"""

from __future__ import annotations

import errno
import functools
import os
from typing import Any, NoReturn

_WORDS = (
    "programs of a sandbox cannot begin sessions; leave out start_new_session, and where their group is wanted, to end "
    "them together, give process_group=0 (from Linux 6.12 on)"
)


def _refuse() -> NoReturn:
    raise PermissionError(errno.EPERM, _WORDS)


def explain_sessions() -> None:
    """For good: call it in an OS process where the call is refused."""
    import subprocess  # only those need it that may start programs

    popen: Any = subprocess.Popen
    begin = popen.__init__

    @functools.wraps(begin)
    def told(self: object, *args: Any, **options: Any) -> None:
        if options.get("start_new_session"):
            _refuse()
        begin(self, *args, **options)

    popen.__init__ = told
    os.setsid = _refuse
