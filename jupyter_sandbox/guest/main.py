"""Where a guest begins: called in the forked OS process with everything it needs already open. The composition root."""

from __future__ import annotations

import os
import socket
import sys

from ..isolation.system import set_name
from ..model.boot import Boot
from ..model.errors import RemoteProtocolError
from ..model.protection import Protection
from ..wire.messages import PROTOCOL, Ready
from . import cell, clients, dispatch, trial  # loaded here so that a zygote has them before it forks
from .channel import Channel
from .entropy import reseed
from .guest import Guest
from .interrupt import Heartbeat
from .large_imports import LargeImports
from .loop import Loop

PRELOADED = (cell, clients, dispatch, trial)
EXIT_OK = 0
EXIT_PROTOCOL = 76
"""sysexits' EX_PROTOCOL: the kernel sent what it must not."""


def run(boot: Boot, control: socket.socket, heartbeat: Heartbeat, protection: Protection) -> int:
    """Serve one kernel until it shuts us down or is gone. Returns the exit code of the OS process."""
    channel = Channel(control)
    sys.meta_path.insert(0, LargeImports())
    if boot.spare:
        _rehearse()
    # First of all: while the kernel looks at us from outside, the rest is set up.
    channel.send(Ready(protocol=PROTOCOL, pid=os.getpid(), protection=protection))
    guest = Guest(boot, channel.send, channel.push)

    def begun(boot: Boot) -> None:
        _begun(guest, boot)
        channel.patient = True  # nobody waits for the answer, and what was asked for with Begin follows

    guest.on_begin = begun
    _begun(guest, boot)
    loop = Loop(guest, channel, heartbeat)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=channel.abandon)
    try:
        loop.run()
    except RemoteProtocolError:
        return EXIT_PROTOCOL
    finally:
        loop.close()
        guest.close()
    return EXIT_OK


def _rehearse() -> None:
    """Each page of memory used for the first time after a fork costs a microsecond or two: paid before it is needed."""
    from .warm import rehearse  # the zygote has it

    rehearse()


def _begun(guest: Guest, boot: Boot) -> None:
    """The OS process is this sandbox from now on."""
    reseed(boot.seed)
    if not boot.spare:
        guest.surroundings.install()
    if sys.platform == "linux":
        set_name(f"sbx:{boot.name}")
