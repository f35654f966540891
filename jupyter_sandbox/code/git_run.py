"""Run git with nothing of the user around it: no environment, settings or prompt; bounded in time and disk."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..model.busy import patiently
from ..model.errors import CompileError

_DISK = 256_000_000
"""Bytes of the largest file git may write: a pack larger than this is no program for a sandbox."""

_FENCE = (
    "import os,resource,sys,time\n"
    f"sys.path.append({str(Path(__file__).resolve().parents[2])!r})\n"
    "from jupyter_sandbox.model.busy import patiently\n"
    f"resource.setrlimit(resource.RLIMIT_FSIZE,({_DISK},{_DISK}))\n"
    "resource.setrlimit(resource.RLIMIT_CORE,(0,0))\n"
    "patiently(lambda:os.execv(sys.argv[1],sys.argv[1:]),time.sleep)\n"
)
"""Runs in a fresh interpreter: limits set between fork and exec of a threaded kernel could deadlock."""

_SETTINGS = (
    "core.hooksPath=/dev/null", "core.symlinks=false", "core.fsmonitor=false", "core.attributesFile=/dev/null",
    "credential.helper=", "transfer.fsckObjects=true", "fetch.fsckObjects=true", "http.followRedirects=false",
    "safe.bareRepository=explicit", "gc.auto=0", "maintenance.auto=false", "fetch.recurseSubmodules=false",
    "protocol.allow=never", "protocol.https.allow=always",
)  # fmt: skip

_ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "/bin/false",
    "SSH_ASKPASS": "/bin/false",
    "GIT_SSH_COMMAND": "/bin/false",
    "GIT_ALLOW_PROTOCOL": "https",
    "GIT_LFS_SKIP_SMUDGE": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_PAGER": "cat",
    "LC_ALL": "C",
}

_BUSY = os.strerror(errno.ETXTBSY).encode()
"""In git's words when that befell a program that git starts itself, and in the fence's when git was busy for long."""


def git(arguments: list[str], own: Path, deadline: float) -> str:
    """Run one git command in our own repository and give its output.

    Raises CompileError (git_clone_failed) with git's own words when it fails or runs past the deadline.
    """
    try:
        return patiently(lambda: _output(arguments, own, deadline), time.sleep)
    except OSError as error:
        if error.errno != errno.ETXTBSY:
            raise
        raise failed("another program has git open for writing: try again") from None


def _output(arguments: list[str], own: Path, deadline: float) -> str:
    """Raises OSError (ETXTBSY) as well where git says so of a program that it starts itself."""
    with start_git(arguments, own) as process:
        try:
            output, errors = process.communicate(timeout=max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise failed("git did not finish in time: check the address or give a larger timeout_s") from None
    if process.returncode != 0 and _BUSY in errors:
        raise OSError(errno.ETXTBSY, _BUSY.decode())
    if process.returncode != 0:
        raise failed(_words(errors, process.returncode))
    return output.decode("utf-8", "replace")


@contextmanager
def start_git(arguments: list[str], own: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A running git; whatever is left of it when the block ends is killed with all its children."""
    process = patiently(lambda: _begun([*_fence(), _program(), *_options(own), *arguments], own), time.sleep)
    try:
        yield process
    finally:
        _end(process)


def _begun(command: list[str], own: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=own,
        env={**_ENVIRONMENT, "HOME": str(own), "PATH": os.defpath},
        start_new_session=True,
    )


def _options(own: Path) -> list[str]:
    settings = [part for setting in _SETTINGS for part in ("-c", setting)]
    return [f"--git-dir={own}", "--no-pager", "--no-optional-locks", *settings]


def _fence() -> list[str]:
    return [] if sys.platform == "win32" else [sys.executable, "-I", "-S", "-c", _FENCE]


def _program() -> str:
    found = shutil.which("git")
    if found is None:
        raise failed("git is not installed: install it, or load a folder instead")
    return found


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with suppress(OSError):
                stream.close()
    process.wait()


def _words(errors: bytes, code: int) -> str:
    """The line of git's complaint that says what is wrong."""
    lines = [line.strip() for line in errors.decode("utf-8", "replace").splitlines() if line.strip()]
    chosen = next((line for line in lines if line.startswith(("fatal:", "error:"))), lines[-1] if lines else "")
    shown = "".join(mark if mark.isprintable() else "?" for mark in chosen)[:300]
    return f"git ended with {code}: {shown or 'no message'}; check the address, and that the server has the commit"


def failed(message: str) -> CompileError:
    """The guide's error for a repository that cannot be reached."""
    return CompileError("git_clone_failed", message)
