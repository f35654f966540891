"""Long frames are counted before anything is made of them, whatever they name twice."""

from __future__ import annotations

import struct
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_sandbox.model.errors import RemoteProtocolError
from jupyter_sandbox.model.listed import DEEDS_TOLD, LINES_TOLD, LINKS, LISTED
from jupyter_sandbox.model.protection import Protection
from jupyter_sandbox.model.views import Counters, Event, ProcessView, StepView, TreeDiff, TreeView, WhyView
from jupyter_sandbox.wire import messages as m
from jupyter_sandbox.wire.connection import Connection
from jupyter_sandbox.wire.crowded import refuse_crowds
from jupyter_sandbox.wire.framing import frame

pack = msgspec.msgpack.encode
BARE = ProcessView("", None, "", "", "", "")
STEP = StepView(1, "", "", "", "", "", "", "")
WHY = WhyView("", "", 1, 1, "", "", "", (), "", "")


def received(payload: bytes) -> object:
    """What the kernel makes of the payload, asked for everything it could be an answer to."""
    kernel = Connection("kernel")
    kernel.receive(frame(pack(m.Ready(protocol=1, pid=7, protection=Protection("off")))))
    for number, ask in enumerate((m.Tree, lambda id: m.Step(id=id, count=1), lambda id: m.Why(id=id, target=""))):
        kernel.send(ask(id=number))
    (told,) = kernel.receive(frame(payload))
    return told


def array(item: bytes, count: int) -> bytes:
    return b"\xdd" + struct.pack(">I", count) + item * count


def mapped(*pairs: tuple[str, bytes]) -> bytes:
    head = bytes([0x80 | len(pairs)]) if len(pairs) < 16 else b"\xde" + struct.pack(">H", len(pairs))
    return head + b"".join(pack(key) + value for key, value in pairs)


PROCESS = [(name, pack("")) for name in ("key", "pid", "name", "kind", "behaviour", "status")]
LONG = ("links", array(b"\xa0", 39_000))
CROWDED = mapped(*PROCESS, LONG)
SMALL = pack(TreeDiff("x", 1, 1))


def diff(*processes: bytes) -> bytes:
    changed = b"\xdc" + struct.pack(">H", len(processes)) + b"".join(processes)
    return mapped(("sandbox", pack("x")), ("step", pack(1)), ("now_ms", pack(1)), ("changed", changed))


def changed(*diffs: bytes) -> bytes:
    return mapped(("type", pack("TreeChanged")), *(("diff", one) for one in diffs))


HIDDEN: dict[str, Callable[[], bytes]] = {
    "one picture": lambda: changed(diff(*[CROWDED] * 6)),
    "a picture before the last": lambda: changed(diff(*[CROWDED] * 6), SMALL),
    "pictures before the last": lambda: changed(*[diff(CROWDED)] * 6, SMALL),
    "links before the last": lambda: changed(diff(mapped(*PROCESS, *[LONG] * 6, ("links", b"\x90")))),
    "links and monitors": lambda: changed(diff(mapped(*PROCESS, *[LONG, ("monitors", LONG[1])] * 3))),
    "processes before the last": lambda: changed(
        mapped(("sandbox", pack("x")), ("step", pack(1)), ("now_ms", pack(1)), *[("order", LONG[1])] * 4)
    ),
    "keys whose length is said in another way": lambda: changed(
        diff(*[CROWDED.replace(b"\xa5links", b"\xd9\x05links")] * 6)
    ),
    "trees before the last": lambda: mapped(
        ("type", pack("TreeReply")), ("id", pack(0)),
        *[("tree", pack(TreeView("x", 1, 1, (ProcessView("", None, "", "", "", "", links=("",) * 39_000),))))] * 6,
    ),
    "deeds before the last": lambda: mapped(
        ("type", pack("Stepped")), ("id", pack(1)), ("step", pack(1)),
        *[("steps", pack([StepView(1, "", "", "", "", "", "", "", ("",) * 1_000)] * 100))] * 6,
    ),
    "lines before the last": lambda: mapped(
        ("type", pack("WhyList")), ("id", pack(2)),
        *[("entries", pack([WhyView("", "", 1, 1, "", "", "", ("",) * 30_000, "", "")]))] * 9,
    ),
    "lists of nothing": lambda: changed(diff(mapped(*PROCESS, *[("links", b"\x90")] * 41_000))),
}  # fmt: skip


