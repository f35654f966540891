"""What can be read in /proc of a kernel that is closed: by itself, of its guest, and by another program of its user.

A program: without arguments it is that kernel and prints one line of JSON; with the number of an OS process it is the
other program.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable

PARTS = (
    "environ", "auxv", "io", "mem", "pagemap", "maps", "smaps", "fd", "exe", "cwd", "root",
    "statm", "status", "stat", "cmdline", "task",
)  # fmt: skip


def met(process: int | str, parts: Iterable[str] = PARTS) -> list[str]:
    """The parts that cannot be read."""
    return [part for part in parts if not readable(f"/proc/{process}/{part}")]


def readable(path: str) -> bool:
    """Whether this user may."""
    try:
        if os.path.islink(path):
            os.readlink(path)
        elif os.path.isdir(path):
            os.listdir(path)
        else:
            with open(path, "rb") as file:
                return path.endswith("/mem") or file.read(1) is not None
    except PermissionError:
        return False
    return True


def kernel() -> dict[str, object]:
    """One sandbox, and who may look at what."""
    from jupyter_sandbox.manager.manager import SandboxManager  # the other program needs none

    other = [sys.executable, __file__, str(os.getpid())]
    with SandboxManager(store=":memory:") as manager:
        info = manager.create().info()
        return {
            "profile": info.protection.profile if info.protection else "",
            "itself": met("self"),
            "another": json.loads(subprocess.run(other, capture_output=True, text=True, check=True).stdout),
            "guest": met(info.os_pid or 0, set(PARTS) - {"mem"}),
        }


if __name__ == "__main__":
    print(json.dumps(met(int(sys.argv[1])) if sys.argv[1:] else kernel()))
