"""The kernel's end of one guest's channel: requests with their answers, and everything the guest pushes.

Frames are typed data; a guest that sends anything else has broken the
protocol and is not listened to any further. Neither side can flood the other:
reading pauses when a guest sends too much or makes too much work, long work is
done in turns with that of others, writing has a deadline, and so has a frame
that was begun.
"""

from __future__ import annotations

import asyncio
import math
import socket
import time
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar, cast

from ..isolation.channel_pair import FilesSent
from ..model.bucket import TokenBucket
from ..model.errors import (
    InternalError,
    LocalProtocolError,
    RemoteProtocolError,
    SandboxBusy,
    SandboxGone,
    Unsendable,
    UsageError,
)  # fmt: skip
from ..wire.connection import Connection, Frame
from ..wire.legality import ConnectionState
from ..wire.messages import (
    Alert,
    Answer,
    Failed,
    KernelFrame,
    MainExited,
    Notice,
    Pushed,
    Ready,
    Request,
    Sample,
    TreeChanged,
)  # fmt: skip
from .answers import error_of
from .begun import LOOK_S, LOOKS, Begun
from .news import AT_ONCE, PER_SECOND
from .reading import reading_of
from .weight import weight

__all__ = ["GuestLink", "Pushed"]

A = TypeVar("A", bound=Answer)
WRITE_HIGH_BYTES = 1 << 20
WRITE_DEADLINE_S = 5.0
READ_SHARE_BYTES = 4 << 20
READ_BYTES_PER_SECOND = 10 * READ_SHARE_BYTES
"""What one guest may send at once, and in each second, before it has to wait: a flood costs the kernel a bounded share.
"""
FRAME_COST_BYTES = 4096
"""What a frame counts for beside its bytes: many small ones cost the kernel as much as a few large ones."""
WORK_COST_BYTES = 160 << 20
"""What a second of the thread's work counts for: whoever makes long work of few bytes has a quarter of it at most."""
TURN_S = 0.005
"""How long frames of one guest are taken before it is the turn of others."""
LONG_BYTES, LONGEST_S = 64 * 1024, 0.05
"""Of who sends fewer no more work counts than that at a time: where it takes longer, Python's collector has run."""
REST_BYTES, REST_S = 1 << 20, 0.1
"""Of what a guest said last that is read when it has ended, and how long it is dealt with: a second of news."""
BEGIN_S = 0.005
"""How long a spare is left asleep after it has become a sandbox: usually its first request comes at once."""
LOST, BROKEN, ENDING = "its channel was closed", "it broke the protocol", "it is being destroyed"


