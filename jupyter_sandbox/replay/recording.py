"""A recording: what a node was made with and everything that entered it. All else is recomputed."""

from __future__ import annotations

from dataclasses import dataclass

from ..runtime import Node
from ..runtime.inputs import JournalEntry
from .course import Course


@dataclass(frozen=True, slots=True)
class Recording:
    """Seed, inputs with the step before which each came in, and where the recording ended."""

    name: str
    seed: int
    isolation: str
    max_processes: int
    """At the beginning, as the next one."""
    max_mailbox: int
    journal: tuple[JournalEntry, ...]
    step: int
    hash: int
    course: Course


def record(node: Node) -> Recording:
    """The recording of a node up to now. Raises ValueError for a node that keeps no journal."""
    if node.journal is None:
        raise ValueError(f"node {node.name!r} keeps no journal: create it with journal=True")
    return Recording(
        node.name, node.seed, node.isolation, *node.first_limits, tuple(node.journal), node.step_number, node.hash,
        Course.of(node),
    )  # fmt: skip
