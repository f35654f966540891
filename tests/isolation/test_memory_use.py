"""What an OS process has for itself is read where Linux tells it, wherever that stands."""

from __future__ import annotations

import os
import sys

import pytest

from jupyter_sandbox.isolation import brief, memory_use

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")


def test_memory_is_found_behind_the_groups_of_a_user_who_is_in_thousands(monkeypatch: pytest.MonkeyPatch) -> None:
    groups = b" ".join(str(100_000 + number).encode() for number in range(6_000))
    text = b"Groups:\t" + groups + b"\nVmHWM:\t 900 kB\nVmRSS:\t 700 kB\nRssFile:\t 400 kB\n"
    use = memory_use.MemoryUse(os.getpid())
    monkeypatch.setattr(brief, "read_at_start", lambda fd, most: text[:most])
    assert memory_use._ask(use.figures, look_beside=False)[0].files == 400 * 1024 // memory_use._PAGE
    assert use.given_back() == 200 * 1024
    use.close()
