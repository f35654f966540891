"""Values as MessagePack. The one way to write it here: where memory ends, it is a MemoryError.

msgspec's own ``encode`` takes no notice of a buffer that could not grow and ends the whole OS process by SIGSEGV
(seen in 0.22.0); writing into a buffer of ours it does.
"""

from __future__ import annotations

import msgspec

encode_into = msgspec.msgpack.Encoder().encode_into
"""``encode_into(value, buffer)`` for who keeps the buffer, which is as quick as ``encode``: it need not grow again."""


def encode(value: object) -> bytes:
    """The bytes of a value.

    >>> encode([1, "two"])
    b'\\x92\\x01\\xa3two'

    Raises what msgspec raises for what it cannot write, and MemoryError.
    """
    buffer = bytearray()
    encode_into(value, buffer)
    return bytes(buffer)
