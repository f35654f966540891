"""Where memory ends while something is written, it is an error and not the end of the OS process."""

from __future__ import annotations

import subprocess
import sys

import pytest

resource = pytest.importorskip("resource")

FULL = """
import resource, sys
from jupyter_sandbox.model.errors import LocalProtocolError
from jupyter_sandbox.wire import messages as m
from jupyter_sandbox.wire.connection import Connection
from jupyter_sandbox.wire.values import decode_value, encode_value

guest = Connection("guest")
guest.send(m.Ready(protocol=1, pid=7, protection=m.Protection("off")))
large = m.Notice(level="info", text="x" * 1_000, process="", traceback=["x" * 1_000] * 200_000, logged="")
used = 1024 * int(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmData")))
resource.setrlimit(resource.RLIMIT_DATA, (used + 30_000_000,) * 2)
try:
    guest.send(large)
except MemoryError:
    print("no memory")
kept = bytearray(25_000_000)
print(decode_value(encode_value("goes on")))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="another system has no such limit")
def test_a_frame_that_there_is_no_memory_for_is_a_memory_error() -> None:
    done = subprocess.run([sys.executable, "-c", FULL], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "no memory\ngoes on\n"), done
