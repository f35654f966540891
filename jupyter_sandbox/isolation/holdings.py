"""What a guest holds of disk, open files and threads, seen from outside: also files that it deleted and keeps.

Looks and counts, decides nothing. A guest changes things meanwhile: no link is
followed, and what there is too much of to be looked at is said.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

from ..model.limits import MANY_FILES, OPEN_FILES, WAITED_FILES, Holdings
from . import waited_for
from .connections import Connections
from .kept_files import KeptFiles, listed
from .programs_kept import Programs, threads_of
from .scratch import folder_use
from .shortage import NO_FILES
from .system import LINUX

_KEPT_EVERY = 3
"""Looks between two looks at open files and memory maps: each costs several times what the folder does, and what can be
taken meanwhile is bounded by files that are open."""


class HoldingsMeter:
    """Looks at one guest again and again. ``folder`` is its own. Any thread may look; what is to come after the last
    look waits for one that still goes on, and nobody waits for that."""

    def __init__(self, folder: str) -> None:
        self._at_it = threading.Lock()
        self._afterwards: list[Callable[[], None]] = []
        self._over = False
        self._folder = folder
        self._kept = KeptFiles(folder)
        self._programs = Programs(folder)
        self.connections = Connections()
        self._open_files = self._waited = self._watches = 0
        self._restless = waited_for.Restless()
        self.may_hide = False
        """Whether more files than may be could be waited for by threads that nobody sees waiting."""
        self._looks = 0
        self._may_look = False
        self._seen = Holdings()

    def begin(self, pid: int) -> None:
        """Before it runs code of a user: whether Linux lets us look at its open files at all. Who keeps us from that
        later did something for it."""
        with suppress(OSError):
            self._may_look = bool(listed(f"/proc/{pid}/fd")) if LINUX else False

    def look(
        self, pid: int, most_files: int, *, everything: bool = False, alone: bool = True, filtered: bool = True
    ) -> Holdings:
        """What it holds now; stops counting files above ``most_files``. Only ``everything`` leaves nothing out.
        Who is not ``alone`` may have programs, whose threads and deleted files count too; who is not ``filtered``
        threads with files of their own.

        What it held when last looked at, when the kernel has too many files open to look.
        """
        try:
            with self._at_it:
                if not self._over:
                    self._seen = self._look(pid, most_files, everything, alone, filtered)
        except OSError as error:
            if error.errno not in NO_FILES:
                raise
        finally:
            self._do_rest()
        return self._seen

    def folder(self, most_files: int) -> Holdings:
        """Of its folder alone, while another thread is kept that looks at more."""
        disk, files, largest, deep = folder_use(self._folder, most_files)
        return Holdings(disk, files, largest=largest, unseen="depth" if deep else "")

    def end(self, afterwards: Callable[[], None] | None = None) -> None:
        """Look no more; then do that. Idempotent."""
        self._over = True
        self._afterwards += [self.connections.close] if afterwards is None else [afterwards, self.connections.close]
        self._do_rest()

    def _do_rest(self) -> None:
        while self._afterwards and self._at_it.acquire(blocking=False):
            try:
                while self._afterwards:
                    self._afterwards.pop(0)()
            finally:
                self._at_it.release()

    def _look(self, pid: int, most_files: int, everything: bool, alone: bool, filtered: bool) -> Holdings:
        own = self.folder(most_files)
        if not LINUX:
            return own
        kept, programs = self._kept, self._programs
        if not alone:
            programs.look(pid, filtered=filtered)
        if everything or self._looks % _KEPT_EVERY == 0:
            self._look_at_open(pid, filtered, everything)
            self.may_hide = alone and self._waited + OPEN_FILES * self._restless.look(pid) > WAITED_FILES
        most_waited = WAITED_FILES if alone else MANY_FILES
        waited = self._waited if self._waited > most_waited else 0  # most of what is waited for is open as well
        self._looks += 1
        hidden = kept.hidden | programs.hidden
        unseen = own.unseen or self._unseen(filtered)
        return Holdings(
            own.disk + sum(hidden.values()), own.files + len(hidden), self._open_files,
            threads_of(pid) + programs.threads, own.largest, programs.count, waited, most_waited,
            self._watches + programs.watches, unseen,
        )  # fmt: skip

    def _unseen(self, filtered: bool) -> str:
        """Programs that nobody may look into count where the guest is kept from others as well: else some of them are
        so for good reasons, as ``ssh-agent``."""
        kept, programs = self._kept, self._programs
        if self._may_look and (kept.closed or (filtered and programs.closed)):
            return "closed"
        return "" if kept.all_seen and programs.all_seen else "maps"

    def _look_at_open(self, pid: int, filtered: bool, everything: bool) -> None:
        self._kept.look(pid, filtered=filtered, everything=everything)
        self.connections.look(self._kept.connections | self._programs.connections)
        own = waited_for.look(pid)
        self._open_files = self._kept.open_files
        self._waited = own.files + self._programs.waited
        self._watches = self._kept.watches + self._kept.watches_of_closed(own)
