"""A zygote that has rehearsed the confinement of guests is itself as free as before, and alone again."""

from __future__ import annotations

import errno
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_sandbox.isolation import rehearsal

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="threads are confined one by one on Linux alone")
PROGRAM = """
import json, os, resource, sys
from pathlib import Path
from jupyter_sandbox.isolation import layers, rehearsal

def seen():
    status = layers.status_of(os.getpid())
    names = ("Threads", "NoNewPrivs", "Seccomp", "Seccomp_filters", "CapEff", "CapBnd")
    return {
        **{name: status.get(name) for name in names},
        "limits": [resource.getrlimit(kind) for kind in range(16)],
        "environment": dict(os.environ),
        "files": sorted(os.listdir("/proc/self/fd")),
        "here": os.getcwd(),
        "may read": bool(os.listdir("/")),
        "may start": os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)[1],
    }

reports = []
plain = rehearsal.protect
rehearsal.protect = lambda *given: reports.append(plain(*given))
before = seen()
for _ in range(3):
    rehearsal.rehearse(sys.argv[1])
found = [[layer.name, layer.active] for layer in reports[-1].layers]
print(json.dumps({"before": before, "after": seen(), "rounds": len(reports), "layers": found}))
"""


@pytest.mark.parametrize("folder", ["", "no/such/folder"])
def test_a_rehearsal_takes_nothing_from_who_rehearses(tmp_path: Path, folder: str) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / folder)],
        capture_output=True, text=True, check=True, env=environment, timeout=60,
    )  # fmt: skip
    told = json.loads(done.stdout)
    assert told["before"] == told["after"] and told["before"]["Threads"] == "1"
    assert told["rounds"] == 3, "it did not come to its end"
    applied = dict(told["layers"])
    assert applied["no_new_privs"] and applied["rlimits"], "nothing was rehearsed"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("refused", ["getrlimit", "setrlimit"])
def test_where_limits_may_not_be_touched_a_rehearsal_is_no_reason_to_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    """A container's filter may refuse prlimit64: its sandboxes live without limits of the operating system."""
    asked: list[object] = []

    def refuse(*given: object) -> None:
        asked.append(given)
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(resource, refused, refuse)
    monkeypatch.setattr(rehearsal, "_in_a_thread", lambda act: None)
    rehearsal.rehearse(str(tmp_path))
    assert asked
