"""A guest for tests: runs the Python text it is sent and answers with the value of ``answer`` as JSON, line by line."""

from __future__ import annotations

import json
import socket

from jupyter_sandbox.isolation.heartbeat import HeartbeatWriter
from jupyter_sandbox.model.boot import Boot
from jupyter_sandbox.model.protection import Protection


def run(boot: Boot, control: socket.socket, heartbeat: HeartbeatWriter, protection: Protection) -> int:
    """Until the kernel's end of the socket is closed; ``code`` set by a text is the exit code."""
    names = {"boot": boot, "control": control, "heartbeat": heartbeat, "protection": protection, "code": 0}
    control.setblocking(True)
    lines = control.makefile("rb")
    for line in lines:
        names["answer"] = None
        exec(json.loads(line), names)
        control.sendall(json.dumps(names["answer"]).encode() + b"\n")
    return int(names["code"])  # type: ignore[call-overload,no-any-return]
