"""The kernel is closed to other OS processes of its user exactly as long as a guest needs that."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import pytest

from jupyter_sandbox.isolation.guest_process import GuestProcess
from jupyter_sandbox.isolation.seclusion import Seclusion, seclude
from jupyter_sandbox.model.errors import Unsupported
from jupyter_sandbox.model.protection import Layer, Protection


class Flag:
    """What Linux keeps for an OS process."""

    def __init__(self, value: int = 1) -> None:
        self.value = value

    def read(self) -> int:
        return self.value

    def write(self, value: int) -> None:
        self.value = value


class Guest:
    """What is asked of one here."""

    after = None


def report(*names: str) -> Protection:
    return Protection("basic", tuple(Layer(name, True, True, True) for name in names), ("words",))


@pytest.fixture
def flag() -> Iterator[Flag]:
    yield Flag()


def kernel(flag: Flag) -> Seclusion:
    return Seclusion(flag.read, flag.write)


def test_it_is_open_again_when_the_last_need_is_over(flag: Flag) -> None:
    one = kernel(flag)
    assert one.begin("a") and one.begin("b") and flag.value == 0
    one.end("a")
    assert flag.value == 0
    one.end("a")
    one.end("nobody")
    assert flag.value == 0, "who ends twice, or never began, opens nothing"
    one.end("b")
    assert flag.value == 1


@pytest.mark.parametrize("value", [0, 2])
def test_what_somebody_else_closed_stays_closed(value: int) -> None:
    flag = Flag(value)
    one = kernel(flag)
    assert one.begin("a")
    one.end("a")
    assert flag.value == value


def test_what_somebody_opened_meanwhile_is_closed_for_the_next(flag: Flag) -> None:
    one = kernel(flag)
    one.begin("a")
    flag.value = 1
    assert one.begin("b") and flag.value == 0


def test_a_forked_child_stays_closed_whoever_ends_in_it(flag: Flag) -> None:
    one = kernel(flag)
    one.begin("a")
    one.forget()
    one.end("a")
    assert flag.value == 0
    assert one.begin("its own") and flag.value == 0
    one.end("its own")
    assert flag.value == 0


def test_a_guest_that_landlock_holds_needs_nothing(flag: Flag) -> None:
    guest, found = Guest(), report("landlock", "seccomp")
    assert seclude(cast(GuestProcess, guest), found, kernel(flag)) == found
    assert flag.value == 1 and guest.after is None


def test_a_guest_without_landlock_closes_it_until_its_end(flag: Flag) -> None:
    guest, found = Guest(), report("seccomp")
    assert seclude(cast(GuestProcess, guest), found, kernel(flag)) == found
    assert flag.value == 0 and guest.after is not None
    guest.after()
    assert flag.value == 1


def test_a_guest_that_can_start_programs_closes_it_for_good(flag: Flag) -> None:
    guest = Guest()
    seclude(cast(GuestProcess, guest), report("rlimits"), kernel(flag))
    assert guest.after is not None
    guest.after()
    assert flag.value == 0


@pytest.mark.parametrize("error", [OSError(1, "refused"), Unsupported("this needs Linux")])
def test_where_it_cannot_be_closed_that_is_said(error: Exception) -> None:
    def refuse() -> int:
        raise error

    found = seclude(cast(GuestProcess, Guest()), report("seccomp"), Seclusion(refuse))
    assert found.not_stopped == ("words", "it can read and change the memory of this kernel")


def test_where_closing_has_no_effect_that_is_said_too(flag: Flag) -> None:
    found = seclude(cast(GuestProcess, Guest()), report("seccomp"), Seclusion(flag.read, lambda value: None))
    assert "it can read and change the memory of this kernel" in found.not_stopped
