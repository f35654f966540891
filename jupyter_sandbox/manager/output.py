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

from ..model.harmless import visible

TAIL_BYTES = 64 * 1024
PIECE_BYTES = 64 * 1024
"""Made harmless and told at once: of certain marks a megabyte takes a third of a second, and others wait meanwhile."""
_Decoder = codecs.getincrementaldecoder("utf-8")
_READ = 1 << 16
_FLUSH_S = 0.05
_READS = 16
"""Between two flushes; who prints more waits. Bytes that are written one by one would else take a processor of the
kernel's, and its user's code would wait."""


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
        self._decoder = _Decoder("replace")

    def feed(self, data: bytes) -> None:
        """Bytes that arrived."""
        self.total += len(data)
        self.cell += len(data)
        self._tail += data[-TAIL_BYTES:]
        if len(self._tail) > 2 * TAIL_BYTES:
            del self._tail[:-TAIL_BYTES]
        shown = data[: self._left]
        self._fresh += shown
        self._left -= len(shown)
        self._dropped += len(data) - len(shown)

    def mark(self, stream: str, dropped: int) -> None:
        """Note that bytes are missing here; notes that follow each other become one."""
        if self._mark and self._tail.endswith(self._mark):
            del self._tail[-len(self._mark) :]
            self.total -= len(self._mark)
            dropped += self._marked
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
    """Reads one pipe until its end and tells ``on_text(text, dropped)`` at most 20 times a second."""

    def __init__(self, fd: int, budget: int, on_text: Callable[[str, int], None]) -> None:
        self.tail = OutputTail(budget)
        self.mute = False
        """While a guest replays, what it prints has been shown before."""
        self._fd, self._on_text = fd, on_text
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.Handle | None = None
        self._reads = 0
        self._open = True
        if os.get_blocking(fd):  # unlike setting, which lets other threads go first, asking costs next to nothing
            os.set_blocking(fd, False)
        self._loop.add_reader(fd, self._readable)

    def _readable(self) -> bool:
        """Take what is there; whether there may be more."""
        try:
            data = os.read(self._fd, _READ)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            data = b""
        if not data:
            self._stop_reading()
            return False
        self.tail.feed(data)
        if self._timer is None:
            self._timer = self._loop.call_later(_FLUSH_S, self.flush)
        self._reads += 1
        if self._reads == _READS:
            self._loop.remove_reader(self._fd)
        return True

    def flush(self) -> None:
        """Tell what has arrived by now: a piece in each turn of the loop."""
        self._put_off()
        self._tell()
        if self.tail.fresh:
            self._timer = self._loop.call_soon(self.flush)
            return
        if self._reads >= _READS and self._open:
            self._loop.add_reader(self._fd, self._readable)
        self._reads = 0

    def _tell(self) -> None:
        if self.tail.fresh:
            text, dropped = self.tail.take()
            if (text or dropped) and not self.mute:
                self._on_text(text, dropped)

    def drain(self) -> None:
        """Read what the pipe still holds (the writer is gone or stopped), but never more than a pipe can hold, and tell
        all of it."""
        self.read()
        while self.tail.fresh:
            self._tell()
        self.flush()

    async def told(self) -> None:
        """Like ``drain``, and others have their turn meanwhile."""
        self.read()
        while self.tail.fresh:
            self._tell()
            await asyncio.sleep(0)
        self.flush()

    def read(self) -> None:
        """Like ``drain``, for who tells it later."""
        for _ in range(32):
            if not self._open or not self._readable():
                break

    def restart(self) -> None:
        """What was printed up to now is nobody's news, and counts for no cell's share."""
        self.drain()
        self.tail.renew()
        self.mute = False

    def close(self) -> None:
        """Stop reading; the pipe itself belongs to the guest's process object. Idempotent."""
        self._stop_reading()
        self._put_off()

    def _put_off(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _stop_reading(self) -> None:
        if self._open:
            self._open = False
            self._loop.remove_reader(self._fd)
