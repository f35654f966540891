"""The kernel's end of a channel: a frame that was begun has to be ended."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Coroutine

import pytest

from jupyter_sandbox.manager import link
from jupyter_sandbox.manager.begun import LOOKS, Begun
from jupyter_sandbox.manager.link import GuestLink, Pushed
from jupyter_sandbox.model.errors import SandboxBusy, UsageError
from jupyter_sandbox.model.views import Counters
from jupyter_sandbox.wire import messages as m
from jupyter_sandbox.wire.connection import Connection
from jupyter_sandbox.wire.framing import MAX_FRAME

BEGUN = struct.pack(">I", 4096) + b"half"
Story = Callable[["Peer"], Coroutine[None, None, None]]


class Peer:
    """A guest's end in the hands of a test, and what the kernel said about it."""

    def __init__(self) -> None:
        self.broken: list[str] = []
        self.heard: list[Pushed] = []
        self.busy = False
        self.looked = 0
        ours, self.end = socket.socketpair()
        self.link = GuestLink(self.heard.append, self.broken.append, lambda: None, self._at_work)
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
            async with asyncio.timeout(60):
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
        peer.link._receive(BEGUN)
        await asyncio.sleep(0.002 * 5 * LOOKS)

    peer = play(story, monkeypatch)
    assert peer.broken == [] and peer.looked == 0


def test_the_count_begins_anew_with_every_full_piece() -> None:
    begun = Begun(10, looks=LOOKS - 1)
    assert begun.grown(9 + MAX_FRAME) is begun and begun.grown(10 + MAX_FRAME) == Begun(10 + MAX_FRAME)


def last_words(number: int) -> bytes:
    guest = Connection("guest")
    ready = guest.send(m.Ready(protocol=m.PROTOCOL, pid=1, protection=m.Protection("off")))
    return ready + b"".join(guest.send(m.Notice(level="error", text=f"{one}")) for one in range(number))


@pytest.mark.parametrize("written", [False, True], ids=["it ended", "it ended and was written to"])
def test_what_a_guest_said_last_is_heard_though_reading_pauses(monkeypatch: pytest.MonkeyPatch, written: bool) -> None:
    async def story(peer: Peer) -> None:
        peer.link._charge(1 << 40)
        await peer.say(last_words(900))
        peer.end.close()
        if written:
            peer.link.tell(lambda number: m.Tree(id=number))
            await asyncio.sleep(0.01)
        else:
            peer.link.read_rest()
        assert [told.text for told in peer.heard if isinstance(told, m.Notice)] == [f"{one}" for one in range(900)]

    assert play(story, monkeypatch).broken == []


