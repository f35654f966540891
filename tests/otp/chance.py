"""A schedule as data: who takes the next step is drawn from a seed."""

from __future__ import annotations

import random
from collections import deque

from jupyter_sandbox.runtime.process import Process


class Shuffled:
    """A policy that picks any ready process."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def choose(self, ready: deque[Process]) -> int:
        return self._random.randrange(len(ready))
