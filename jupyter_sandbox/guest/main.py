"""Where a guest begins: called in the forked OS process with everything it needs already open. The composition root."""

from __future__ import annotations

import os
import socket

from ..model.boot import Boot
from ..model.errors import RemoteProtocolError
from ..model.protection import Protection
from ..wire.messages import PROTOCOL, Ready
from . import cell, clients, dispatch, trial  # loaded here so that a zygote has them before it forks
from .channel import Channel
from .guest import Guest
from .interrupt import Heartbeat
from .loop import Loop

PRELOADED = (cell, clients, dispatch, trial)
EXIT_OK = 0
EXIT_PROTOCOL = 76
"""sysexits' EX_PROTOCOL: the kernel sent what it must not."""


def run(boot: Boot, control: socket.socket, heartbeat: Heartbeat, protection: Protection) -> int:
    """Serve one kernel until it shuts us down or is gone. Returns the exit code of the OS process."""
    channel = Channel(control)
    guest = Guest(boot, channel.send, channel.push)
    guest.surroundings.install()
    loop = Loop(guest, channel, heartbeat)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=channel.abandon)
    channel.send(Ready(protocol=PROTOCOL, pid=os.getpid(), protection=protection))
    try:
        loop.run()
    except RemoteProtocolError:
        return EXIT_PROTOCOL
    finally:
        loop.close()
        guest.close()
    return EXIT_OK
