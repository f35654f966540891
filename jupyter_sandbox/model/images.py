"""Whether bytes of a sandbox are an image that a notebook may be shown. Pure; decides, displays nothing.

A file that passes is written anew with the checked parts alone: no text, no
profile, no place and time where a camera stood, nothing before or behind.
Who decodes it meets a size that it can bear, and no damage that could have been
found without decoding pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from .jpeg import canonical_jpeg
from .picture import JPEG, MOST_BYTES, PNG, Picture
from .png import canonical_png

_CHECKS: Final[dict[str, Callable[[bytes], tuple[bytes, int, int]]]] = {PNG: canonical_png, JPEG: canonical_jpeg}


def checked(mime: str, body: bytes) -> Picture:
    """The picture in a file of this type. Raises ValueError, and nothing else, with the reason in a few words.

    >>> checked("image/png", b"<script>")
    Traceback (most recent call last):
    ValueError: it does not begin as a PNG does
    """
    check = _CHECKS.get(mime)
    if check is None:
        raise ValueError(f"it is neither {' nor '.join(_CHECKS)}")
    if len(body) > MOST_BYTES:
        raise ValueError(f"it has {len(body):,} bytes and {MOST_BYTES:,} are allowed")
    return Picture(mime, *check(body))
