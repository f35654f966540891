"""Python values as data: what may leave a sandbox, and how the kernel reads it.

The guest's side takes any object, however hostile, runs none of its code and
always returns bytes: what has no form as data becomes its type's name and a
bounded text. What is shown is cut; what was asked for comes whole or
not at all. The
kernel's side builds plain values only; nothing is imported, unpickled or
evaluated.
"""

from __future__ import annotations

import msgspec

from ..model.errors import RemoteProtocolError
from ..model.picture import MOST_BYTES
from .encoding import encode
from .legality import LARGE
from .value_decoder import ValueDecoder
from .value_encoder import Oversize, ValueEncoder, WholeEncoder, opaque_node
from .value_heads import refuse_many
from .value_nodes import Node

__all__ = ["MAX_BYTES", "PICTURED_BYTES", "REPLY_BYTES", "REPLY_ITEMS", "REPLY_KEYS", "Oversize", "decode_reply",
           "decode_value", "encode_reply", "encode_value"]  # fmt: skip

MAX_BYTES = 256_000
MAX_ITEMS = 10_000
MAX_DEPTH = 20
REPLY_BYTES = LARGE["Value"] - 4096
"""Of the reply to a call, however much a sandbox may send: what fits into the longest frame of its kind."""
PICTURED_BYTES = LARGE["Pictured"] - MOST_BYTES - 65_536
"""Of the value of a cell that comes with its picture, and with words about that."""
REPLY_ITEMS, REPLY_KEYS = 100_000, 10_000
"""Of such a reply: things in it, and those of them that are keys and no texts."""
_MARKS = 200
"""Items that the notes of what was left out may take on top."""
_UNWRITTEN = 3
"""How many times too long the contents alone have to be for a reply not to be written, only to be measured."""
_read: msgspec.msgpack.Decoder[Node] = msgspec.msgpack.Decoder(Node)


def encode_value(
    value: object, *, max_bytes: int = MAX_BYTES, max_items: int = MAX_ITEMS, max_depth: int = MAX_DEPTH
) -> bytes:
    """Any object as about ``max_bytes`` bytes at most, never more than twice that.

    Never raises for any object and runs none of its code. What is over a limit is left out, and a text in its place
    says so.

    >>> decode_value(encode_value({"n": 1, ("a", 2): {3}}))
    {'n': 1, ('a', 2): {3}}
    >>> decode_value(encode_value(list(range(100)), max_items=4))
    [0, 1, … 98 more]
    """
    try:
        data = encode(ValueEncoder(max_bytes, max_items, max_depth).node(value))
    except Exception:  # changed by another thread while we looked, or a metaclass that lies
        return encode(opaque_node(value))
    return data if len(data) <= 2 * max_bytes else encode(opaque_node(value))


def encode_reply(value: object, most: int) -> bytes:
    """The whole value as at most ``most`` bytes; what is no data is a text in it, as ever.

    Raises Oversize for one that is larger, or that no reply can hold, and MemoryError; runs no code of the value's.

    >>> decode_reply(encode_reply([1, {"two": b"3"}], 1_000))
    [1, {'two': b'3'}]
    >>> encode_reply("x" * 2_000, 1_000)
    Traceback (most recent call last):
    jupyter_sandbox.wire.value_encoder.Oversize: (2003, '')
    """
    encoder = WholeEncoder(REPLY_BYTES, REPLY_ITEMS, REPLY_KEYS, MAX_DEPTH)
    try:
        node = encoder.node(value)
    except (Oversize, MemoryError):
        raise
    except Exception:  # changed by another thread while we looked, or a metaclass that lies
        return encode(opaque_node(value))
    if encoder.least > _UNWRITTEN * most:
        raise Oversize(encoder.size)
    data = encode(node)
    if len(data) > min(most, REPLY_BYTES):
        raise Oversize(len(data))
    return data


def decode_value(data: bytes, *, max_bytes: int = 4 * MAX_BYTES, max_items: int = MAX_ITEMS + _MARKS) -> object:
    """The value as plain data, ids, Record and Opaque. Raises RemoteProtocolError on anything malformed or too big."""
    return _decoded(data, max_bytes, max_items, max_items)


def decode_reply(data: bytes) -> object:
    """Like ``decode_value``, for what ``encode_reply`` made."""
    return _decoded(data, REPLY_BYTES, REPLY_ITEMS, REPLY_KEYS)


def _decoded(data: bytes, max_bytes: int, max_items: int, max_keys: int) -> object:
    if len(data) > max_bytes:
        raise RemoteProtocolError(f"the other side sent a value of {len(data)} bytes; {max_bytes} are allowed")
    try:
        refuse_many(data, max_items)
        return ValueDecoder(max_items, max_keys).value(_read.decode(data))
    except (msgspec.MsgspecError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise RemoteProtocolError(f"the other side sent a value that cannot be read: {str(error)[:200]}") from None
