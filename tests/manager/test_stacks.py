"""Where a stuck guest hangs, read from the stacks it wrote."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_sandbox.manager.stacks import StackSieve, as_traceback, hangs_beside, stack_in

DUMP = """something it printed before
Thread 0x00007f01 (most recent call first):
  File "/usr/lib/python3.11/threading.py", line 5 in wait

Current thread 0x00007f02 (most recent call first):
  File "/usr/lib/python3.11/re.py", line 7 in match
  File "<cell>", line 2 in spin
  File "<cell>", line 4 in <module>
  File "/home/me/jupyter_sandbox/guest/cell.py", line 58 in _evaluate
"""


def test_the_lines_of_the_user_come_first() -> None:
    assert [str(place) for place in stack_in(DUMP)] == ["<cell> line 2 in spin", "<cell> line 4 in <module>"]


BESIDE = """Thread 0x00007f01 (most recent call first):
  File "<cell>", line 9 in beside

"""


def test_where_the_current_thread_has_no_lines_of_the_user_it_is_another_one_that_has() -> None:
    ours = "\n".join(line for line in DUMP.splitlines() if "<cell>" not in line)
    assert [str(place) for place in stack_in(BESIDE + ours)] == ["<cell> line 9 in beside"]
    assert str(stack_in(BESIDE + DUMP)[0]) == "<cell> line 2 in spin"
    assert str(stack_in(BESIDE + DUMP, beside=True)[0]) == "<cell> line 9 in beside"
    assert str(stack_in(DUMP, beside=True)[0]) == "<cell> line 2 in spin"


STARTED = """Current thread 0x00007f02 (most recent call first):
%s  File "/home/me/jupyter_sandbox/guest/snapshot.py", line 80 in take
  File "/home/me/jupyter_sandbox/isolation/forker.py", line 58 in main
  File "<string>", line 6 in <module>
"""


ASKED_ANOTHER = (
    """Current thread 0x00007f01 (most recent call first):
  File "<cell>", line 3 in work
  File "/usr/lib/python3.11/threading.py", line 982 in run

