"""The kernel's end of a channel: a frame that was begun has to be ended."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Coroutine

import pytest

from jupyter_sandbox.manager import link
from jupyter_sandbox.manager.begun import LOOKS, Begun
from jupyter_sandbox.manager.link import GuestLink
from jupyter_sandbox.wire import messages as m
from jupyter_sandbox.wire.connection import Connection
from jupyter_sandbox.wire.framing import MAX_FRAME

BEGUN = struct.pack(">I", 4096) + b"half"
Story = Callable[["Peer"], Coroutine[None, None, None]]


class Peer:
    """A guest's end in the hands of a test, and what the kernel said about it."""

    def __init__(self) -> None:
        self.broken: list[str] = []
        self.busy = False
        self.looked = 0
        ours, self.end = socket.socketpair()
        self.link = GuestLink(lambda _: None, self.broken.append, lambda: None, self._at_work)
        self._ours = ours

    def _at_work(self) -> bool:
        self.looked += 1
        return self.busy

    async def open(self) -> None:
        await self.link.open(self._ours)
        self.end.setblocking(False)

    async def say(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.end, data)

    async def look(self, times: int) -> None:
        """Wait until the kernel has looked for the rest of a frame so often."""
        wanted = self.looked + times
        while self.looked < wanted and not self.broken:
            await asyncio.sleep(0.001)


def play(story: Story, monkeypatch: pytest.MonkeyPatch) -> Peer:
    """Looks come as fast as they can: how many there are is what counts."""
    monkeypatch.setattr(link, "LOOK_S", 0.002)

    async def told() -> Peer:
        peer = Peer()
        await peer.open()
        try:
            async with asyncio.timeout(20):
                await story(peer)
        finally:
            peer.link.close("the test is over")
            peer.end.close()
        return peer

    return asyncio.run(told())


def ready() -> bytes:
    return Connection("guest").send(m.Ready(protocol=m.PROTOCOL, pid=1, protection=m.Protection("off")))


def test_a_frame_that_was_begun_and_not_ended_is_a_broken_protocol(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(peer: Peer) -> None:
        await peer.say(BEGUN)
        await peer.look(LOOKS)

    [why] = play(story, monkeypatch).broken
    assert why.startswith("it began a frame and did not end it within")


def test_whoever_goes_on_byte_by_byte_gains_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(peer: Peer) -> None:
        await peer.say(BEGUN)
        for _ in range(LOOKS):
            await peer.look(1)
            if not peer.broken:
                await peer.say(b".")

    assert play(story, monkeypatch).broken


def test_a_frame_that_is_ended_in_time_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(peer: Peer) -> None:
        data = ready()
        await peer.say(data[:5])
        await peer.look(LOOKS - 2)
        await peer.say(data[5:])
        await peer.link.ready
        seen = peer.looked
        await asyncio.sleep(0.05)
        assert peer.looked <= seen + 1, "nobody looks when there is nothing to wait for"

    assert play(story, monkeypatch).broken == []


def test_a_guest_in_the_middle_of_a_callback_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(peer: Peer) -> None:
        peer.busy = True
        await peer.say(BEGUN)
        await peer.look(3 * LOOKS)
        assert peer.broken == []
        peer.busy = False
        await peer.look(LOOKS)

    assert len(play(story, monkeypatch).broken) == 1


def test_while_the_kernel_does_not_read_no_rest_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it waits for may be in the socket: it is the kernel that has paused."""

    async def story(peer: Peer) -> None:
        peer.link._charge(1 << 40)
        peer.link.data_received(BEGUN)
        await asyncio.sleep(0.002 * 5 * LOOKS)

    peer = play(story, monkeypatch)
    assert peer.broken == [] and peer.looked == 0


def test_the_count_begins_anew_with_every_full_piece() -> None:
    begun = Begun(10, looks=LOOKS - 1)
    assert begun.grown(9 + MAX_FRAME) is begun and begun.grown(10 + MAX_FRAME) == Begun(10 + MAX_FRAME)
