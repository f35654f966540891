"""One end of the conversation between a kernel and a guest: bytes in, frames out, and the other way round.

Does no I/O and trusts nothing: whatever the other side sends either becomes
frames that are legal right now, or RemoteProtocolError. After that error
nothing more is read. What is legal when stands in ``wire.legality``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import msgspec

from ..model.errors import LocalProtocolError, ProtocolError, RemoteProtocolError, Unsendable
from . import messages
from .crowded import SHORT, refuse_crowds
from .encoding import encode, encode_into
from .framing import MAX_FRAME, MAX_TRANSFER, Deframer, frame
from .legality import ANSWERS, KINDS, LARGE, TRANSITIONS, ConnectionState, Kind

Frame = messages.KernelFrame | messages.GuestFrame
Role = Literal["kernel", "guest"]

_FOLLOWS: dict[ConnectionState, dict[type, ConnectionState]] = {
    state: {cls: TRANSITIONS[state, kind] for cls, kind in KINDS.items() if (state, kind) in TRANSITIONS}
    for state in ConnectionState
}
"""The table of transitions by type of frame: a type is a far quicker key than a member of an enum."""
_REQUESTS = frozenset(cls for cls, kind in KINDS.items() if kind in (Kind.REQUEST, Kind.SHUTDOWN))
_SENT_BY: dict[Role, frozenset[type]] = {"kernel": _REQUESTS, "guest": frozenset(KINDS) - _REQUESTS}
_UNSOLICITED = frozenset(cls for cls, kind in KINDS.items() if kind in (Kind.PUSH, Kind.READY))
_PASSING: dict[ConnectionState, frozenset[type]] = {
    state: frozenset(cls for cls, following in follows.items() if following is state and cls in _UNSOLICITED)
    for state, follows in _FOLLOWS.items()
}
"""What may pass and changes nothing: the news in the middle of everything, which most frames are."""

_LARGE_NEWS = frozenset(cls.__name__ for cls in _UNSOLICITED) & LARGE.keys()

_WRONG = (msgspec.MsgspecError, RecursionError, ValueError, OverflowError)
"""What reading raises of bytes that are no frame."""
_UNREADABLE = "the other side sent a frame that cannot be read"

_KERNEL_FRAME: Any = messages.KernelFrame
_GUEST_FRAME: Any = messages.GuestFrame
_DECODE: dict[Role, Callable[[bytes | bytearray], Any]] = {
    "kernel": msgspec.msgpack.Decoder(_GUEST_FRAME).decode,
    "guest": msgspec.msgpack.Decoder(_KERNEL_FRAME).decode,
}
"""Made once: a decoder of so many types takes milliseconds to make, and a forked guest finds it made."""


class Connection:
    """The protocol of one guest, seen from ``role``.

    >>> kernel, guest = Connection("kernel"), Connection("guest")
    >>> ready = messages.Ready(protocol=1, pid=7, protection=messages.Protection("off"))
    >>> [type(frame).__name__ for frame in kernel.receive(guest.send(ready))]
    ['Ready']
    >>> guest.receive(kernel.send(messages.Tree(id=1)))
    [Tree(id=1)]

    ``max_frame`` is the longest single piece in bytes, ``max_transfer`` the longest whole payload.
    """

    def __init__(self, role: Role, *, max_frame: int = MAX_FRAME, max_transfer: int = MAX_TRANSFER) -> None:
        self.role: Role = role
        self._become(ConnectionState.STARTING)
        self._sent = _SENT_BY[role]
        self._max_frame, self._max_transfer = max_frame, max_transfer
        most = self._longest if role == "kernel" else None
        self._deframer = Deframer(max_frame=max_frame, max_transfer=max_transfer, most=most)
        self._buffer, self._decode = bytearray(), _DECODE[role]
        self._pending: dict[int, tuple[type, ...]] = {}
        self._shutdown_id: int | None = None

    @property
    def unanswered(self) -> tuple[int, ...]:
        """Ids of requests without an answer yet, oldest first."""
        return tuple(self._pending)

    @property
    def pending(self) -> int:
        """Bytes that have arrived of a frame that is not complete."""
        return self._deframer.pending

    def send(self, frame_: Frame) -> bytes:
        """The bytes to write.

        Raises LocalProtocolError when the frame is not ours to send now, or too long for a guest's; Unsendable when it
        is too long for anybody, cannot be written, or a guest could not read it. Nothing has happened then.
        """
        if type(frame_) not in self._sent:
            raise LocalProtocolError(f"a {self.role} does not send {_name(frame_)}")
        payload: bytes | bytearray = self._buffer
        try:
            encode_into(frame_, self._buffer)
        except MemoryError:
            self._buffer.clear()  # it has what memory there was
            raise
        except (msgspec.MsgspecError, TypeError, ValueError, RecursionError, OverflowError):
            payload = self._repaired(frame_)
        if self.role == "kernel":
            _must_be_read(frame_, payload)
        if len(payload) > self._max_frame and self.role == "guest" and len(payload) > LARGE.get(_name(frame_), 0):
            raise LocalProtocolError(f"{_name(frame_)} of {len(payload)} bytes is too long to send")
        data = frame(payload, max_frame=self._max_frame, max_transfer=self._max_transfer)
        if len(payload) > SHORT:  # a buffer is not worth so much memory
            self._buffer = bytearray()
        if type(frame_) not in self._passing and (refused := self._move(frame_)) is not None:
            raise LocalProtocolError(refused)
        return data

    def receive(self, data: bytes) -> list[Frame]:
        """Frames completed by ``data``, oldest first.

        Raises RemoteProtocolError on anything illegal; frames before the illegal one in the same ``data`` are lost,
        because nothing of such a peer is worth keeping.
        """
        if self.state is ConnectionState.FAILED:
            raise RemoteProtocolError("the other side broke the protocol before; this connection is over")
        try:
            return [self._accept(payload) for payload in self._deframer.feed(data)]
        except RemoteProtocolError:
            self._become(ConnectionState.FAILED)
            raise

    def eof(self) -> None:
        """The stream ended. Raises RemoteProtocolError when it ended inside a frame."""
        failed = self.state is ConnectionState.FAILED
        self._become(ConnectionState.CLOSED)
        if self._deframer.pending and not failed:
            raise RemoteProtocolError(f"the stream ended inside a frame, after {self._deframer.pending} bytes of it")

    def _accept(self, payload: bytes) -> Frame:
        try:
            if len(payload) > SHORT:
                self._refuse_crowds(payload)
            received: Frame = self._decode(payload)
        except _WRONG as error:
            raise RemoteProtocolError(f"{_UNREADABLE}: {str(error)[:200]}") from None
        if type(received) not in self._passing and (refused := self._move(received)) is not None:
            raise RemoteProtocolError(refused)
        return received

    def _refuse_crowds(self, payload: bytes) -> None:
        """Of a guest's long frame, which says first what it is: another kind cannot be said after that."""
        if self.role == "kernel":
            if not (name := tag_of(payload)):
                raise RemoteProtocolError(f"{_UNREADABLE}: it is long and does not begin with its type")
            refuse_crowds(name, payload)

    def _longest(self, piece: bytes) -> int:
        """How long a guest's frame may become that begins with this piece: told before the rest of it is kept, so that
        nobody fills the kernel with the beginning of an answer that nobody asked for."""
        name = tag_of(piece)
        if name not in LARGE:
            raise RemoteProtocolError(f"the other side sent a piece of {name or 'no known frame'}, which comes whole")
        if name not in _LARGE_NEWS and not any(one.__name__ == name for may in self._pending.values() for one in may):
            raise RemoteProtocolError(f"the other side sent a piece of {name}, which nobody waits for")
        return LARGE[name]

    def _move(self, frame_: Any) -> str | None:
        """Go to the next state; or why this frame may not pass now, and nothing is changed."""
        cls = type(frame_)
        if cls in _UNSOLICITED:
            return self._enter(self._follows.get(cls), frame_)
        if cls in _REQUESTS:
            return self._open(frame_)
        allowed = self._pending.get(frame_.id)
        if allowed is None:
            return f"{_name(frame_)} answers request {frame_.id}, which is not waiting for an answer"
        if type(frame_) not in allowed and type(frame_) is not messages.Failed:
            return f"{_name(frame_)} is no answer to request {frame_.id}"
        following = self._follows.get(cls)
        if frame_.id == self._shutdown_id:
            following = TRANSITIONS.get((self.state, Kind.LAST_ANSWER))
        refused = self._enter(following, frame_)
        if refused is None:
            del self._pending[frame_.id]
        return refused

    def _open(self, frame_: Any) -> str | None:
        if frame_.id in self._pending:
            return f"{_name(frame_)} uses request id {frame_.id}, which is waiting for an answer"
        cls = type(frame_)
        if (refused := self._enter(self._follows.get(cls), frame_)) is not None:
            return refused
        self._pending[frame_.id] = ANSWERS[cls]
        if cls is messages.Shutdown:
            self._shutdown_id = frame_.id
        return None

    def _enter(self, following: ConnectionState | None, frame_: object) -> str | None:
        if following is not self.state:
            if following is None:
                return f"{_name(frame_)} is not allowed while {self.state.value}"
            self._become(following)
        return None

    def _become(self, state: ConnectionState) -> None:
        self.state, self._follows, self._passing = state, _FOLLOWS[state], _PASSING[state]

    def _repaired(self, frame_: Frame) -> bytes:
        """The bytes of a frame that did not encode at the first attempt."""
        try:
            return encode(frame_)
        except UnicodeEncodeError:
            # User texts may hold lone surrogates, which no encoding of the wire can carry.
            return encode(_repaired(msgspec.to_builtins(frame_, builtin_types=(bytes,))))
        except (msgspec.MsgspecError, TypeError, OverflowError, RecursionError) as error:
            raise Unsendable(f"{_name(frame_)} cannot be written: {error}") from None


def _must_be_read(frame_: Frame, payload: bytes | bytearray) -> None:
    """A guest ends when it is sent what it cannot read: it is tried here first, which takes half a microsecond."""
    try:
        _DECODE["guest"](payload)
    except _WRONG as error:
        raise Unsendable(f"{_name(frame_)} could not be read: {error}") from None


def tag_of(payload: bytes) -> str:
    """The type name that our own encoder writes first; empty when the payload does not start like that.

    >>> tag_of(msgspec.msgpack.encode(messages.Tree(id=1)))
    'Tree'
    """
    if payload[1:6] != b"\xa4type" or not payload[6:7] or payload[6] >> 5 != 0b101:
        return ""
    return payload[7 : 7 + (payload[6] & 0x1F)].decode("ascii", "replace")


def _name(frame_: object) -> str:
    return type(frame_).__name__


def _repaired(value: Any) -> Any:
    """The same tree with every character that UTF-8 has no bytes for written as an escape."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_repaired(key): _repaired(held) for key, held in value.items()}
    if isinstance(value, list | tuple):
        return [_repaired(held) for held in value]
    return value


__all__ = ["Connection", "ConnectionState", "Frame", "LocalProtocolError", "ProtocolError", "RemoteProtocolError"]
