"""The random state that modules share: drawn anew for each sandbox, from its seed, never left as the zygote had it.

``self.random`` is the stream to use. This is about code that calls the
functions of ``random`` or ``numpy.random`` directly: without it all sandboxes
forked from one zygote would draw the same numbers.
"""

from __future__ import annotations

import pickle
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
        numpy.seed(_words(seed))


def changed(seed: int) -> dict[str, Any]:
    """The states of the shared generators that are others than ``reseed`` left them, for a snapshot.

    >>> reseed(7); changed(7)
    {}
    >>> _ = random.random(); saved = changed(7); first = random.random()
    >>> put_back(saved); random.random() == first
    True
    """
    states: dict[str, Any] = {}
    plain = random._inst.getstate()
    if plain != random.Random(seed ^ _SHARED).getstate():
        states["random"] = plain
    numpy: Any = sys.modules.get("numpy.random")
    if numpy is not None:
        state = numpy.get_state(legacy=False)
        if not _alike(state, numpy.RandomState(_words(seed)).get_state(legacy=False)):
            states["numpy"] = state
    return states


def put_back(states: dict[str, Any]) -> None:
    """Go on from these states; generators that are not among them stay as they are."""
    if "random" in states:
        random._inst.setstate(states["random"])
    if "numpy" in states:
        import numpy.random

        numpy.random.set_state(states["numpy"])


def _words(seed: int) -> list[int]:
    words = [seed >> shift & 0xFFFFFFFF for shift in (0, 32, 64)]
    return [len(words), *words]


def _alike(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return pickle.dumps(one) == pickle.dumps(other)
