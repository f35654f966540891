"""How large an image may be: who decodes it makes room for all of its pixels at once."""

from __future__ import annotations

from typing import Final

MOST_ACROSS: Final = 16_384
"""Pixels of one side; more than browsers draw."""
MOST_PIXELS: Final = 25_000_000
"""Of the whole, which take a browser a hundred megabytes."""


def bounded(width: int, height: int) -> None:
    """Raises ValueError for an image without a pixel or with too many.

    >>> bounded(100_000, 1)
    Traceback (most recent call last):
    ValueError: 100000 × 1 pixels are more than are shown: 16,384 across and 25,000,000 in all
    """
    if not width or not height:
        raise ValueError("it has no pixels")
    if max(width, height) > MOST_ACROSS or width * height > MOST_PIXELS:
        most = f"{MOST_ACROSS:,} across and {MOST_PIXELS:,} in all"
        raise ValueError(f"{width} × {height} pixels are more than are shown: {most}")