@pytest.mark.parametrize("name", HIDDEN)
def test_what_is_named_twice_counts_twice(name: str) -> None:
    with pytest.raises(RemoteProtocolError, match="at once"):
        received(HIDDEN[name]())


def test_a_long_frame_that_does_not_say_first_what_it_is_is_refused() -> None:
    """Else it could be any."""
    late = mapped(("diff", diff(*[CROWDED] * 6)), ("type", pack("TreeChanged")))
    with pytest.raises(RemoteProtocolError, match="does not begin with its type"):
        received(late)


HONEST = {
    "as many links as there may be": m.TreeChanged(
        diff=TreeDiff("x", 1, 1, tuple(ProcessView("k", None, "", "", "", "", links=("",) * 1_000)
                                       for _ in range(LINKS // 1_000)))
    ),
    "as many processes": m.TreeChanged(
        diff=TreeDiff("x", 1, 1, (BARE,) * LISTED, ("",) * LISTED, ("",) * LISTED)
    ),
    "texts about links": m.TreeChanged(
        diff=TreeDiff("x", 1, 1, (ProcessView("k", None, "", "", "", "", state="links\u0700links\u0750" * 9),) * 1_000)
    ),
    "deeds": m.Stepped(id=1, step=1, steps=[StepView(1, "", "", "", "", "", "", "", ("sent 'x'",) * 1_000)] * 400),
    "decisions": m.WhyList(id=2, entries=[WhyView("", "", 1, 1, "", "", "", ("x" * 9,) * 60, "", "")] * 200),
    "a sample": m.Sample(counters=Counters(), events=[Event(1, 1, "log", "", "", "traceback\u0700" * 20)] * 500),
}  # fmt: skip


@pytest.mark.parametrize("name", HONEST)
def test_what_an_honest_guest_tells_passes(name: str) -> None:
    told = HONEST[name]
    assert len(pack(told)) > 64 * 1024 and received(pack(told)) == told


def test_a_snapshot_may_hold_any_bytes() -> None:
    blob = b"TreeChanged\xa5links\xdd\xff\xff\xff\xff" * 10_000
    kernel = Connection("kernel")
    kernel.receive(frame(pack(m.Ready(protocol=1, pid=7, protection=Protection("off")))))
    kernel.send(m.TakeSnapshot(id=1))
    told = m.SnapshotBlob(id=1, blob=blob, step=1, processes=1)
    assert kernel.receive(frame(pack(told))) == [told]


lengths = st.integers(0, 15) | st.sampled_from([16, 255, 256, 65_535, 65_536, 90_000])


@given(st.lists(st.tuples(lengths, lengths), max_size=6))
def test_links_are_counted_as_they_are_made(pairs: list[tuple[int, int]]) -> None:
    views = tuple(ProcessView("", None, "", "", "", "", links=("",) * one, monitors=("",) * two) for one, two in pairs)
    payload = pack(m.TreeChanged(diff=TreeDiff("x", 1, 1, views)))
    made = sum(map(sum, pairs))
    if made > LINKS:
        with pytest.raises(RemoteProtocolError, match=f"{made} links"):
            refuse_crowds("TreeChanged", payload)
    else:
        refuse_crowds("TreeChanged", payload)


@pytest.mark.parametrize(("frame_", "key", "most"), [("Stepped", "did", DEEDS_TOLD), ("Sample", "started", LINES_TOLD)])
def test_deeds_and_lines_have_a_bound_of_their_own(frame_: str, key: str, most: int) -> None:
    refuse_crowds(frame_, pack({key: [None] * most}))
    with pytest.raises(RemoteProtocolError, match=f"{most + 1} "):
        refuse_crowds(frame_, pack({key: [None] * (most + 1)}))
