"""How the end of an OS process is told: by whom, where, and what is not known. What the guest left is not believed."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_sandbox.isolation.exits import ExitStatus
from jupyter_sandbox.manager.last_end import Left, in_words

DUMP = """printed before
Fatal Python error: Segmentation fault

Stack (most recent call first):
  File "/usr/lib/python3.11/ctypes/__init__.py", line 519 in string_at
  File "<cell>", line 9 in handle_call
  File "/home/me/jupyter_sandbox/runtime/steps.py", line 5 in take_steps
"""
RAISED = "Traceback (most recent call last):\n  File 'x'\nMemoryError: no memory was left\n"


@pytest.mark.parametrize(
    ("left", "text"),
    [
        (Left(busy=True, name="cart <0.7.0>", stderr=DUMP),
         "in a callback of cart <0.7.0>, at <cell> line 9 in handle_call"),
        (Left(busy=True, name="<0.7.0>"), "in a callback of <0.7.0>"),
        (Left(busy=True, stderr=DUMP), "in a callback, at <cell> line 9 in handle_call"),
        (Left(busy=True), "in a callback"),
        (Left(name="cart <0.7.0>"), "while no callback ran"),
    ],
)  # fmt: skip
def test_a_deadly_signal_is_told_with_what_the_page_says_and_no_more(left: Left, text: str) -> None:
    assert in_words(ExitStatus(signal=11), left) == f"signal 11 (SIGSEGV) {text}"


def test_the_call_that_ended_it_says_more_than_the_page() -> None:
    left = Left("os.kill in init of cart <0.7.0>", True, "other")
    assert in_words(ExitStatus(signal=9), left) == "signal 9 (SIGKILL): os.kill in init of cart <0.7.0>"


def test_an_exception_is_told_of_a_guest_that_one_has_ended_and_of_no_other() -> None:
    left = Left(stderr=RAISED)
    assert in_words(ExitStatus(code=71), left) == "exit 71 (MemoryError: no memory was left)"
    assert in_words(ExitStatus(code=3), left) == "exit 3"
    assert "MemoryError" not in in_words(ExitStatus(signal=9), left)


def test_what_is_printed_after_an_exception_is_not_taken_for_it() -> None:
    left = Left(stderr=f"{RAISED}sys:1: RuntimeWarning: coroutine 'late' was never awaited\n")
    assert in_words(ExitStatus(code=71), left) == "exit 71 (MemoryError: no memory was left)"


@pytest.mark.parametrize("end", ["\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029", "\r"])
def test_an_exception_whose_message_has_other_ends_of_lines_is_told_from_its_name_on(end: str) -> None:
    left = Left(stderr=f"Traceback (most recent call last):\n  File 'x'\nValueError: no{end}Killed by the system\n")
    told = in_words(ExitStatus(code=71), left)
    assert told.startswith("exit 71 (ValueError: no") and told.endswith("Killed by the system)") and end not in told


def test_processor_time_is_told_wherever_the_end_is() -> None:
    told = in_words(ExitStatus(signal=24), Left(busy=True, name="<0.7.0>"))
    assert told == "signal 24 (SIGXCPU): more processor time than max_runtime allows in a callback of <0.7.0>"


@given(st.text(max_size=300), st.text(max_size=300))
def test_whatever_was_left_behind_is_told_in_one_bounded_printable_line(name: str, stderr: str) -> None:
    told = in_words(ExitStatus(signal=6), Left("", True, name, f"{DUMP}{stderr}"))
    assert "\x1b" not in told and len(told) < 4_000


@pytest.mark.parametrize("code", [70, 71, 74, 76])
def test_every_code_of_a_guests_own_has_words(code: int) -> None:
    assert re.fullmatch(rf"exit {code}: [a-z ]{{10,}}.*", in_words(ExitStatus(code=code), Left()))
    assert in_words(ExitStatus(code=code), Left("os._exit in init of a")) == f"exit {code}: os._exit in init of a"
