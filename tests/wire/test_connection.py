"""Only the right frames, from the right side, at the right time."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_sandbox.model.errors import LocalProtocolError, RemoteProtocolError, Unsendable
from jupyter_sandbox.model.limits import Limits
from jupyter_sandbox.model.protection import Layer, Protection
from jupyter_sandbox.model.views import Counters, Event, StepView
from jupyter_sandbox.wire import messages as m
from jupyter_sandbox.wire.connection import Connection, ConnectionState
from jupyter_sandbox.wire.framing import frame
from jupyter_sandbox.wire.legality import ANSWERS, KINDS, LARGE, TRANSITIONS

READY = m.Ready(protocol=1, pid=7, protection=Protection("basic", (Layer("rlimits", True, True, True),), ("all",)))
texts = st.text(max_size=30)
requests = st.one_of(
    st.builds(m.Call, id=st.just(0), target=texts, args=st.binary(max_size=2000)),
    st.builds(m.Inspect, id=st.just(0), target=texts),
    st.builds(m.Until, id=st.just(0), process=st.none() | texts, step=st.none() | st.integers(0, 1 << 40)),
)
pushes = st.one_of(
    st.builds(m.Notice, level=texts, text=texts, traceback=st.lists(texts, max_size=3)),
    st.builds(
        m.Sample, counters=st.builds(Counters), events=st.just([Event(1, 2, "crash", "<0.1.0>", "a", "b", {"n": 1})])
    ),
)


def pair(**options: int) -> tuple[Connection, Connection]:
    """Kernel and guest, past Ready."""
    kernel, guest = Connection("kernel", **options), Connection("guest", **options)
    assert kernel.receive(guest.send(READY)) == [READY]
    return kernel, guest


def raw(value: Any) -> bytes:
    return frame(msgspec.msgpack.encode(value))


@given(st.lists(requests, max_size=10), st.lists(pushes, max_size=10), st.integers(1, 40))
def test_frames_arrive_as_they_were_sent_under_any_chunking(asked: list[Any], told: list[Any], size: int) -> None:
    kernel, guest = pair(max_frame=300)
    asked = [msgspec.structs.replace(request, id=number) for number, request in enumerate(asked)]
    stream = b"".join(map(kernel.send, asked))
    received = [each for at in range(0, len(stream), size) for each in guest.receive(stream[at : at + size])]
    assert received == asked
    kernel, guest = pair()
    stream = b"".join(map(guest.send, told))
    received = [each for at in range(0, len(stream), size) for each in kernel.receive(stream[at : at + size])]
    assert received == told


@given(st.binary(min_size=1, max_size=200), st.integers(1, 50))
def test_garbage_is_a_protocol_error_or_nothing_under_any_chunking(data: bytes, size: int) -> None:
    kernel, _ = pair(max_frame=300)
    try:
        assert [each for at in range(0, len(data), size) for each in kernel.receive(data[at : at + size])] == []
    except RemoteProtocolError:
        assert kernel.state is ConnectionState.FAILED
        with pytest.raises(RemoteProtocolError):
            kernel.receive(b"")


@given(st.binary(min_size=1, max_size=100))
def test_a_framed_random_body_is_a_protocol_error(body: bytes) -> None:
    kernel, _ = pair()
    with pytest.raises(RemoteProtocolError):
        kernel.receive(frame(body))


@pytest.mark.parametrize(
    "body",
    [
        b"\x91" * 1_000_000,
        b"\xdd\x00\x0f\xff\xf0" + b"\x90" * 0xFFFF0,
        msgspec.msgpack.encode({"type": "Notice", "level": 1, "text": "x"}),
        msgspec.msgpack.encode({"type": "Nothing", "id": 1}),
        msgspec.msgpack.encode({"type": "Call", "id": 1, "target": "x", "args": b""}),
        msgspec.msgpack.encode({"type": "Ready", "protocol": 1, "pid": 7}),
        b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x94.",
    ],
    ids=[
        "a million levels",
        "a million empty lists",
        "wrong type",
        "unknown",
        "a request",
        "a part missing",
        "a pickle",
    ],
)
def test_hostile_bodies_are_protocol_errors(body: bytes) -> None:
    kernel, _ = pair()
    with pytest.raises(RemoteProtocolError):
        kernel.receive(frame(body))


def test_ready_comes_first_and_once() -> None:
    with pytest.raises(RemoteProtocolError, match="starting"):
        Connection("kernel").receive(raw(m.Notice(level="info", text="x")))
    with pytest.raises(LocalProtocolError, match="starting"):
        Connection("guest").send(m.Notice(level="info", text="x"))
    kernel, guest = pair()
    with pytest.raises(LocalProtocolError):
        guest.send(READY)
    with pytest.raises(RemoteProtocolError):
        kernel.receive(raw(READY))


def test_requests_may_travel_before_ready() -> None:
    kernel, guest = Connection("kernel"), Connection("guest")
    assert guest.receive(kernel.send(m.Tree(id=1))) == [m.Tree(id=1)]
    kernel.receive(guest.send(READY))
    assert kernel.receive(guest.send(m.Failed(id=1, kind="x", message="y")))[0].id == 1


@pytest.mark.parametrize("answer", [m.Done(id=2), m.Value(id=1, data=b""), m.Done(id=-1)])
def test_an_answer_to_nothing_or_of_the_wrong_type_is_refused_on_both_ends(answer: m.Answer) -> None:
    kernel, guest = pair()
    guest.receive(kernel.send(m.Pause(id=1)))
    with pytest.raises(LocalProtocolError):
        guest.send(answer)
    with pytest.raises(RemoteProtocolError):
        kernel.receive(raw(answer))


def test_a_request_is_answered_once() -> None:
    kernel, guest = pair()
    guest.receive(kernel.send(m.Resume(id=1)))
    assert kernel.unanswered == guest.unanswered == (1,)
    answer = guest.send(m.Done(id=1))
    assert kernel.receive(answer) == [m.Done(id=1)]
    with pytest.raises(RemoteProtocolError, match="not waiting"):
        kernel.receive(answer)


def test_an_id_in_use_is_not_used_again() -> None:
    kernel, _ = pair()
    kernel.send(m.Tree(id=1))
    with pytest.raises(LocalProtocolError, match="waiting for an answer"):
        kernel.send(m.Tree(id=1))


def test_sides_do_not_send_each_others_frames() -> None:
    kernel, guest = pair()
    with pytest.raises(LocalProtocolError, match="a kernel does not send Notice"):
        kernel.send(m.Notice(level="info", text="x"))
    with pytest.raises(LocalProtocolError, match="a guest does not send Tree"):
        guest.send(m.Tree(id=1))
    with pytest.raises(LocalProtocolError):
        guest.send("x")  # type: ignore[arg-type]


def test_after_shutdown_answers_still_come_and_its_own_answer_is_the_last_frame() -> None:
    kernel, guest = pair()
    guest.receive(kernel.send(m.Tree(id=1)) + kernel.send(m.Shutdown(id=2)))
    with pytest.raises(LocalProtocolError, match="stopping"):
        kernel.send(m.Tree(id=3))
    kernel.receive(guest.send(m.Failed(id=1, kind="x", message="y")) + guest.send(m.Done(id=2)))
    assert kernel.state is guest.state is ConnectionState.CLOSED
    with pytest.raises(RemoteProtocolError, match="closed"):
        kernel.receive(raw(m.Notice(level="info", text="x")))
    kernel.eof()


def test_a_shutdown_before_ready_is_obeyed() -> None:
    kernel, guest = Connection("kernel"), Connection("guest")
    guest.receive(kernel.send(m.Shutdown(id=1)))
    kernel.receive(guest.send(READY) + guest.send(m.Done(id=1)))
    assert kernel.state is ConnectionState.CLOSED


def test_a_stream_that_ends_inside_a_frame_is_told() -> None:
    kernel, guest = pair()
    kernel.receive(guest.send(m.Notice(level="info", text="x"))[:-1])
    with pytest.raises(RemoteProtocolError, match="inside a frame"):
        kernel.eof()


def test_large_answers_come_in_pieces_and_only_types_that_may_be_large() -> None:
    kernel, guest = pair(max_frame=1000)
    guest.receive(kernel.send(m.TakeSnapshot(id=1)))
    blob = m.SnapshotBlob(id=1, blob=bytes(50_000), step=1, processes=2)
    assert kernel.receive(guest.send(blob)) == [blob]
    notice = m.Notice(level="info", text="x" * 5000)
    with pytest.raises(LocalProtocolError, match="too long"):
        guest.send(notice)
    with pytest.raises(RemoteProtocolError, match="a piece of Notice, which comes whole"):
        kernel.receive(frame(msgspec.msgpack.encode(notice), max_frame=1000))


def test_a_large_answer_that_nobody_asked_for_is_refused_at_its_first_piece() -> None:
    kernel, guest = pair(max_frame=1000)
    guest.receive(kernel.send(m.TakeSnapshot(id=1)))
    kernel.receive(guest.send(m.SnapshotBlob(id=1, blob=bytes(50_000), step=1, processes=2)))
    again = frame(msgspec.msgpack.encode(m.SnapshotBlob(id=1, blob=bytes(50_000), step=1, processes=2)), max_frame=1000)
    with pytest.raises(RemoteProtocolError, match="a piece of SnapshotBlob, which nobody waits for"):
        kernel.receive(again[:1100])


def test_a_large_frame_is_as_long_as_its_type_may_be() -> None:
    kernel, _ = pair(max_frame=1 << 20)
    body = msgspec.msgpack.encode({"type": "Sample"}) + bytes(LARGE["Sample"])
    with pytest.raises(RemoteProtocolError, match=f"more than {LARGE['Sample']} bytes in one transfer"):
        kernel.receive(frame(body)[: LARGE["Sample"] + 100])


def test_a_large_frame_that_hides_its_type_is_not_decoded() -> None:
    kernel, _ = pair(max_frame=1000)
    body = msgspec.msgpack.encode({"text": "x" * 5000, "level": "info", "type": "Notice"})
    with pytest.raises(RemoteProtocolError, match="no known frame"):
        kernel.receive(frame(body, max_frame=1000))


def test_texts_that_utf8_cannot_carry_are_escaped_not_refused() -> None:
    kernel, guest = pair()
    told = StepView(1, "<0.1.0>", "a", "call", "'\ud800'", "", "", "")
    guest.receive(kernel.send(m.Step(id=1)))
    (received,) = kernel.receive(guest.send(m.Stepped(id=1, steps=[told], step=1)))
    assert isinstance(received, m.Stepped) and received.steps[0].message == "'\\ud800'"


def test_a_refused_frame_changes_nothing() -> None:
    kernel, guest = pair()
    guest.receive(kernel.send(m.Pause(id=1)))
    with pytest.raises(LocalProtocolError):
        guest.send(m.Done(id=1))
    assert kernel.receive(guest.send(m.PausedAt(id=1, step=3))) == [m.PausedAt(id=1, step=3)]


def test_every_frame_has_a_kind_and_every_request_its_answers() -> None:
    assert set(KINDS) == set(get_args(m.KernelFrame)) | set(get_args(m.GuestFrame))
    assert set(ANSWERS) == set(get_args(m.KernelFrame))


def test_nothing_leads_out_of_the_last_states() -> None:
    assert not {state for state, _ in TRANSITIONS} & {ConnectionState.CLOSED, ConnectionState.FAILED}


@pytest.mark.parametrize(
    ("request_", "where"),
    [
        (m.Kill(id=1, target="a", reason=None), "reason"),  # type: ignore[arg-type]
        (m.Call(id=1, target="a", args=b"", timeout_ms=500.0), "timeout_ms"),  # type: ignore[arg-type]
        (m.Execute(id=1, source=b"x", file=""), "source"),  # type: ignore[arg-type]
        (m.Step(id=1, count=True), "count"),
        (m.SetLimits(id=1, limits=Limits(max_memory="x")), "max_memory"),  # type: ignore[arg-type]
        (m.Kill(id=1, target=object()), "cannot be written"),  # type: ignore[arg-type]
        (m.Step(id=1, count=2**70), "cannot be written"),
    ],
)
def test_a_request_that_a_guest_could_not_read_is_not_sent_and_changes_nothing(request_: Any, where: str) -> None:
    kernel, guest = pair()
    with pytest.raises(Unsendable, match=where):
        kernel.send(request_)
    assert kernel.unanswered == ()
    assert guest.receive(kernel.send(m.Tree(id=1))) == [m.Tree(id=1)]
