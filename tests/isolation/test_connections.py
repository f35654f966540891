"""What waits in connections of this OS process itself, as Linux tells it."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from jupyter_sandbox.isolation import connections, system
from jupyter_sandbox.isolation.connections import Connections
from jupyter_sandbox.isolation.kept_files import KeptFiles

from ..waiting import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")

FAMILIES = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}


@pytest.fixture(params=list(FAMILIES), ids=["IPv4", "IPv6"])
def server(request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    """Nobody accepts what is sent to it."""
    made = socket.socket(request.param)
    made.bind((FAMILIES[request.param], 0))
    made.listen(10)
    yield made
    made.close()


def filled(server: socket.socket) -> tuple[socket.socket, int]:
    """A connection with as much in it as it takes."""
    made, sent = socket.create_connection(server.getsockname()[:2]), 0
    made.setblocking(False)
    with suppress(BlockingIOError):
        while True:
            sent += made.send(bytes(1 << 16))
    return made, sent


def numbers(*sockets: socket.socket) -> set[int]:
    return {os.fstat(one.fileno()).st_ino for one in sockets}


def test_what_waits_in_a_connection_counts_for_who_has_it_open(server: socket.socket) -> None:
    (one, sent), (other, _) = filled(server), filled(server)
    own, nobody = Connections(), Connections()
    own.look(numbers(one))
    nobody.look(numbers(server))
    assert sent // 2 < own.waiting < 3 * sent and own
    assert nobody.waiting == 0 and not nobody
    one.close()
    other.close()


def test_it_counts_when_it_was_closed_until_it_is_gone(server: socket.socket) -> None:
    made, _ = filled(server)
    own = Connections()
    own.look(numbers(made))
    waiting = own.waiting
    made.close()
    own.look(())
    assert own.waiting > waiting // 2 and own
    server.close()  # which resets it

    def gone() -> bool:
        own.look(())
        return own.waiting == 0 and not own

    until(gone)


def test_what_came_and_is_not_read_counts_too() -> None:
    one, other = socket.socket(type=socket.SOCK_DGRAM), socket.socket(type=socket.SOCK_DGRAM)
    one.bind(("127.0.0.1", 0))
    other.connect(one.getsockname())
    for _ in range(20):
        other.send(bytes(5_000))
    own = Connections()
    own.look(numbers(one))
    assert own.waiting >= 100_000
    one.close()
    other.close()


def test_a_table_that_is_long_is_read_in_several_looks(server: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_PIECES", 1)
    made, sent = filled(server)
    own, looks = Connections(), 0
    while not own.waiting:
        own.look(numbers(made))
        looks += 1
        assert own, "it may have some while the table is read"
    assert looks > 1 and own.waiting > sent // 2
    made.close()


def test_who_has_none_asks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_pieces", None)
    own = Connections()
    own.look(())
    assert own.waiting == 0 and not own


def test_where_linux_tells_of_no_connections_none_are_counted(
    server: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "_TABLES", ((2, 99), (99, 6)))
    made, _ = filled(server)
    own = Connections()
    own.look(numbers(made))
    assert own.waiting == 0 and not own
    made.close()


@pytest.mark.skipif(not system.capabilities() & 1 << 12, reason="needs power over the network")
def test_what_waits_is_given_back_at_the_end(server: socket.socket) -> None:
    made, _ = filled(server)
    own = Connections()
    own.look(numbers(made))
    made.close()
    own.reset()

    def gone() -> bool:
        own.look(())
        return own.waiting == 0

    until(gone)


def test_whose_a_connection_was_that_keeps_its_port_is_not_to_be_known(
    server: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "_STATES", 1 << 6)  # those that wait for their time to pass
    made = socket.create_connection(server.getsockname()[:2])
    other, _ = server.accept()
    port, number = made.getsockname()[1], numbers(made)
    made.close()
    other.close()

    def told() -> set[int]:
        messages = [message for piece in connections._pieces() for message in connections._messages(piece[1:])]
        about = [connections._ABOUT.unpack_from(message) for message in messages]
        return {owner for _, place, _, owner in about if place[:2] == port.to_bytes(2, "big")}

    until(lambda: bool(told()))
    assert told() == {0} != number


def test_of_open_files_the_sockets_of_the_network_are_connections(server: socket.socket) -> None:
    one, other = socket.socketpair()
    seen = KeptFiles("/nowhere")
    look: Callable[[], None] = lambda: seen.look(os.getpid(), filtered=True)  # noqa: E731
    look()
    assert numbers(server) <= seen.connections and not numbers(one, other) & seen.connections
    one.close()
    other.close()
