"""The random state that modules share: drawn anew for each sandbox, from its seed, never left as the zygote had it.

``self.random`` is the stream to use. This is about code that calls the
functions of ``random`` or ``numpy.random`` directly: without it all sandboxes
forked from one zygote would draw the same numbers.
"""

from __future__ import annotations

import random
import sys
from typing import Any

_SHARED = 0x73686172656421
"""Keeps the shared stream apart from ``random.Random(seed)``, which a user may make."""


def reseed(seed: int) -> None:
    """From now on the shared generators give what belongs to this seed.

    >>> reseed(7); first = random.random(); reseed(7); random.random() == first
    True
    """
    random.seed(seed ^ _SHARED)
    numpy: Any = sys.modules.get("numpy.random")  # never imported for this: only where a flavour has it
    if numpy is not None:
        words = [seed >> shift & 0xFFFFFFFF for shift in (0, 32, 64)]
        numpy.seed([len(words), *words])
