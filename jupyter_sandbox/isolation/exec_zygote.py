"""The start of a zygote, a new interpreter that got nothing from the kernel by accident, and its end."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import IO, NamedTuple, cast

from ..model.busy import patiently
from ..model.errors import LaunchFailed
from . import launch
from .aside import begun_aside
from .exits import ExitStatus
from .scratch import ScratchRoot
from .shortage import shortage

PATIENCE_S, _TURN_S, _ENDING_S = 1.0, 0.005, 0.1

# Not -I: it would ignore PYTHONHASHSEED, and a replay on another day must meet the same order of sets. The scrubbed
# environment, -s and -P give all the rest of it; -S keeps .pth files from running.
FLAGS = ("-s", "-P", "-S")
_PROGRAM = """\
import sys
fd, kernel, entry, preload, preimport, folder, path = sys.argv[1:]
path = path.split("\\n")
sys.path[:] = [p for p in sys.path if p not in path] + path
from jupyter_sandbox.isolation import at_fork
at_fork.hold_back()
from jupyter_sandbox.isolation.forker import main
main(int(fd), int(kernel), entry, preload.split(), preimport.split(), folder)
"""
_FIXED = {
    "LANG": "C.UTF-8",
    "PATH": os.defpath,
    "PYTHONHASHSEED": "0",
    "PYTHONUTF8": "1",
    # Each C arena reserves 64 MB and each BLAS thread its buffers: both would count against the memory limit, and
    # a zygote with threads cannot fork.
    "MALLOC_ARENA_MAX": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}
_REFUSED = frozenset({errno.EPERM, errno.ENOSYS})
_NO_PROGRAM = (
    "this Python does not know which program it is (sys.executable), as one inside of another program, and sandboxes "
    "need it: set sys.executable to the path of a Python of the same version, and create the sandbox again"
)
_PASSED_ON = ("TZ", "LD_LIBRARY_PATH", "JUPYTER_SANDBOX_WITHOUT")


def environment_for(kernel: Mapping[str, str]) -> dict[str, str]:
    """What a zygote and its guests see of the kernel's environment: nearly nothing.

    >>> sorted(set(environment_for({"API_TOKEN": "x", "TZ": "UTC"})) & {"API_TOKEN", "TZ"})
    ['TZ']
    """
    return _FIXED | {name: kernel[name] for name in _PASSED_ON if name in kernel}


_NO_PATH = frozenset("\0\n")
"""The one is in no path, the other stands between them in the zygote's arguments."""


def search_path(sys_path: Sequence[str]) -> list[str]:
    """Absolute paths only, each once, this package's own place among them.

    The kernel's working folder (the empty path) is left out: it means another folder in a guest. So is whatever
    ``import`` passes over, or cannot be handed on.

    >>> search_path(["", "/usr/lib/python3", "lib", "/no\\0path", Path("/tmp")])[:-1]
    ['/usr/lib/python3']
    """
    own = str(Path(__file__).resolve().parents[2])
    usable = (path for path in sys_path if isinstance(path, str) and os.path.isabs(path) and not {*path} & _NO_PATH)
    return list(dict.fromkeys([*usable, own]))


class Begun(NamedTuple):
    """A zygote that was started a moment ago, and what of it is the kernel's."""

    process: subprocess.Popen[bytes]
    control: socket.socket
    errors: IO[bytes]
    """Where it writes what goes wrong; a pipe would need a reader."""
    scratch: ScratchRoot

    def undo(self) -> None:
        """As if it had never been."""
        self.process.kill()
        self.process.wait()
        self.close()
        self.scratch.close()

    def close(self) -> None:
        """Let go of what is open."""
        self.control.close()
        self.errors.close()

    async def see_off(self) -> None:
        """It reaps its guests, waits for who sweeps up after them and goes; who takes too long is killed, and its
        guests die with it. Who hangs in the operating system itself then is waited for by nobody."""
        with suppress(OSError):
            self.control.shutdown(socket.SHUT_WR)
        self.scratch.release()
        await self._gone(PATIENCE_S)
        await self.end()

    async def end(self) -> None:
        """Kill it, and wait for that, but not for long."""
        self.process.kill()
        await self._gone(PATIENCE_S)

    async def _gone(self, within_s: float) -> None:
        """Its end, if that comes in time. Asked for again and again: not everywhere is it told."""
        until_s = time.monotonic() + within_s
        while self.process.poll() is None and time.monotonic() < until_s:
            await asyncio.sleep(_TURN_S)

    async def how_it_ended(self) -> str:
        """In words; it closes its files a moment before that can be asked."""
        await self._gone(_ENDING_S)
        if (code := self.process.returncode) is None:
            return "has ended"
        if not code:  # which is also what Python says of a program that somebody else has asked about
            return "has ended, with exit 0 or unseen (something in the notebook waits for all of its programs)"
        return f"was ended by {ExitStatus(signal=-code)}" if code < 0 else f"has ended with exit {code}"

    def last_words(self) -> str:
        """What it wrote last, in brackets."""
        self.errors.seek(0, os.SEEK_END)
        self.errors.seek(max(0, self.errors.tell() - 2000))
        lines = self.errors.read().decode(errors="replace").strip().splitlines()
        return f" ({lines[-1][:300]})" if lines else ""


