"""A guest that tells its protection and waits to be killed. For the doctor."""

from __future__ import annotations

import socket

import msgspec

from ..model.boot import Boot
from ..model.protection import Protection
from .heartbeat import HeartbeatWriter


def run(boot: Boot, control: socket.socket, heartbeat: HeartbeatWriter, protection: Protection) -> int:
    """The entry, as ``guest.main`` has one."""
    control.setblocking(True)
    control.sendall(msgspec.msgpack.encode(protection))
    return len(control.recv(1))
