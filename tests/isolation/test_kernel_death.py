"""When the kernel is killed, nothing of it runs on."""

from __future__ import annotations

import json
import os
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


def test_where_nobody_sweeps_up_the_next_kernel_does(tmp_path: Path) -> None:
    code = f"from jupyter_sandbox.isolation.scratch import ScratchRoot; ScratchRoot({str(tmp_path)!r}).make()"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert len(list(tmp_path.glob("jupyter_sandbox-*/tmp*"))) == 1
    ScratchRoot(str(tmp_path)).close()
    assert list(tmp_path.iterdir()) == []
