"""The rehearsal in the zygote: it makes guests quick and leaves nothing behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys

REHEARSE = """
import json, linecache, os, sys
import jupyter_sandbox.guest.main
before = list(sys.meta_path), dict(sys.modules), set(linecache.cache)
import jupyter_sandbox.guest.warm
print(json.dumps({
    "finders": sys.meta_path == before[0],
    "modules": [name for name in sys.modules if "rehearsal" in name],
    "lines": [name for name in linecache.cache if "rehearsal" in name],
    "threads": len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else 1,
    "jupyter": [name for name in sys.modules if name.partition(".")[0] in ("IPython", "ipykernel", "ipywidgets")],
}))
"""


def test_a_rehearsal_leaves_no_module_no_thread_and_no_finder() -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", REHEARSE], capture_output=True, text=True, check=True, env=environment)
    assert json.loads(done.stdout) == {"finders": True, "modules": [], "lines": [], "threads": 1, "jupyter": []}