class GuestLink(asyncio.BufferedProtocol):
    """One guest's channel.

    ``on_push`` gets unasked frames, ``on_broken`` the text of a protocol
    violation, ``on_lost`` is told when the guest's end closed. ``at_work`` says
    whether the guest runs a callback: meanwhile it writes nothing, and
    ``handler_budget`` is what ends it.
    """

    def __init__(
        self, on_push: Callable[[Pushed], None], on_broken: Callable[[str], None], on_lost: Callable[[], None],
        at_work: Callable[[], bool] = lambda: False,
    ) -> None:  # fmt: skip
        self._on_push, self._on_broken, self._on_lost, self._at_work = on_push, on_broken, on_lost, at_work
        self._connection = Connection("kernel")
        self.name = ""
        """Of the sandbox, for errors in which it speaks."""
        self._loop = asyncio.get_running_loop()
        self._reading = reading_of(self._loop)
        self._arriving = self._reading.place
        self._transport: asyncio.Transport | None = None
        self._socket: socket.socket | None = None
        self._answers: dict[int, asyncio.Future[Answer]] = {}
        self._accompanied: set[int] = set()
        """Requests of which a sample has come before their answer."""
        self._beginning = 0
        self._early = b""
        self._next_id = 1
        self._why_gone = ""
        self._writable = asyncio.Event()
        self._writable.set()
        self._share = TokenBucket.full(READ_SHARE_BYTES, READ_BYTES_PER_SECOND)
        self._untaken: deque[Frame] = deque()
        self._next_turn: asyncio.Handle | None = None
        self._begun: Begun | None = None
        self._look: asyncio.TimerHandle | None = None
        self._pace = TokenBucket.full(AT_ONCE, PER_SECOND)
        self._least_left = self._pace.left
        self.heard = 0
        """How often something came from it."""
        self.ready: asyncio.Future[Ready] = self._loop.create_future()

    async def open(self, control: socket.socket) -> None:
        """Take over the socket."""
        self._socket = control
        await self._loop.create_unix_connection(lambda: self, sock=control)

    def close(self, why: str) -> None:
        """Close the channel; whoever still waits gets SandboxGone with ``why``. Idempotent."""
        if not self._why_gone:
            self._why_gone = why
        for timer in (self._next_turn, self._look):
            if timer is not None:
                timer.cancel()
        self._next_turn = self._look = None
        self._untaken.clear()
        self._reading.behind.discard(self)
        if self._transport is not None:
            self._transport.abort()
        waits: list[asyncio.Future[Any]] = [*self._answers.values(), self.ready]
        for waiting in waits:
            if not waiting.done():
                waiting.set_exception(SandboxGone(self._why_gone))
                waiting.exception()  # seen: nobody may be waiting any more
        self._answers.clear()
        self._writable.set()

    # --- asking -----------------------------------------------------------------------------------------------------

    async def ask(self, make: Callable[[int], Request], answer: type[A], timeout_s: float | None) -> A:
        """Send what ``make(id)`` builds and wait for its answer of the given type.

        Raises the error that the guest answers with, SandboxBusy after
        ``timeout_s`` or when it does not read, SandboxGone when the guest ends first,
        UsageError when the guest could not read it: it is not sent then.
        """
        until = None if timeout_s is None else self._loop.time() + timeout_s
        await self._drain(timeout_s)
        given = await self._answer(make, until, timeout_s)
        if isinstance(given, Failed):
            raise error_of(given, self.name)
        if not isinstance(given, answer):
            self._broken(f"{type(given).__name__} instead of {answer.__name__}")
            raise SandboxGone(self._why_gone)
        return given

    async def _answer(self, make: Callable[[int], Request], until: float | None, timeout_s: float | None) -> Answer:
        """Nothing is cancelled when patience ends: a kernel that was stopped finds that and the answer in one look."""
        waiting: asyncio.Future[Answer] = self._loop.create_future()
        number, self._next_id = self._next_id, self._next_id + 1
        self._answers[number] = waiting
        timer = None if until is None else self._loop.call_at(until, _give_up, waiting, timeout_s)
        try:
            self._write(make(number))
            return await waiting
        finally:
            self._answers.pop(number, None)
            self._accompanied.discard(number)
            if timer is not None:
                timer.cancel()

    def tell(self, make: Callable[[int], Request]) -> None:
        """Send a request whose answer nobody needs."""
        number, self._next_id = self._next_id, self._next_id + 1
        self._write(make(number))

    def begin(self, make: Callable[[int], Request]) -> None:
        """Send what has to come before anything else, together with the first request, or in a moment.

        Together, because waking a guest twice takes longer than what it then does. A guest that refuses is not
        listened to any more.
        """
        number, self._next_id = self._next_id, self._next_id + 1
        self._beginning = number
        self._early = self._encoded(make(number))
        self._loop.call_later(BEGIN_S, self._send_early)

    def _send_early(self) -> None:
        early, self._early = self._early, b""
        if early and self._transport is not None and not self._why_gone:
            self._transport.write(early)

    def _write(self, frame: Request) -> None:
        data = self._encoded(frame)
        early, self._early = self._early, b""
        cast("asyncio.Transport", self._transport).write(early + data if early else data)

    def _encoded(self, frame: Request) -> bytes:
        if self._why_gone or self._transport is None:
            raise SandboxGone(self._why_gone or "its channel is not open")
        try:
            return self._connection.send(cast("KernelFrame", frame))
        except Unsendable as error:
            raise UsageError(f"what was asked cannot be sent into a sandbox: {error}") from None
        except LocalProtocolError as error:
            if self._connection.state is ConnectionState.STOPPING:  # who destroys it has sent the last there is to say
                raise SandboxGone(ENDING) from None
            raise InternalError(f"{error}; please report it") from error

    async def _drain(self, timeout_s: float | None) -> None:
        """Wait until what was sent before is read, all but a little: of a deaf guest's no more than one frame waits."""
        if self._writable.is_set():
            return
        in_a_hurry = timeout_s is not None and timeout_s < WRITE_DEADLINE_S
        try:
            async with asyncio.timeout(timeout_s if in_a_hurry else WRITE_DEADLINE_S):
                while not self._writable.is_set():  # of many that wait, the first one's frame may fill it again
                    await self._writable.wait()
        except TimeoutError:
            raise SandboxBusy(_too_late(timeout_s) if in_a_hurry else "it does not read what it is sent") from None

    # --- asyncio's side ---------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=WRITE_HIGH_BYTES)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def read_rest(self) -> None:
        """Take in what a guest that has ended, or is about to be, said before; also while reading pauses. Bounded."""
        left = REST_BYTES
        while left > 0 and not self._why_gone and self._socket is not None:
            try:
                size = self._socket.recv_into(self._arriving)
            except OSError:  # there is nothing more, or the socket is closed
                break
            if not size:
                break
            left -= size
            self.buffer_updated(size)
        self._take_waiting(REST_S)
        self._untaken.clear()

    def connection_lost(self, exc: Exception | None) -> None:
        if isinstance(exc, FilesSent):
            self._broken(str(exc))
        elif exc is not None:  # it would not be written to any more; what it wrote is still there
            self.read_rest()
        if not self._why_gone:
            self.close(LOST)
            self._on_lost()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._arriving

    def buffer_updated(self, nbytes: int) -> None:
        self.heard += 1
        if not self._why_gone:
            self._receive(bytes(self._arriving[:nbytes]))

    def _receive(self, data: bytes) -> None:
        long = self._connection.pending > LONG_BYTES
        began = time.thread_time()
        try:
            frames = self._connection.receive(data)
        except RemoteProtocolError as error:
            self._broken(str(error))
            return
        self._untaken.extend(frames)
        self._charge(len(data) + FRAME_COST_BYTES * len(frames) + _cost(time.thread_time() - began, long=long))
        self._take_waiting()
        self._await_rest(fresh=bool(frames))

    def _take_waiting(self, most_s: float | None = None) -> None:
        """Take frames for so long, the rest in turns with what else the loop has to do."""
        self._next_turn = None
        began, until, cost = time.thread_time(), time.perf_counter() + (TURN_S if most_s is None else most_s), 0
        while self._untaken:
            frame = self._untaken.popleft()
            cost += weight(frame)
            self._take(frame)
            if time.perf_counter() > until:
                break
        self._charge(cost + _cost(time.thread_time() - began))
        self._go_on()

    def _go_on(self) -> None:
        """Now, at its next turn, or when the guest may make work again. No timer for those that nearly all are."""
        if self._transport is None or self._why_gone:
            return
        wait_s = self._share.wait_s(self._loop.time())
        if wait_s or self._untaken:
            self._transport.pause_reading()
            if wait_s:
                self._reading.behind.add(self)
            if self._next_turn is None:
                self._next_turn = self._loop.call_later(self._reading.stretched(wait_s), self._take_waiting)
        elif not self._transport.is_closing():
            self._reading.behind.discard(self)
            self._transport.resume_reading()

    def _charge(self, size: int) -> None:
        self._share = self._share.spent(size, self._loop.time())

    def _take(self, frame: object) -> None:
        match frame:
            case Ready():
                if not self.ready.done():
                    self.ready.set_result(frame)
            case Failed(id=number) if number == self._beginning:
                self._broken(f"it refused to begin: {frame.message}")
            case Answer():
                waiting = self._answers.get(frame.id)
                if waiting is not None and not waiting.done():
                    waiting.set_result(frame)
            case TreeChanged() | Sample() | Alert() | MainExited() | Notice():
                if not (isinstance(frame, Sample) and self._is_asked_for()):
                    self._pace = self._pace.spent(1, self._loop.time())
                self._least_left = min(self._least_left, self._pace.left)
                if self._pace.overdrawn:
                    self._broken(f"it told {AT_ONCE} things faster than {PER_SECOND} a second")
                elif not self._why_gone:
                    self._on_push(frame)
            case _:
                self._broken(f"unexpected {type(frame).__name__}")

    def _is_asked_for(self) -> bool:
        """Whether a sample can come of a request: who asks again and again is told the counters each time."""
        for number in self._answers:
            if number not in self._accompanied:
                self._accompanied.add(number)
                return True
        return False

    @property
    def broken(self) -> bool:
        """Whether the guest broke the protocol."""
        return self._why_gone.startswith(BROKEN)

    def _broken(self, text: str) -> None:
        if not self._why_gone:
            self.close(f"{BROKEN}: {text}")
            self._on_broken(text)

    def _await_rest(self, *, fresh: bool) -> None:
        """Note whether a frame has been begun. ``fresh``: others ended meanwhile, so that it is another one."""
        size = self._connection.pending
        if not size or self._why_gone:
            self._begun = None
            return
        self._begun = Begun(size) if fresh or self._begun is None else self._begun.grown(size)
        if self._look is None:
            self._look = self._loop.call_later(LOOK_S, self._look_for_rest)

    def _look_for_rest(self) -> None:
        self._look = None
        if self._begun is None:
            return
        if self._next_turn is None and not self._at_work():
            self._begun = self._begun.seen()
        if self._begun.too_long:
            self._broken(f"it began a frame and did not end it within {LOOK_S * LOOKS:g} s")
        else:
            self._look = self._loop.call_later(LOOK_S, self._look_for_rest)

    @property
    def pauses(self) -> bool:
        """Whether nobody reads what it says for now."""
        return self._next_turn is not None

    @property
    def flooded(self) -> bool:
        """Whether it told more, and faster, than it may."""
        return self._pace.overdrawn

    @property
    def most_news(self) -> int:
        """How much of the ``AT_ONCE`` that it may tell in a moment was used, at most so far."""
        return math.ceil(AT_ONCE - self._least_left)


def _cost(worked_s: float, *, long: bool = False) -> int:
    return int((worked_s if long else min(worked_s, LONGEST_S)) * WORK_COST_BYTES)


def _give_up(waiting: asyncio.Future[Answer], timeout_s: float | None) -> None:
    if not waiting.done():
        waiting.set_exception(SandboxBusy(_too_late(timeout_s)))


def _too_late(timeout_s: float | None) -> str:
    return f"it did not answer within {timeout_s:g} s"
