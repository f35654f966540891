"""Who waits for another of its threads hears nothing; who computes, or is not listened to, is not taken for that."""

from __future__ import annotations

import pytest

from jupyter_sandbox.manager.hearing import Hearing


class Deaf:
    """An OS process as it is seen and heard."""

    heard, pauses, is_unread, does_wait = 7, False, True, True

    def unread(self) -> bool:
        return self.is_unread

    def waits(self) -> bool:
        return self.does_wait


@pytest.fixture
def deaf() -> Deaf:
    return Deaf()


def seen(deaf: Deaf, *looks: bool, rests: bool = True) -> Hearing:
    """After a first look, which learns how often it was heard; ``looks`` say whether its first thread waits."""
    hearing = Hearing(deaf, deaf)
    hearing.look(1, rests=rests)
    for now_ns, waits in enumerate(looks, 2):
        deaf.does_wait = waits
        hearing.look(now_ns, rests=rests)
    return hearing


def test_who_waits_while_what_it_was_sent_lies_there_is_deaf_since_the_first_such_look(deaf: Deaf) -> None:
    assert not seen(deaf).doubtful
    hearing = seen(deaf, True, True)
    assert hearing.doubtful and hearing.deaf_since_ns == 2
    assert seen(deaf, True, False, False, False).deaf_since_ns == 2, "it was woken to ask for the lock, and waited"


def test_who_computes_will_read_later(deaf: Deaf) -> None:
    hearing = seen(deaf, False, True, False, False)
    assert hearing.doubtful and hearing.deaf_since_ns == 2
    hearing = seen(deaf, False, True, False, False, False)
    assert hearing.doubtful and hearing.deaf_since_ns == 0


@pytest.mark.parametrize("what", ["it was read", "something was heard", "nobody listens", "a callback runs"])
def test_each_of_these_begins_anew(deaf: Deaf, what: str) -> None:
    hearing = seen(deaf, True)
    deaf.is_unread, deaf.heard, deaf.pauses = (
        what != "it was read", 7 + (what == "something was heard"), what == "nobody listens",
    )  # fmt: skip
    hearing.look(3, rests=what != "a callback runs")
    assert not hearing.doubtful and hearing.deaf_since_ns == 0
    deaf.is_unread, deaf.pauses = True, False
    hearing.look(4, rests=True)
    assert hearing.deaf_since_ns == 4