def test_of_last_words_without_end_no_more_is_heard_than_an_honest_guest_says(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(peer: Peer) -> None:
        peer.link._charge(1 << 40)
        await peer.say(last_words(2_000))
        peer.link.read_rest()
        assert len(peer.heard) < 2_000

    [why] = play(story, monkeypatch).broken
    assert why.startswith("it told 1000 things faster")


def test_one_sample_with_each_answer_is_no_news_and_every_other_one_is(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(peer: Peer) -> None:
        guest = Connection("guest")
        await peer.say(guest.send(m.Ready(protocol=m.PROTOCOL, pid=1, protection=m.Protection("off"))))
        await peer.link.ready
        sample = guest.send(m.Sample(counters=Counters(), events=[]))
        for samples in (1, 1, 1, 3):
            asking = asyncio.ensure_future(peer.link.ask(lambda number: m.Flush(id=number), m.Done, 60))
            [asked] = guest.receive(await asyncio.get_running_loop().sock_recv(peer.end, 1 << 16))
            await peer.say(sample * samples + guest.send(m.Done(id=asked.id)))  # type: ignore[union-attr]
            await asking
        assert len(peer.heard) == 6

    assert play(story, monkeypatch).link.most_news == 2


def test_of_what_a_deaf_guest_is_sent_one_frame_waits_and_the_rest_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    size, refused = 4 << 20, list[str]()
    monkeypatch.setattr(link, "WRITE_DEADLINE_S", 0.05)

    async def ask(peer: Peer) -> None:
        try:
            await peer.link.ask(lambda number: m.Cast(id=number, target="x", args=bytes(size)), m.Done, 10)
        except SandboxBusy as busy:
            refused.append(str(busy))

    async def story(peer: Peer) -> None:
        await peer.say(ready())
        await peer.link.ready
        asking = [asyncio.ensure_future(ask(peer)) for _ in range(20)]
        while len(refused) < 19:
            await asyncio.sleep(0.001)
        assert peer.link._transport is not None
        assert peer.link._transport.get_write_buffer_size() <= size + 100
        asking[0].cancel()

    play(story, monkeypatch)
    assert refused == ["it does not read what it is sent"] * 19


def test_who_asks_for_a_moment_waits_no_longer_for_a_deaf_guest(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(peer: Peer) -> None:
        await peer.say(ready())
        await peer.link.ready
        first = peer.link.ask(lambda number: m.Cast(id=number, target="x", args=bytes(8 << 20)), m.Done, 60)
        waiting = asyncio.ensure_future(first)
        await asyncio.sleep(0)
        with pytest.raises(SandboxBusy, match=r"within 0\.01 s"):
            await peer.link.ask(lambda number: m.Flush(id=number), m.Done, 0.01)
        waiting.cancel()

    play(story, monkeypatch)


def test_whoever_waits_for_a_guest_to_read_goes_on_when_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(peer: Peer) -> None:
        await peer.say(ready())
        await peer.link.ready
        frames: list[int] = []
        guest = Connection("guest")
        guest.send(m.Ready(protocol=m.PROTOCOL, pid=1, protection=m.Protection("off")))

        def make(number: int) -> m.Request:
            return m.Cast(id=number, target="x", args=bytes(2 << 20))

        asking = [asyncio.ensure_future(peer.link.ask(make, m.Done, 20)) for _ in range(5)]
        while len(frames) < 5:
            for frame in guest.receive(await asyncio.get_running_loop().sock_recv(peer.end, 1 << 20)):
                frames.append(frame.id)
                await peer.say(guest.send(m.Done(id=frame.id)))
        await asyncio.gather(*asking)
        assert frames == sorted(frames)

    assert play(story, monkeypatch).broken == []


def test_long_work_for_one_guest_is_done_in_turns_with_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "TURN_S", 0.0)

    async def story(peer: Peer) -> None:
        turns = list[int]()

        async def others() -> None:
            while len(peer.heard) < 50:
                turns.append(len(peer.heard))
                await asyncio.sleep(0)

        await peer.say(last_words(50))
        await others()
        assert [told.text for told in peer.heard if isinstance(told, m.Notice)] == [f"{one}" for one in range(50)]
        assert set(turns) >= set(range(1, 50)), "after each of them it was the turn of others"
        await peer.say(BEGUN)
        await peer.look(LOOKS)

    assert len(play(story, monkeypatch).broken) == 1, "and reading has gone on"


def test_who_makes_much_work_of_few_bytes_waits_for_its_next_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "TURN_S", 0.0)
    monkeypatch.setattr(link, "WORK_COST_BYTES", 1 << 60)

    async def story(peer: Peer) -> None:
        await peer.say(last_words(50))
        await peer.link.ready
        for _ in range(100):
            await asyncio.sleep(0)
        assert peer.heard == []
        peer.link.read_rest()
        assert len(peer.heard) == 50, "but of who has ended the rest is heard"

    assert play(story, monkeypatch).broken == []


def test_what_a_guest_could_not_read_is_refused_before_it_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(peer: Peer) -> None:
        await peer.say(ready())
        await peer.link.ready
        with pytest.raises(UsageError, match=r"Kill could not be read: .* at `\$\.reason`"):
            await peer.link.ask(lambda number: m.Kill(id=number, target="a", reason=5), m.Done, 60)  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="Kill cannot be written"):
            peer.link.tell(lambda number: m.Kill(id=number, target=object()))  # type: ignore[arg-type]
        peer.link.tell(lambda number: m.Tree(id=number))
        guest = Connection("guest")
        guest.send(m.Ready(protocol=m.PROTOCOL, pid=1, protection=m.Protection("off")))
        sent = await asyncio.get_running_loop().sock_recv(peer.end, 1 << 16)
        assert [type(one) for one in guest.receive(sent)] == [m.Tree]

    assert play(story, monkeypatch).broken == []
