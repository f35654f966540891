"""The envelope of a ``.pyc`` file. What is inside is never unmarshalled here: only a guest does that."""

from __future__ import annotations

import importlib.util
import sys

from ..model.errors import CompileError

_HEADER = 16
"""Magic number, flags, then time and size or a hash: PEP 552."""


def code_of(data: bytes, file: str) -> bytes:
    """The marshalled code in the bytes of a ``.pyc``.

    Raises CompileError (load_error) when it is none, or of another Python version.
    """
    if len(data) <= _HEADER or data[2:4] != b"\r\n":
        raise CompileError("load_error", f"{file} is not a .pyc file: compile it with `python -m py_compile`")
    if data[:4] != importlib.util.MAGIC_NUMBER:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise CompileError(
            "load_error", f"{file} was compiled by another Python: compile it with Python {version} or load its source"
        )
    return data[_HEADER:]
