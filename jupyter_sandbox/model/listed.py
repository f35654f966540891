"""How many things one list of a frame may hold: who decodes it counts before it makes the first of them.

Eight megabytes of empty names are eight million things. Each of them would be looked at, copied and told again on the
thread that all sandboxes share; so there are fewer, by far, and still more than any honest guest has to tell.
"""

from __future__ import annotations

from typing import Annotated, Final, TypeVar

import msgspec

T = TypeVar("T")

LISTED: Final = 40_000
"""Of anything. A tree of so many processes does not fit into a frame, so no honest list is as long."""
DEEDS: Final = 1_000
"""Of one step; of a callback that does more the rest is counted."""
STEPS: Final = 2_000
"""Twice what a guest tells of in one answer."""
FACTS: Final = 20
"""Of one event; those of an honest guest have none."""
EVENTS: Final = 10_000
"""What the log of a guest holds."""
FRESH: Final = 1_000
"""Events, decisions or lines in one piece of news: five times what an honest guest puts in."""
LINKS: Final = 200_000
"""Links and monitors in one picture of a tree, over all its processes."""
DEEDS_TOLD: Final = 500_000
"""Deeds of all steps in one answer: in words, more of them do not fit into it."""
LINES_TOLD: Final = 250_000
"""Of tracebacks, and names of children, in all decisions that are told at once: in words, more do not fit either."""

Many = Annotated[tuple[T, ...], msgspec.Meta(max_length=LISTED)]
ManyOf = Annotated[list[T], msgspec.Meta(max_length=LISTED)]
Deeds = Annotated[tuple[T, ...], msgspec.Meta(max_length=DEEDS + 1)]
StepsOf = Annotated[list[T], msgspec.Meta(max_length=STEPS)]
EventsOf = Annotated[list[T], msgspec.Meta(max_length=EVENTS)]
FreshOf = Annotated[list[T], msgspec.Meta(max_length=FRESH)]
Facts = Annotated[dict[str, str | int], msgspec.Meta(max_length=FACTS)]