"""
    + STARTED.replace("Current thread", "Thread") % '  File "<cell>", line 4 in <module>\n'
)


def test_whichever_thread_was_asked_what_hangs_is_that_of_the_processes_or_another_one() -> None:
    assert str(stack_in(ASKED_ANOTHER)[0]) == "<cell> line 4 in <module>"
    assert str(stack_in(ASKED_ANOTHER, beside=True)[0]) == "<cell> line 3 in work"
    assert hangs_beside(ASKED_ANOTHER, waits=True) and not hangs_beside(ASKED_ANOTHER, waits=False)
    assert shown(f"it printed\n{ASKED_ANOTHER}something after\n") == "it printed\nsomething after\n"


def test_who_dies_is_the_one_that_was_at_work() -> None:
    assert str(stack_in(f"Fatal Python error: Aborted\n\n{ASKED_ANOTHER}")[0]) == "<cell> line 3 in work"


def test_how_a_sandbox_was_started_is_no_place_where_code_of_the_user_hangs() -> None:
    assert str(stack_in(STARTED % "")[0]) == "/home/me/jupyter_sandbox/guest/snapshot.py line 80 in take"
    users = '  File "<string>", line 2 in spin\n  File "<string>", line 9 in <module>\n'
    assert [str(place) for place in stack_in(STARTED % users)] == [
        "<string> line 2 in spin", "<string> line 9 in <module>",
    ]  # fmt: skip


def test_a_stack_that_we_did_not_start_is_told_to_its_end() -> None:
    dump = 'Current thread 0x01 (most recent call first):\n  File "<string>", line 1 in <module>\n'
    assert [str(place) for place in stack_in(dump)] == ["<string> line 1 in <module>"]


def test_a_stack_that_is_told_alone_is_that_of_the_thread_that_died() -> None:
    assert str(
        stack_in('Fatal Python error: x\n\nStack (most recent call first):\n  File "<cell>", line 2 in f\n')[0]
    ) == ("<cell> line 2 in f")


def test_without_lines_of_the_user_it_is_the_innermost_line_of_all() -> None:
    ours = "\n".join(line for line in DUMP.splitlines() if "<cell>" not in line)
    assert str(stack_in(ours)[0]) == "/usr/lib/python3.11/re.py line 7 in match"


@pytest.mark.parametrize("place", [
    "/usr/lib/python3.11", "/usr/lib64/python3.12", "/home/me/.venv/lib/python3.13/site-packages/numpy",
    "/usr/lib/python3/dist-packages", "/home/me/jupyter_sandbox/guest",
])  # fmt: skip
def test_the_users_line_is_told_before_one_of_a_library_wherever_that_lies(place: str) -> None:
    dump = f'{{}}  File "{place}/x.py", line 1 in f\n  File "lib/python.py", line 2 in mine\n'
    assert [str(one) for one in stack_in(dump.format("Current thread 0x01 (most recent call first):\n"))] == [
        "lib/python.py line 2 in mine"
    ]


def test_a_traceback_has_the_innermost_line_last() -> None:
    assert as_traceback(stack_in(DUMP))[-1] == '  File "<cell>", line 2, in spin'
    assert as_traceback([]) == ()


@pytest.mark.parametrize("end", ["\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029", "\r"])
def test_no_name_that_a_guest_gives_ends_a_line(end: str) -> None:
    head = "Current thread 0x01 (most recent call first):"
    assert stack_in(f'printed{end}{head}{end}  File "forged", line 1 in forged\n') == []
    [place] = stack_in(f'{head}\n  File "cell", line 2 in spin{end}  File "forged", line 1 in forged\n')
    assert place.file.startswith("cell"), "and there is no second one"


def test_what_else_was_printed_is_shown_without_the_stacks() -> None:
    assert shown(f"{DUMP}something after\n") == "something it printed before\nsomething after\n"
    assert shown("Thread 7 (most recent call first):\nmine\n") == "Thread 7 (most recent call first):\nmine\n"


def shown(*pieces: str) -> str:
    """What of them is shown, when they were read one by one after the stacks were asked for."""
    sieve = StackSieve()
    sieve.expect()
    return (b"".join(sieve.passed(piece.encode()) for piece in pieces) + sieve.rest()).decode()


@given(st.lists(st.integers(0, len(DUMP)), max_size=8))
def test_in_whatever_pieces_the_stacks_come_nothing_of_them_is_shown(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(DUMP)]
    pieces = [DUMP[begin:end] for begin, end in pairwise(places)]
    assert shown(*pieces) == "something it printed before\n"
    assert shown(*pieces, "\n  indented\nend") == "something it printed before\n\n  indented\nend"
    assert shown("no line end ", *pieces) == "no line end something it printed before\n"


def test_a_stack_that_was_cut_by_the_end_is_not_shown() -> None:
    for end in range(DUMP.index("File"), len(DUMP)):
        assert shown(DUMP[:end]) == "something it printed before\n"


@pytest.mark.parametrize("printed", [
    "Th", "Current thread", "a Thread 0x7 of mine\n", "\n\n", "  File \"x\", line 3 in f\n",
    'Traceback (most recent call last):\n  File "x", line 3, in f\nValueError: Thread',
])  # fmt: skip
def test_what_only_looks_like_stacks_is_shown_whole(printed: str) -> None:
    assert shown(*printed) == shown(printed) == printed
    assert shown("before\n", DUMP, "over\n", printed) == f"before\nsomething it printed before\nover\n{printed}"


def test_stacks_that_nobody_asked_for_are_shown_also_behind_those_that_were() -> None:
    own = DUMP.removeprefix("something it printed before\n")
    assert shown(DUMP, own) == f"something it printed before\n{own}"
    assert StackSieve().passed(DUMP.encode()) == DUMP.encode()


@given(
    st.lists(
        st.sampled_from(["\n", "  ", "Thread 0x1", " (most recent call first):\n", "x", '  File "x", line 1 in f\n'])
    )
)
def test_whatever_is_printed_beside_stacks_is_passed_in_its_order(pieces: list[str]) -> None:
    whole = iter("".join(pieces))
    assert all(letter in whole for letter in shown(*pieces))


@given(st.text())
def test_whatever_was_written_is_read_without_an_error(text: str) -> None:
    assert len(as_traceback(stack_in(text))) <= 41
