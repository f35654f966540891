"""The one loop of a guest: waits for the kernel, for work done outside and for the next timer; lets the node run."""

from __future__ import annotations

import os
import selectors
import sys
from collections.abc import Callable
from contextlib import suppress

from ..wire.messages import Bring
from .channel import Channel
from .guest import Guest
from .interrupt import Heartbeat, Interrupter
from .last_words import LastWords

_MIN_WAIT_S = 0.0005
_MAX_WAIT_S = 3600.0
"""Linux takes no more than some weeks at once: who has a timer in a thousand years looks again."""


class Loop:
    """Drives a guest until its kernel is gone or it has been told to leave."""

    def __init__(self, guest: Guest, channel: Channel, heartbeat: Heartbeat) -> None:
        self.guest, self.channel = guest, channel
        self.at_leisure: Callable[[], None] | None = None
        """What is to be done once, when nothing is left to send."""
        self._interrupter = Interrupter(guest, heartbeat)
        self._last_words = LastWords(guest, heartbeat)
        self._selector = selectors.PollSelector()  # an epoll is not to be had in every profile
        self._wake_read, self._wake_write = os.pipe()
        for end in (self._wake_read, self._wake_write):
            os.set_blocking(end, False)
        self._selector.register(self._wake_read, selectors.EVENT_READ)
        self._selector.register(channel.socket, selectors.EVENT_READ)
        self._mask = selectors.EVENT_READ
        guest.wake = self._wake
        guest.on_move = self._interrupter.changes

    def run(self) -> None:
        """Until the end."""
        self._interrupter.install()
        self._last_words.install()
        idle = True
        deadline: int | None = None
        while not self.channel.ended and not (self.guest.leaving and not self.channel.has_output):
            self._wait(self._patience(idle, deadline))
            self._interrupter.begin()
            result = self.guest.turn()
            self._tell()
            self._interrupter.end()
            idle, deadline = result.idle, result.next_deadline_ms

    def _tell(self) -> None:
        """What has changed, and what was printed. A stream in place of ours, a profiler, or what the collector calls is
        code of the user's, which may hang and raise like any other."""
        with self.guest.aside:
            try:
                self.guest.watching.push_due()
            except MemoryError:
                raise
            except BaseException:  # whoever wants the OS process to end has a callback to say so in
                self.guest.watching.put_off()
            _flush_output()

    def _patience(self, idle: bool, deadline_ms: int | None) -> float | None:
        """Seconds until there is something to do without a request."""
        guest = self.guest
        waits = []
        if not guest.paused:
            if not idle:
                return 0.0
            if deadline_ms is not None and guest.clock.virtual:
                if not guest.outside_pending:
                    return 0.0
            elif deadline_ms is not None:
                waits.append(max(_MIN_WAIT_S, (deadline_ms - guest.now_ms()) / 1000))
        push_ns = guest.watching.next_ns()
        if push_ns is not None:
            waits.append(max(_MIN_WAIT_S, (push_ns - guest.read_ns()) / 1e9))
        if guest.pending.has_delayed:
            waits.append(0.02)
        return min(_MAX_WAIT_S, *waits) if waits else None

    def _wait(self, patience_s: float | None) -> None:
        if self.at_leisure is not None and not self.channel.has_output:
            leisure, self.at_leisure = self.at_leisure, None
            leisure()
        for key, events in self._ready(patience_s):
            if key.fd == self._wake_read:
                continue
            if events & selectors.EVENT_WRITE:
                self.channel.flush()
            if events & selectors.EVENT_READ:
                self._take_requests()

    def _ready(self, patience_s: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        """Code of the user's may close any file by its number: without one of these there is no going on."""
        try:
            self._listen()
            ready = self._selector.select(patience_s)
            if any(key.fd == self._wake_read for key, _ in ready):
                with suppress(BlockingIOError):
                    if not os.read(self._wake_read, 4096):  # it has ended, or is something else by now
                        self.channel.ended = True
        except OSError:
            self.channel.ended = True
            return []
        return ready

    def _take_requests(self) -> None:
        for request in self.channel.receive():
            if type(request) is Bring:  # it runs nothing of the user's, however long a large module is compiled
                self.guest.handle(request)
                continue
            self._interrupter.begin()
            self.guest.handle(request)
            self._interrupter.end()

    def _listen(self) -> None:
        """While the kernel is behind in reading, take no requests: their answers would pile up here."""
        mask = 0 if self.channel.congested else selectors.EVENT_READ
        if self.channel.has_output:
            mask |= selectors.EVENT_WRITE
        if mask != self._mask:
            self._selector.modify(self.channel.socket, mask)
            self._mask = mask

    def _wake(self) -> None:
        """From another thread: there is a result. A full pipe wakes as well."""
        with suppress(BlockingIOError, OSError):
            os.write(self._wake_write, b"\0")

    def close(self) -> None:
        """Let go of signals and files that code of the user's has not closed; the socket belongs to the channel."""
        self._interrupter.uninstall()
        self._last_words.uninstall()
        with suppress(OSError):
            self._selector.close()
        for end in (self._wake_read, self._wake_write):
            with suppress(OSError):
                os.close(end)


def _flush_output() -> None:
    """What a callback printed is shown now, not when a buffer is full."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(BaseException):  # user code may have replaced or closed it
            stream.flush()
