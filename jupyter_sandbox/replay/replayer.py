"""The replayer: feeds a recording to a fresh node, input by input, and checks that it ends where the recording did."""

from __future__ import annotations

from ..model.errors import ReplayDivergence
from ..runtime import Node
from .course import Companion
from .recording import Recording


def replay(recording: Recording, node: Node, until_step: int | None = None) -> Node:
    """Run ``recording`` in ``node``, which must be fresh and made with the recording's seed; return it.

    With ``until_step`` it stops before that input or after that step, whichever
    comes first. Answers and outside work are dropped: the journal holds the
    results. Raises ReplayDivergence when the replay does something else.
    """
    companion = Companion(recording.course, node)
    end = recording.step if until_step is None else min(until_step, recording.step)
    for step, what in recording.journal:
        if step > end:
            break
        _run_to(node, step, companion)
        node.admit(what)
        _forget(node)
    _run_to(node, end, companion)
    _forget(node)
    if end == recording.step and node.hash != recording.hash:
        raise ReplayDivergence(end, recording.hash, node.hash)
    return node


def _run_to(node: Node, step: int, companion: Companion) -> None:
    if node.step_number < step:
        node.run(node.now_ms, step - node.step_number)
    companion.look()
    if node.step_number != step:
        raise ReplayDivergence(node.step_number, step, node.step_number)


def _forget(node: Node) -> None:
    node.take_replies()
    node.take_outside()
