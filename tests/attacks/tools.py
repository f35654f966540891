"""Texts for attacks: what they begin with inside a sandbox, and how an attempt tells what it met.

Where a text says ``{kernel}`` it means the number of the kernel's OS process.
"""

from __future__ import annotations

import os
import re
import textwrap

CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    r"\ud800-\udfff\U000e0000-\U000e007f]"
)
"""What must reach nobody's eyes, written down once more: a class of characters that shrinks is to be noticed."""
REFUSED = {"EPERM", "EACCES"}
TOOLS = """
import ctypes as _ctypes, errno as _errno, os as _os
_libc = _ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = _ctypes.c_void_p
_libc.mmap.argtypes = [_ctypes.c_void_p, _ctypes.c_size_t, *[_ctypes.c_int] * 3, _ctypes.c_long]
def called(result):
    if result in (-1, None, 2**64 - 1):
        raise OSError(_ctypes.get_errno(), '')
    return result
def syscall(name, *words):
    from jupyter_sandbox.isolation.syscalls import NUMBERS
    number = NUMBERS[_os.uname().machine][name] if isinstance(name, str) else name
    return called(_libc.syscall(number, *[_ctypes.c_long(one) if isinstance(one, int) else one for one in words]))
def mapped(size, flags, file=-1, protection=3, place=None):
    return called(_libc.mmap(_ctypes.c_void_p(place), size, protection, flags, file, 0))
"""
CHANNEL = """
import os, socket, struct, time, msgspec
from jupyter_sandbox.wire import messages as m
from jupyter_sandbox.wire.framing import frame
from jupyter_sandbox.model import views as v
channel = socket.socket(fileno=os.dup(3)); channel.setblocking(True)
pack = msgspec.msgpack.encode
def say_bytes(body): channel.sendall(struct.pack('>I', len(body)) + body)
def say(told): channel.sendall(frame(pack(told)))
def sample(*events): return m.Sample(counters=v.Counters(), events=list(events))
"""
"""For who writes on the channel by itself."""
HEARTBEAT = """
import gc, time
from jupyter_sandbox.isolation.heartbeat import HeartbeatWriter
(page,) = [one for one in gc.get_objects() if type(one) is HeartbeatWriter and one._cells[1]]
place = _ctypes.addressof(_ctypes.c_char.from_buffer(page._map))
cells = page._cells
"""
"""For who writes on its heartbeat page: the one that says that a callback runs; there are others that nobody reads."""
_TOLD = """
except OSError as error:
    answer = _errno.errorcode.get(error.errno, str(error))
except BaseException as error:
    answer = type(error).__name__
"""


def attempt(source: str) -> str:
    """Text that leaves in ``answer`` the name of the error it met, ``worked``, or what ``source`` itself left there."""
    lines = textwrap.indent(textwrap.dedent(source).strip().replace("{kernel}", str(os.getpid())), "    ")
    return f"{TOOLS}\nanswer = 'worked'\ntry:\n{lines}\n{_TOLD}"
