"""When the kernel is killed, nothing of it runs on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_sandbox.isolation.scratch import ScratchRoot

from ..waiting import until
from .conftest import HERE, lives, wait_until_gone


@pytest.mark.parametrize("zygote", ["run", "stop"])
def test_no_zygote_or_guest_outlives_a_killed_kernel(zygote: str, tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": ":".join([HERE, *sys.path]), "TMPDIR": str(tmp_path)}
    kernel = subprocess.Popen(
        [sys.executable, f"{HERE}/dying_kernel.py", zygote], stdout=subprocess.PIPE, env=environment
    )
    with kernel:
        assert kernel.stdout is not None
        pids = json.loads(kernel.stdout.readline())
        assert all(map(lives, pids))
        kernel.kill()
        kernel.wait()
        wait_until_gone(pids)
    until(lambda: list(tmp_path.iterdir()) == [], "its folders are left")


FORKED = """
import asyncio, os, sys, time
from jupyter_sandbox.isolation.zygote import Zygote
from jupyter_sandbox.model.boot import Boot

async def work():
    zygote = await Zygote.start(entry="told_guest:run", sys_path=sys.path)
    await zygote.fork(Boot("shop"))
    child = os.fork()
    if not child:
        time.sleep(1000)
    print(child, flush=True)
    if sys.argv[1] == "closed":
        await zygote.close()
    await asyncio.sleep(1000)

asyncio.run(work())
"""


@pytest.mark.parametrize("end", ["killed", "closed"])
def test_a_fork_of_the_kernel_that_lives_on_keeps_no_folder(end: str, tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": ":".join([HERE, *sys.path]), "TMPDIR": str(tmp_path)}
    kernel = subprocess.Popen([sys.executable, "-c", FORKED, end], stdout=subprocess.PIPE, env=environment, text=True)
    with kernel:
        assert kernel.stdout is not None
        child = int(kernel.stdout.readline())
        if end == "killed":
            kernel.kill()
        until(lambda: list(tmp_path.iterdir()) == [], "its folders are left")
        assert lives(child)
        os.kill(child, signal.SIGKILL)
        kernel.kill()


def test_where_nobody_sweeps_up_the_next_kernel_does(tmp_path: Path) -> None:
    code = f"from jupyter_sandbox.isolation.scratch import ScratchRoot; ScratchRoot({str(tmp_path)!r}).make()"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert len(list(tmp_path.glob("jupyter_sandbox-*/tmp*"))) == 1
    ScratchRoot(str(tmp_path)).close()
    assert list(tmp_path.iterdir()) == []
