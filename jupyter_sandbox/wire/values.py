"""Python values as data: what may leave a sandbox, and how the kernel reads it.

The guest's side takes any object, however hostile, runs none of its code and
always returns bytes: what has no form as data becomes its type's name and a
bounded text. The kernel's side builds plain values only; nothing is imported,
unpickled or evaluated.
"""

from __future__ import annotations

import msgspec

from ..model.errors import RemoteProtocolError
from .encoding import encode
from .value_decoder import ValueDecoder
from .value_encoder import ValueEncoder, opaque_node
from .value_nodes import Node

MAX_BYTES = 256_000
MAX_ITEMS = 10_000
MAX_DEPTH = 20
_MARKS = 200
"""Items that the notes of what was left out may take on top."""
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


def decode_value(data: bytes, *, max_bytes: int = 4 * MAX_BYTES, max_items: int = MAX_ITEMS + _MARKS) -> object:
    """The value as plain data, ids, Record and Opaque. Raises RemoteProtocolError on anything malformed or too big."""
    if len(data) > max_bytes:
        raise RemoteProtocolError(f"the other side sent a value of {len(data)} bytes; {max_bytes} are allowed")
    try:
        return ValueDecoder(max_items).value(_read.decode(data))
    except (msgspec.MsgspecError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise RemoteProtocolError(f"the other side sent a value that cannot be read: {str(error)[:200]}") from None
