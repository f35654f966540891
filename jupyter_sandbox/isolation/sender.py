"""Who does what may take long: whoever looks at a guest gives it away, and is told by the manager who takes it."""

from __future__ import annotations

from collections.abc import Callable

Send = Callable[[Callable[[], None]], object]
"""Has it done, here and now or by another thread soon."""


def at_once(act: Callable[[], None]) -> None:
    """Have it done here and now.

    >>> at_once(lambda: print("done"))
    done
    """
    act()
