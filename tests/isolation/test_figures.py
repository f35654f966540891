"""Figures are read from files that stay open: of one OS process for ever, and of nobody when it has ended."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_sandbox.isolation.figures import Figures

from ..waiting import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")


def test_they_are_what_linux_says() -> None:
    figures = Figures(os.getpid())
    assert figures.statm().split()[0] == Path("/proc/self/statm").read_bytes().split()[0]
    assert figures.status().startswith(b"Name:") and figures.status().count(b"\n") > 40
    assert figures.state() == b"R" and figures.threads() == len(os.listdir("/proc/self/task"))
    figures.close()
    figures.close()
    assert figures.state() == b"" and figures.threads() == 0
    with pytest.raises(OSError, match="Bad file descriptor"):
        figures.statm()


def test_of_who_has_ended_there_are_none_whoever_has_its_number() -> None:
    with subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE) as process:
        figures = Figures(process.pid)
        until(lambda: figures.state() == b"S")
    assert figures.state() == b"" and figures.threads() == 0
    with pytest.raises(OSError, match="No such process"):
        figures.status()
    figures.close()
    with pytest.raises(FileNotFoundError):
        Figures(process.pid)