class Ground(NamedTuple):
    """What there has to be before one is started. Others can make who opens it wait."""

    scratch: ScratchRoot
    errors: IO[bytes]

    def undo(self) -> None:
        """Idempotent; returns at once."""
        self.errors.close()
        begun_aside(self.scratch.undo)


def prepared() -> Ground:
    """From any thread. Raises LaunchFailed and leaves nothing then."""
    try:
        scratch = ScratchRoot()
        try:
            return Ground(scratch, tempfile.TemporaryFile())
        except OSError:
            scratch.undo()
            raise
    except OSError as error:
        raise _not_started(error) from None


def begin(
    *, entry: str, preload: Sequence[str], preimport: Sequence[str], sys_path: Sequence[str],
    ground: Ground | None = None,
) -> Begun:  # fmt: skip
    """Start a zygote. Raises LaunchFailed and leaves nothing then."""
    scratch, errors = ground or prepared()
    try:
        with ExitStack() as kept, ExitStack() as passed:
            kept.callback(scratch.undo)
            kept.enter_context(errors)
            ours, theirs = launch.packet_pair()
            kept.callback(ours.close)
            passed.callback(theirs.close)
            start = partial(
                execute, theirs, errors, entry=entry, preload=preload, preimport=preimport, folder=str(scratch.path),
                sys_path=sys_path,
            )  # fmt: skip
            process = _begun(start)
            kept.pop_all()
            return Begun(process, ours, errors, scratch)
    except OSError as error:
        raise _not_started(error) from None


def _begun(start: Callable[[], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
    try:
        return patiently(start, time.sleep)
    except OSError as error:
        if error.errno in _REFUSED and error.filename in (None, "/"):  # for what is done before the program is there
            text = f"no OS process with a session of its own can be started here: {error.strerror}"
            hint = "a container's filter (its seccomp profile) has to let setsid, dup2, fork and vfork through"
            raise LaunchFailed(f"{text}; {hint}") from None
        raise


def _not_started(error: OSError) -> LaunchFailed:
    if error.errno == errno.ETXTBSY:
        return LaunchFailed(f"cannot start {sys.executable}: another program has it open for writing; try again")
    if error.filename == sys.executable:
        return LaunchFailed(f"cannot start {sys.executable}: {error}; check that this Python still exists")
    return LaunchFailed(f"the sandbox launcher cannot be started: {shortage(error)}")


def execute(
    control: socket.socket, errors: IO[bytes], *, entry: str, preload: Sequence[str], preimport: Sequence[str],
    folder: str, sys_path: Sequence[str],
) -> subprocess.Popen[bytes]:  # fmt: skip
    """Start it. It has no files but ``control`` and ``errors``, and a session of its own; it may try things in
    ``folder``."""
    if not sys.executable:
        raise LaunchFailed(_NO_PROGRAM)
    modules = (" ".join(preload), " ".join(preimport))
    arguments = (str(control.fileno()), str(os.getpid()), entry, *modules, folder, "\n".join(search_path(sys_path)))
    with _not_debugged():
        return subprocess.Popen(
            [sys.executable, *FLAGS, "-c", _PROGRAM, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env=environment_for(os.environ),
            cwd="/",
            pass_fds=(control.fileno(),),
            start_new_session=True,
        )


def _not_debugged() -> AbstractContextManager[object]:
    """While a kernel is debugged, by JupyterLab's debugger say, pydevd has every Python that is started from it begin
    with the debugger. A zygote of that has threads and a connection of its own, and never comes to what it is for."""
    aloof = getattr(sys.modules.get("pydevd"), "skip_subprocess_arg_patch", nullcontext)
    return cast("AbstractContextManager[object]", aloof())
