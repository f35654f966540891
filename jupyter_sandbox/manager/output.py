"""What a guest prints: a bounded tail, a budget per cell, and counts of what was dropped.

``OutputTail`` is pure; ``OutputPump`` reads a pipe on the manager's loop. It
always reads on, so that a guest that prints without end neither blocks nor
fills the kernel, and text is made harmless before anybody shows it.
"""

from __future__ import annotations

import asyncio
import codecs
import os
from collections.abc import Callable
from typing import Protocol, TypeVar

from ..isolation.system import is_ready
from ..model.harmless import visible
from .errands import Errand
from .stacks import StackSieve

T = TypeVar("T")

TAIL_BYTES = 64 * 1024
PIECE_BYTES = 64 * 1024
"""Made harmless and told at once: of certain marks a megabyte takes a third of a second, and others wait meanwhile."""
_Decoder = codecs.getincrementaldecoder("utf-8")
_READ = 1 << 16
_FLUSH_S = 0.05
_PIPE_READS = 32
"""At most, to have all that a pipe can hold."""
_TOLD_S, _LAST_S = 2.0, 0.5
"""How long somebody who is kept by the guest is waited for, and by whom it was killed a moment ago."""
_READS = 16
"""Between two flushes; who prints more waits. Bytes that are written one by one would else take a processor of the
kernel's, and its user's code would wait."""


class Send(Protocol):
    """Have something done elsewhere, and the result be given to ``done`` on the loop; None, if it failed."""

    def __call__(self, act: Callable[[], T], done: Callable[[T | None], None]) -> Errand[T]: ...


def harmless(text: str) -> str:
    """Text as it may be shown; of what is no letter line ends and tabs stay alone.

    >>> harmless("a\\x1b]0;title\\x07b")
    'a\\\\x1b]0;title\\\\x07b'
    """
    return visible(text.replace("\r\n", "\n"))


class OutputTail:
    """The newest 64 KB of one stream, and what of it a cell may still show.

    >>> tail = OutputTail(budget=4)
    >>> tail.feed(b"hello"), tail.take()
    (None, ('hell', 1))
    """

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.total = 0
        """Bytes ever printed."""
        self.cell = 0
        """Bytes that this cell has printed."""
        self._left = budget
        self._tail = bytearray()
        self._fresh = bytearray()
        self._dropped = 0
        self._mark, self._marked = b"", 0
        self.sieve = StackSieve()
        """What it keeps back is not shown and counts for no cell."""
        self._decoder = _Decoder("replace")

    def feed(self, data: bytes) -> None:
        """Bytes that arrived."""
        self.total += len(data)
        self._tail += data[-TAIL_BYTES:]
        if len(self._tail) > 2 * TAIL_BYTES:
            del self._tail[:-TAIL_BYTES]
        self._show(self.sieve.passed(data))

    def release(self) -> None:
        """Show what was kept back because more was to come, as far as it is to be shown."""
        self._show(self.sieve.rest())

    def _show(self, data: bytes) -> None:
        self.cell += len(data)
        shown = data[: self._left]
        self._fresh += shown
        self._left -= len(shown)
        self._dropped += len(data) - len(shown)

    def mark(self, stream: str, dropped: int) -> None:
        """Note on a line of its own that bytes are missing here; notes that follow each other become one."""
        if self._mark and self._tail.endswith(self._mark):
            del self._tail[-len(self._mark) :]
            self.total -= len(self._mark)
            dropped += self._marked
        elif self._tail and not self._tail.endswith(b"\n"):
            self.feed(b"\n")
        self._mark, self._marked = f"[{dropped} bytes of {stream} dropped]\n".encode(), dropped
        self.feed(self._mark)

    def spends(self, size: int, *, free: bool) -> bool:
        """Whether something that is no output but stands beside it may be shown: it takes its part of the budget."""
        if size > self._left and not free:
            return False
        self._left = max(0, self._left - size)
        return True

    def allow(self, budget: int) -> None:
        """This cell and those to come may show so much; what it has shown counts."""
        self._left = max(0, self._left + budget - self.budget)
        self.budget = budget

    def renew(self) -> None:
        """A new cell may print its share again."""
        self._left, self.cell = self.budget, 0

    @property
    def fresh(self) -> bool:
        """Whether there is anything new to show."""
        return bool(self._fresh or self._dropped)

    def take(self) -> tuple[str, int]:
        """Harmless text to show since the last time, or the next piece of it; with the last one bytes dropped since."""
        end = len(self._fresh)
        if end > PIECE_BYTES:
            end = self._fresh.rfind(b"\n", 0, PIECE_BYTES) + 1 or PIECE_BYTES
        text = self._decoder.decode(bytes(self._fresh[:end]))
        del self._fresh[:end]
        dropped = 0 if self._fresh else self._dropped
        self._dropped -= dropped
        return harmless(text), dropped

    def withhold(self, beginning: bytes) -> None:
        """Do not show what begins with the last of these words, if it has not been shown yet; it stays in the tail."""
        at = self._fresh.rfind(beginning)
        if at >= 0:
            self.cell -= len(self._fresh) - at
            del self._fresh[at:]

    def text(self, since: int = 0) -> str:
        """The tail as harmless text, from byte ``since`` of the whole stream on; says how much is missing before it."""
        tail = bytes(self._tail[-TAIL_BYTES:])
        first = self.total - len(tail)
        shown = harmless(tail[max(0, since - first) :].decode("utf-8", "replace"))
        missing = first - since
        return f"[{missing} bytes before this are not kept]\n{shown}" if missing > 0 else shown


