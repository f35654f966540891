"""Where a guest begins: called in the forked OS process with everything it needs already open. The composition root."""

from __future__ import annotations

import os
import socket
import sys
from functools import partial

from ..isolation.common_goods import may_send_files, may_use_epoll
from ..isolation.exits import NO_CHANNEL, PROTOCOL
from ..isolation.system import set_name
from ..model.boot import Boot
from ..model.errors import RemoteProtocolError
from ..model.protection import Protection
from ..wire.messages import PROTOCOL as VERSION
from ..wire.messages import Ready
from . import cell, clients, dispatch, refusals, trial  # loaded here so that a zygote has them before it forks
from .channel import Channel
from .entropy import reseed
from .generators import Generators
from .guest import Guest
from .interrupt import Heartbeat
from .large_imports import LargeImports
from .loop import Loop
from .sending import hide_sendmsg
from .sessions import explain_sessions
from .uncaught import tell_the_uncaught
from .waiting import hide_epoll

PRELOADED = (cell, clients, dispatch, trial)
EXIT_OK = 0


class Program:
    """Made in the zygote after all its imports, called in each of its guests: what it has ready need not be made there.

    ``Program()(boot, control, heartbeat, protection)`` serves one kernel until that shuts us down or is gone, and
    returns the exit code of the OS process.
    """

    def __init__(self) -> None:
        generators = Generators()  # before there are any of ours
        self._guest = Guest(Boot("spare", spare=True), _nobody_hears, lambda frame: False)
        if generators:
            self._guest.reseed = generators.reseed
        self._guest.surroundings.install()

    def __call__(self, boot: Boot, control: socket.socket, heartbeat: Heartbeat, protection: Protection) -> int:
        sys.meta_path.insert(0, LargeImports())
        if not (may_send_files(boot.openings) or protection.profile in ("off", "basic")):
            hide_sendmsg()
        if not (may_use_epoll(boot.openings) or protection.profile in ("off", "basic")):
            hide_epoll()
        if boot.openings.subprocess and protection.has("seccomp"):
            explain_sessions()
        tell_the_uncaught()
        refusals.serve(protection, boot.openings, boot.scratch)
        channel = Channel(control)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=channel.abandon)
        if boot.spare:
            _rehearse()
        try:
            serve(self._guest, boot, channel, heartbeat, protection)
        except RemoteProtocolError:
            return PROTOCOL
        if self._guest.leaving or channel.abandoned:
            return EXIT_OK
        return NO_CHANNEL  # or its kernel is gone, and nobody reads the code


def _nobody_hears(frame: object) -> None:
    """It has no channel yet, and nothing runs in it."""


def serve(guest: Guest, boot: Boot, channel: Channel, heartbeat: Heartbeat, protection: Protection) -> None:
    """A guest's whole life on its channel; it is a spare in which nothing ran. Raises RemoteProtocolError."""
    # First of all: while the kernel looks at us from outside, the rest is set up.
    channel.send(Ready(protocol=VERSION, pid=os.getpid(), protection=protection))
    guest.emit, guest.push = channel.send, channel.push
    loop = Loop(guest, channel, heartbeat)

    def begun(boot: Boot) -> None:
        _reseed(guest, boot.seed)
        loop.at_leisure = partial(_name, boot)
        channel.patient = True  # nobody waits for the answer, and what was asked for with Begin follows

    if not boot.spare:
        guest.begin(boot)
    _reseed(guest, boot.seed)
    _name(boot)
    guest.on_begin = begun
    try:
        loop.run()
    finally:
        loop.close()
        guest.close()


def _rehearse() -> None:
    """Each page of memory used for the first time after a fork costs a microsecond or two: paid before it is needed."""
    from .warm import rehearse  # the zygote has it

    rehearse()


def _reseed(guest: Guest, seed: int) -> None:
    """What is drawn belongs to this sandbox from now on."""
    reseed(seed)
    guest.reseed(seed)


def _name(boot: Boot) -> None:
    """As people see it among the OS processes: nobody waits for that."""
    if sys.platform == "linux":
        set_name(f"sbx:{boot.name}")
