"""A kernel somewhere else, of an ordinary user or in a container: attacks from its sandbox, prints what came of it."""

from __future__ import annotations

import json
import os
import sys

from jupyter_sandbox.manager.manager import SandboxManager
from jupyter_sandbox.model.errors import SandboxError

BEFORE = """
import ctypes as _ctypes, errno as _errno, os as _os
_libc = _ctypes.CDLL(None, use_errno=True)
def syscall(name, *words):
    from jupyter_sandbox.isolation.syscalls import NUMBERS
    words = [_ctypes.c_long(one) if isinstance(one, int) else one for one in words]
    if _libc.syscall(NUMBERS[_os.uname().machine][name], *words) < 0:
        raise OSError(_ctypes.get_errno(), name)
answer = 'worked'
try:
    {source}
except OSError as error:
    answer = _errno.errorcode.get(error.errno, str(error))
except BaseException as error:
    answer = type(error).__name__
answer
"""


def main(profile: str, attempts: dict[str, str]) -> None:
    """One sandbox, one line of JSON."""
    with SandboxManager(store=":memory:") as manager:
        sandbox = manager.create(profile=profile or None)
        protection = sandbox.info().protection
        answers = {}
        for name, source in attempts.items():
            text = source.replace("KERNEL", str(os.getpid())).replace("\n", "\n    ")
            try:
                answers[name] = sandbox.exec(BEFORE.replace("{source}", text))
            except SandboxError as error:
                answers[name] = type(error).__name__
                sandbox.restart()
        layers = {layer.name: layer.active and layer.verified for layer in protection.layers} if protection else {}
        print(json.dumps([protection.profile if protection else "", layers, answers]))


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
