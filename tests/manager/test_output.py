"""What a guest prints: bounded, counted, harmless."""

from __future__ import annotations

import asyncio
import itertools
import os
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_sandbox.manager.errands import Errand, GuestErrands, errands_of
from jupyter_sandbox.manager.output import PIECE_BYTES, TAIL_BYTES, OutputPump, OutputTail, Send, harmless


def pipe() -> tuple[int, int]:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    return reader, writer


def sender() -> Send:
    return GuestErrands(errands_of(asyncio.get_running_loop())).send


def test_text_beyond_the_budget_is_dropped_and_counted() -> None:
    tail = OutputTail(budget=10)
    tail.feed(b"0123456789abc")
    tail.feed(b"def")
    assert tail.take() == ("0123456789", 6)
    assert tail.take() == ("", 0)


def test_a_new_cell_has_a_new_budget() -> None:
    tail = OutputTail(budget=3)
    tail.feed(b"abcd")
    tail.take()
    tail.renew()
    tail.feed(b"ef")
    assert tail.take() == ("ef", 0)


def test_the_tail_keeps_the_newest_and_says_what_is_missing() -> None:
    tail = OutputTail(budget=0)
    for _ in range(10):
        tail.feed(b"x" * TAIL_BYTES)
    tail.feed(b"end")
    assert tail.text().endswith("xend")
    assert tail.text().startswith(f"[{9 * TAIL_BYTES + 3} bytes before this are not kept]\n")
    assert tail.text(since=tail.total - 3) == "end"


def test_a_character_cut_in_two_by_the_pipe_is_whole_again() -> None:
    tail = OutputTail(budget=100)
    data = "é".encode()
    tail.feed(data[:1])
    assert tail.take() == ("", 0)
    tail.feed(data[1:])
    assert tail.take() == ("é", 0)


def test_nothing_that_steers_hides_or_reorders_reaches_a_terminal() -> None:
    assert harmless("one\n\ttwo\r\n") == "one\n\ttwo\n"
    assert harmless("a\rb\x00\x1b]0;t\x07\x1b[2J") == "a\\x0db\\x00\\x1b]0;t\\x07\\x1b[2J"
    assert harmless("\x1b[8mhidden \x1b[30;40mX\x1b[0m") == "\\x1b[8mhidden \\x1b[30;40mX\\x1b[0m"
    assert harmless("\u202egpj.exe \u200b") == "\\u202egpj.exe \\u200b"


