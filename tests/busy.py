"""A program that Linux takes for busy: somebody has its file open for writing."""

from __future__ import annotations

import errno
import functools
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def held_program(name: str, folder: Path) -> Iterator[tuple[str, Callable[..., None]]]:
    """Where a copy of it lies, and what lets go of the copy."""
    path = shutil.copy(str(shutil.which(name)), folder / name)
    with path.open("r+b") as held:
        yield str(path), lambda *_: held.close()


def is_busy(path: str) -> bool:
    """Whether Linux says so to who starts it. Raises OSError when it cannot be started for another reason."""
    try:
        subprocess.run([path])
    except OSError as error:
        if error.errno != errno.ETXTBSY:
            raise
        return True
    return False


@functools.cache
def _busy_programs() -> bool:
    with tempfile.TemporaryDirectory() as folder:
        try:
            with held_program("true", Path(folder)) as (path, _):
                return is_busy(path)
        except OSError:
            return False


needs_busy_programs = pytest.mark.skipif(
    not _busy_programs(), reason="starts what is open for writing, as Linux 6.11 does and other systems"
)
