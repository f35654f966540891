"""The guest's end of the control socket: frames in and out, bounded, never blocking. Decides nothing."""

from __future__ import annotations

import socket
from typing import Any

from ..model.errors import LocalProtocolError
from ..wire import messages as m
from ..wire.connection import Connection

_CHUNK = 1 << 16
MAX_BACKLOG = 1 << 20
"""Bytes waiting to be written above which nothing is read or pushed: the kernel is slower than we are."""


class Channel:
    """Frames over a nonblocking stream socket."""

    def __init__(self, control: socket.socket) -> None:
        control.setblocking(False)
        self.socket = control
        self.ended = False
        self.abandoned = False
        """It is a fork's, which has no part in the conversation."""
        self.patient = False
        """The next frame need not go at once: it travels with the one after it, or when nothing else is to be done."""
        self._connection = Connection("guest")
        self._out = bytearray()

    @property
    def congested(self) -> bool:
        """Whether the kernel is behind in reading."""
        return len(self._out) > MAX_BACKLOG

    @property
    def has_output(self) -> bool:
        """Whether bytes wait to be written."""
        return bool(self._out)

    def receive(self) -> list[Any]:
        """Requests that have arrived. Sets ``ended`` at the end of the stream: the kernel is gone.

        Raises RemoteProtocolError when the kernel sends what it must not.
        """
        try:
            data = self.socket.recv(_CHUNK)
        except (BlockingIOError, InterruptedError):
            return []
        except OSError:
            data = b""
        if not data:
            self.ended = True
            return []
        return self._connection.receive(data)

    def send(self, frame: m.GuestFrame) -> None:
        """Write a frame now or as soon as the socket takes it. An answer too long to travel becomes a Failed."""
        try:
            self._out += self._connection.send(frame)
        except LocalProtocolError as error:
            if not isinstance(frame, m.Answer) or isinstance(frame, m.Failed):
                raise
            text = f"the answer cannot be sent ({error}); ask for less of it"
            self._out += self._connection.send(m.Failed(id=frame.id, kind="too_large", message=text))
        if self.patient:
            self.patient = False
            return
        self.flush()

    def push(self, frame: m.GuestFrame) -> bool:
        """Like send, for what the kernel did not ask for; False, and nothing is sent, while the kernel is behind."""
        if self.congested:
            return False
        try:
            self.send(frame)
        except LocalProtocolError:  # not Ready yet, stopping, or too long: nobody waits for it
            return False
        return True

    def abandon(self) -> None:
        """In a fork that user code made: the conversation is its parent's, it must not take part."""
        self.ended = self.abandoned = True
        self._out.clear()
        self.socket.close()

    def flush(self) -> None:
        """Write what the socket takes."""
        while self._out and not self.ended:
            try:
                sent = self.socket.send(memoryview(self._out)[: 4 * _CHUNK])
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                self.ended = True
                self._out.clear()
                return
            del self._out[:sent]