@pytest.mark.parametrize("text", ["\x00", "\x1b", "a\x00", "é\x9b", "\r"])
def test_a_million_control_characters_cost_a_moment(text: str) -> None:
    """The manager's thread does nothing else meanwhile."""

    def cost() -> float:
        started = time.thread_time()
        harmless(text * (1_000_000 // len(text)))
        return time.thread_time() - started

    assert min(cost() for _ in range(3)) < 0.2


@given(st.text(st.sampled_from("\x00\x07\x1b\x1b[;1m\r\n\t\x7f\x85\x9b\xa0é\\x")))
def test_each_control_character_is_shown_as_its_number_wherever_it_stands(text: str) -> None:
    def shown(one: str) -> str:
        control = one not in "\n\t" and (ord(one) < 0x20 or 0x7F <= ord(one) < 0xA0)
        return f"\\x{ord(one):02x}" if control else one

    text = text.replace("\r\n", "\n")
    assert harmless(text) == "".join(map(shown, text))


MARKS = "".join(map(chr, (0x1039, 0x17D2, 0x1A60, 0x11D97, 0x200C, 0x200D, 0xFE0E, 0xFE0F)))


@pytest.mark.parametrize("text", [MARKS, "é\ufe0f", "1\u200d", "क्\u200d\u200d", "\u1039\u202e"])
def test_a_million_bytes_of_marks_cost_little_and_a_piece_of_them_a_moment(text: str) -> None:
    def cost(size: int) -> float:
        started = time.thread_time()
        harmless(text * (size // len(text.encode())))
        return time.thread_time() - started

    assert min(cost(1_000_000) for _ in range(3)) < 0.7
    assert min(cost(PIECE_BYTES) for _ in range(3)) < 0.05


def test_much_is_told_in_pieces_that_end_with_a_line_and_what_is_missing_with_the_last() -> None:
    tail = OutputTail(budget=3 * PIECE_BYTES)
    line = "é" * 49 + "\n"
    tail.feed(line.encode() * (4 * PIECE_BYTES // 99))
    pieces = []
    while tail.fresh:
        pieces.append(tail.take())
    assert len(pieces) == 4 and all(len(text.encode()) <= PIECE_BYTES for text, _ in pieces)
    assert all(text.endswith("\n") for text, _ in pieces[:-1])
    assert [dropped for _, dropped in pieces] == [0, 0, 0, 4 * PIECE_BYTES // 99 * 99 - 3 * PIECE_BYTES]
    assert "".join(text for text, _ in pieces) == (line * (3 * PIECE_BYTES // 99 + 1)).encode()[
        : 3 * PIECE_BYTES
    ].decode("utf-8", "ignore")


@pytest.mark.parametrize("way", ["by itself", "waited for"])
def test_others_have_their_turn_between_two_pieces(way: str) -> None:
    """In the order in which it was printed."""
    seen: list[str] = []

    async def pump() -> None:
        reader, writer = pipe()
        loop = asyncio.get_running_loop()
        pump = OutputPump(reader, 1_000_000, lambda text, dropped: seen.append(text), sender())
        pump.begin()

        def other() -> None:
            seen.append("other")
            loop.call_soon(other)

        def write() -> None:
            for number in range(8):
                os.write(writer, bytes([ord("a") + number]) * PIECE_BYTES)

        thread = threading.Thread(target=write)
        thread.start()
        while thread.is_alive():
            pump.read()
        pump.read()
        loop.call_soon(other)
        await asyncio.sleep(0)
        if way == "waited for":
            await pump.told()
        else:
            pump.flush()
        while pump.tail.fresh:
            await asyncio.sleep(0)
        pump.close()
        os.close(writer)

    asyncio.run(asyncio.wait_for(pump(), 100))
    told = [at for at, text in enumerate(seen) if text != "other"]
    assert "".join(seen[at] for at in told) == "".join(chr(ord("a") + number) * PIECE_BYTES for number in range(8))
    assert len(told) == 8 and all(after - before > 1 for before, after in itertools.pairwise(told))


@given(st.lists(st.binary(max_size=50), max_size=20), st.integers(0, 300))
def test_every_byte_is_either_shown_or_counted(chunks: list[bytes], budget: int) -> None:
    tail = OutputTail(budget)
    shown = dropped = 0
    for chunk in chunks:
        before = tail.total
        tail.feed(chunk)
        assert tail.total == before + len(chunk)
        _, lost = tail.take()
        dropped += lost
    shown = tail.total - dropped
    assert shown == min(budget, tail.total)


def test_a_flood_through_a_pipe_is_read_to_its_end_in_bounded_memory() -> None:
    size = 50_000_000
    told: list[tuple[str, int]] = []

    async def pump() -> OutputTail:
        reader, writer = pipe()

        def flood() -> None:
            left = size
            while left:
                left -= os.write(writer, b"x" * min(left, 65536))
            os.close(writer)

        pump = OutputPump(reader, 1_000_000, lambda text, dropped: told.append((text, dropped)), sender())
        pump.begin()
        thread = threading.Thread(target=flood)
        thread.start()
        await asyncio.to_thread(thread.join)
        pump.drain()  # what the pipe still holds
        pump.close()
        return pump.tail

    tail = asyncio.run(asyncio.wait_for(pump(), 100))
    assert tail.total == size
    assert sum(len(text) for text, _ in told) == 1_000_000
    assert sum(dropped for _, dropped in told) == size - 1_000_000


class Sent:
    """Errands that somebody is kept on until ``go_on``."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self._errands = GuestErrands(errands_of(asyncio.get_running_loop()))

    def send(self, act: Callable[[], Any], done: Callable[[Any], None]) -> Errand[Any]:
        return self._errands.send(lambda: (self.free.wait(), act())[1], done)


def test_who_is_kept_while_reading_keeps_nobody_and_the_pipe_is_closed_when_he_is_back() -> None:
    told: list[str] = []

    async def pump() -> None:
        reader, writer = pipe()
        sent = Sent()
        pump = OutputPump(reader, 1_000, lambda text, dropped: told.append(text), sent.send)
        pump.begin()
        os.write(writer, b"one")
        for _ in range(10):
            await asyncio.sleep(0)
        asked = asyncio.create_task(pump.told())
        await asyncio.sleep(0.05)
        assert told == [] and not asked.done(), "who asked goes on waiting, and the loop with others"
        sent.free.set()
        await asked
        assert told == ["one"]
        sent.free.clear()
        os.write(writer, b"two")
        await asyncio.sleep(0.05)
        pump.close()
        assert pump.fileno() == reader, "somebody reads from it"
        sent.free.set()
        while pump.fileno() != -1:
            await asyncio.sleep(0.001)
        os.close(writer)

    asyncio.run(asyncio.wait_for(pump(), 100))
    assert told == ["one"], "what comes after the close is nobody's"


def test_what_a_writer_that_has_ended_left_is_told_at_once_and_in_order() -> None:
    told: list[str] = []

    async def pump() -> None:
        reader, writer = pipe()
        pump = OutputPump(reader, 1_000, lambda text, dropped: told.append(text), sender())
        pump.begin()
        os.write(writer, b"one ")
        await asyncio.sleep(0)  # somebody is sent
        os.write(writer, b"two")
        os.close(writer)
        pump.drain()
        pump.close()
        assert pump.fileno() == -1
        pump.close()

    asyncio.run(asyncio.wait_for(pump(), 100))
    assert "".join(told) == "one two"


def test_notes_of_what_is_missing_that_follow_each_other_become_one() -> None:
    tail = OutputTail(budget=1_000)
    tail.feed(b"shown\n")
    tail.mark("stdout", 5)
    tail.mark("stdout", 7)
    tail.feed(b"more\n")
    tail.mark("stdout", 1)
    assert tail.text() == "shown\n[12 bytes of stdout dropped]\nmore\n[1 bytes of stdout dropped]\n"


def test_a_note_of_what_is_missing_stands_on_a_line_of_its_own() -> None:
    tail = OutputTail(budget=1_000)
    tail.mark("stdout", 1)
    tail.feed(b"cut of")
    tail.mark("stderr", 5)
    tail.mark("stderr", 7)
    assert tail.text() == "[1 bytes of stdout dropped]\ncut of\n[12 bytes of stderr dropped]\n"


def test_what_is_withheld_is_kept_and_counts_for_nobody() -> None:
    tail = OutputTail(100)
    tail.feed(b"mine\nFatal: yours\n")
    tail.withhold(b"Fatal: ")
    assert tail.take() == ("mine\n", 0) and tail.text() == "mine\nFatal: yours\n" and tail.cell == 5
    tail.withhold(b"Fatal: ")
    assert tail.take() == ("", 0)
