"""Which Landlock is asked for what: pure, and the calls that are made of it."""

from __future__ import annotations

import pytest

from jupyter_sandbox.isolation import landlock, system


@pytest.mark.parametrize(("version", "flags"), [(1, 0), (6, 0), (7, 1), (9, 1)])
def test_what_is_refused_does_not_fill_the_log_of_the_machine(
    version: int, flags: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From version 7 on Linux writes each refusal into its log of audits, unless told not to."""
    calls: list[tuple[object, ...]] = []

    def call(*arguments: object) -> int:
        calls.append(arguments)
        return 1_000  # a number that is no open file

    monkeypatch.setattr(system, "syscall", call)
    monkeypatch.setattr(landlock.os, "close", calls.append)
    landlock.restrict(landlock.handled(version), [])
    restricted = [call for call in calls if isinstance(call, tuple) and call[0] == 446]
    assert restricted == [(446, 1_000, flags)]
