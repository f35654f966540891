"""What is pushed without being asked for: changes of the tree while somebody watches, and a sample each second."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..model.listed import LINKS, LISTED
from ..model.views import Counters, TreeView
from ..otp import inspect
from ..wire import messages as m
from .diff import tree_diff

if TYPE_CHECKING:
    from .guest import Guest

_SAMPLE_NS = 1_000_000_000
_SETTLE_NS = 10_000_000
"""A sample that is due waits so long for what happens next: whoever asked for that waits for its answer."""
_SHARE = 10
"""A picture of a large tree costs time: pushing takes at most a tenth of it."""
_MAX_EVENTS = 200
"""Events in one sample; the rest is counted, and can be asked for."""
_MAX_DECISIONS = 50


class Watching:
    """Decides what is due. ``push_due`` is called after every turn, ``next_ns`` says when it must be at the latest."""

    def __init__(self, guest: Guest) -> None:
        self._guest = guest
        self._interval_ns = 0
        self._last: TreeView | None = None
        self._seen = (-1, -1)
        self._next_diff_ns = 0
        self._next_sample_ns = self._next_period_ns = 0
        self._waiting = False
        """A sample that is due is put off."""
        self._sampled = (0, 0)

    def tree(self) -> TreeView:
        """The tree now."""
        return _told(inspect.tree(self._guest.node))

    def start(self, interval_ms: int) -> TreeView:
        """Push changes at most every ``interval_ms`` from now on; 0 stops. Returns the tree they refer to."""
        self._interval_ns = max(0, interval_ms) * 1_000_000
        self._last = self.tree()
        if len(self._last.processes) > LISTED:
            self._interval_ns = 0  # the answer will be refused as too long, and so would every change
        self._seen = self._moment()
        return self._last

    def push_due(self) -> None:
        """Push what is due and has changed."""
        now_ns = self._guest.read_ns()
        if self._diff_wanted() and now_ns >= self._next_diff_ns:
            self._push_diff(now_ns)
        if self._sample_wanted():
            if not self._waiting:
                self._waiting = True
                self._next_sample_ns = max(self._next_sample_ns, now_ns + _SETTLE_NS)
            elif now_ns >= self._next_sample_ns:
                self._push_sample(now_ns)

    def put_off(self) -> None:
        """Something of the user's came in between: try again in a while."""
        self._next_diff_ns = self._next_sample_ns = self._guest.read_ns() + _SAMPLE_NS

    def flush(self) -> None:
        """Push the sample that is due next now: this guest may soon be replaced, and its events would be lost."""
        if self._sample_wanted():
            self._push_sample(self._guest.read_ns())

    def next_ns(self) -> int | None:
        """When something that has changed may be pushed; None when nothing has."""
        due = []
        if self._diff_wanted():
            due.append(self._next_diff_ns)
        if self._sample_wanted():
            due.append(self._next_sample_ns)
        return min(due) if due else None

    def _diff_wanted(self) -> bool:
        return self._interval_ns > 0 and self._moment() != self._seen

    def _moment(self) -> tuple[int, int]:
        """What a change of the tree comes with: a step, or a message that arrives while no step is taken."""
        return self._guest.node.step_number, self._guest.node.messages_sent

    def _push_diff(self, now_ns: int) -> None:
        assert self._last is not None
        moment, tree = self._moment(), self.tree()
        diff = tree_diff(self._last, tree)
        cost_ns = self._guest.read_ns() - now_ns
        self._next_diff_ns = now_ns + max(self._interval_ns, _SHARE * cost_ns)
        if len(tree.processes) > LISTED:
            return  # more than can be told; there may be fewer again
        if diff is None or self._guest.push(m.TreeChanged(diff=diff)):
            self._last, self._seen = tree, moment

    def _sample_wanted(self) -> bool:
        return self._sampled != self._mark()

    def _mark(self) -> tuple[int, int]:
        return self._guest.node.step_number, self._guest.reporter.log.total

    def _push_sample(self, now_ns: int) -> None:
        self._next_sample_ns, self._waiting = now_ns + _SAMPLE_NS, False
        mark = self._mark()
        if now_ns >= self._next_period_ns:
            self._next_period_ns = now_ns + _SAMPLE_NS
            self._guest.reporter.new_period()
        events, dropped = self._guest.reporter.log.take_unread()
        kept = events[-_MAX_EVENTS:]
        decisions = self._guest.reporter.take_decisions()[-_MAX_DECISIONS:]
        sample = m.Sample(
            counters=self.counters(), events=kept, dropped=dropped + len(events) - len(kept), decisions=decisions
        )  # fmt: skip
        if self._guest.push(sample):
            self._sampled = mark

    def counters(self) -> Counters:
        """The counters at this moment."""
        node = self._guest.node
        shown = [process for process in node.processes.values() if not process.hidden]
        return Counters(
            process_spawns=node.process_spawns,
            process_exits=node.process_exits,
            messages_sent=node.messages_sent,
            supervisor_restarts=node.restarts,
            processes=len(shown),
            steps=node.step_number,
            now_ms=node.now_ms,
            longest_queue=max((len(process.mailbox or ()) for process in shown), default=0),
            outside_pending=self._guest.outside_pending,
        )


def _told(tree: TreeView) -> TreeView:
    """The tree with as many links as are told at most: those of the processes behind that are left out."""
    left = LINKS
    for number, process in enumerate(tree.processes):
        left -= len(process.links) + len(process.monitors)
        if left < 0:
            bare = (replace(one, links=(), monitors=()) for one in tree.processes[number:])
            return replace(tree, processes=(*tree.processes[:number], *bare))
    return tree