class OutputPump:
    """Reads one pipe from ``begin`` until its end and tells ``on_text(text, dropped)`` at most 20 times a second.

    The pipe is its own from now on, and does not block. It is read by whoever ``send`` sends: a thread of the guest's
    that writes to it and waits meanwhile for a page of what it writes keeps everybody who reads.
    """

    def __init__(self, fd: int, budget: int, on_text: Callable[[str, int], None], send: Send) -> None:
        self.tail = OutputTail(budget)
        self.mute = False
        """While a guest replays, what it prints has been shown before."""
        self._fd, self._on_text, self._send = fd, on_text, send
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.Handle | None = None
        self._reads = 0
        self._errand: Errand[bytes | None] | None = None
        self._fetched = asyncio.Event()
        self._open = True

    # --- reading ---

    def begin(self) -> None:
        """Raises OSError when the operating system refuses to watch one more."""
        self._loop.add_reader(self._fd, self._readable)

    def _readable(self) -> None:
        """Have somebody take what is there."""
        self._loop.remove_reader(self._fd)
        self._fetched.clear()
        self._errand = self._send(self._read, self._have_read)

    def _read(self) -> bytes | None:
        """None when there is nothing; on another thread, and on this one when nobody writes any more."""
        try:
            return os.read(self._fd, _READ)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError:
            return b""

    def _have_read(self, data: bytes | None) -> None:
        self._errand = None
        self._fetched.set()
        if not self._open:
            self._give_back()
            return
        if data is not None:
            self._take(data)
        if self._open and self._reads < _READS:
            self._loop.add_reader(self._fd, self._readable)

    def _take(self, data: bytes) -> None:
        if not data:
            self._stop_reading()
            return
        self.tail.feed(data)
        if self._timer is None:
            self._timer = self._loop.call_later(_FLUSH_S, self.flush)
        self._reads += 1

    def _holds_more(self) -> bool:
        """Whether there is something to read, as far as that can be seen without a lock."""
        return self._open and is_ready(self._fd)

    # --- telling ---

    def flush(self) -> None:
        """Tell what has arrived by now: a piece in each turn of the loop."""
        self._put_off()
        self._tell()
        if self.tail.fresh:
            self._timer = self._loop.call_soon(self.flush)
            return
        if self._reads >= _READS and self._open and self._errand is None:
            self._loop.add_reader(self._fd, self._readable)
        self._reads = 0

    def _tell(self) -> None:
        if self.tail.fresh:
            text, dropped = self.tail.take()
            if (text or dropped) and not self.mute:
                self._on_text(text, dropped)

    async def told(self) -> None:
        """Tell all that the pipe holds by now, but never more than a pipe can hold; others have their turn meanwhile.
        Of who keeps those that read, what has arrived."""
        for _ in range(_PIPE_READS):
            if self._errand is None:
                if not self._holds_more():
                    break
                self._readable()
            try:
                async with asyncio.timeout(_TOLD_S):
                    await self._fetched.wait()
            except TimeoutError:
                break
        self.tail.release()
        while self.tail.fresh:
            self._tell()
            await asyncio.sleep(0)
        self.flush()

    def drain(self) -> None:
        """Tell all that the pipe holds, at once: when who wrote to it has ended, or is about to."""
        self.read()
        self.tail.release()
        while self.tail.fresh:
            self._tell()
        self.flush()

    def read(self) -> None:
        """Like ``drain``, for who tells it later."""
        if self._errand is not None and not self._errand.await_it(_LAST_S):
            return
        for _ in range(_PIPE_READS):
            if not self._holds_more() or (data := self._read()) is None:
                break
            self._take(data)

    async def restart(self) -> None:
        """What was printed up to now is nobody's news, and counts for no cell's share."""
        await self.told()
        self.tail.renew()
        self.mute = False

    # --- the end ---

    def fileno(self) -> int:
        """The pipe, -1 when it has been closed."""
        return self._fd

    def close(self) -> None:
        """Stop reading and close the pipe, as soon as nobody reads from it any more. Idempotent."""
        self._stop_reading()
        self._put_off()
        if self._errand is None:
            self._give_back()

    def _give_back(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def _put_off(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _stop_reading(self) -> None:
        if self._open:
            self._open = False
            self._loop.remove_reader(self._fd)
