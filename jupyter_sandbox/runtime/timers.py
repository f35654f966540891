"""Timers of a node: one heap ordered by deadline and age; a cancelled entry is dropped when it surfaces."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Any, Final

from ..model.given import MOST
from ..model.ids import Pid, Ref
from . import delivery, plain
from .crashes import exit_reason
from .isolate import ATOMIC
from .process import DEAD, Process
from .signals import INFO, TIMEOUT

if TYPE_CHECKING:
    from .node import Node

WAIT: Final = 0
"""A suspended callback's own timeout: (deadline, seq, WAIT, process, token)."""
SEND: Final = 1
"""send_after and start_timer: (deadline, seq, SEND, ref, target, message)."""
INTERVAL: Final = 3
"""send_interval: (deadline, seq, INTERVAL, ref, (ms, target, message))."""
SERVER: Final = 2
"""A behaviour's timeout: (deadline, seq, SERVER, process, token)."""

_PLAIN: Final = frozenset({Pid, Ref, str})
"""Targets that are found without any code of the user's."""
_MANY: Final = 1_024
"""How many young or cancelled timers may pile up before the dead among them are dropped."""


def arm_wait(node: Node, process: Process, timeout_ms: int) -> None:
    """Wake ``process`` if its present wait is not over in time.

    Most waits end at once, so the timer only joins the heap if it outlives the present burst of steps.
    """
    node.next_tag += 1
    node.other_tags += 1
    arm_call(node, process, timeout_ms, node.next_tag)


def arm_call(node: Node, process: Process, timeout_ms: int, seq: int) -> None:
    """Like arm_wait, for a call whose place ``seq`` among equal deadlines was taken when it was made."""
    young = node.young
    young.append((node.now_ms + timeout_ms, seq, WAIT, process, process.token))
    if len(young) > _MANY:
        _grow_up(node)


def arm_server(node: Node, process: Process, timeout_ms: int, token: object) -> None:
    """Leave a TIMEOUT entry with ``token`` in the mailbox unless ``process.timer`` is another one by then."""
    _push(node, timeout_ms, SERVER, process, token)


def send_after(node: Node, timeout_ms: int, target: Any, message: Any, ref: Ref) -> None:
    """Send ``message`` when the time has come; ``ref`` cancels it."""
    node.timers[ref] = _push(node, timeout_ms, SEND, ref, (target, message))


def send_interval(node: Node, period_ms: int, target: Any, message: Any, ref: Ref) -> None:
    """Send ``message`` over and over, until cancelled or the target pid is dead (``timer:send_interval``)."""
    node.timers[ref] = _push(node, period_ms, INTERVAL, ref, (period_ms, target, message))


def cancel(node: Node, ref: Ref) -> int | None:
    """Milliseconds that were left, or None when there is no such timer (``erlang:cancel_timer``)."""
    item = node.timers.pop(ref, None)
    if item is None or _pointless(node, item):
        return None
    node.stale += 1
    return max(0, int(item[0]) - node.now_ms)


def read(node: Node, ref: Ref) -> int | None:
    """Milliseconds left, or None (``erlang:read_timer``)."""
    item = node.timers.get(ref)
    return None if item is None or _pointless(node, item) else max(0, int(item[0]) - node.now_ms)


def _pointless(node: Node, item: Any) -> bool:
    """Whether a message's timer lost its receiver: then it is no timer any more (``erlang:send_after``)."""
    target = item[4][-2]
    if type(target) is not Pid or target in node.processes:
        return False
    node.timers.pop(item[3], None)
    return True


def next_deadline(node: Node) -> int | None:
    """The deadline of the earliest live timer."""
    heap = node.timer_heap
    if node.young:
        _grow_up(node)
    while heap and not _live(node, heap[0]):
        heappop(heap)
    return int(heap[0][0]) if heap else None


def fire_due(node: Node) -> bool:
    """Fire every live timer that is due, in order of deadline and age. Whether any fired."""
    heap, fired = node.timer_heap, False
    if node.young:
        _grow_up(node)
    while heap and heap[0][0] <= node.now_ms:
        item = heappop(heap)
        if _live(node, item):
            _fire(node, item)
            fired = True
    return fired


def _grow_up(node: Node) -> None:
    """Put the young timers that are still wanted into the heap."""
    for item in node.young:
        if item[3].token == item[4]:
            heappush(node.timer_heap, item)
    node.young.clear()


def _compact(node: Node) -> None:
    heap = node.timer_heap
    heap[:] = [item for item in heap if _live(node, item)]
    heapify(heap)
    node.stale = 0


def _push(node: Node, timeout_ms: int, kind: int, subject: Any, detail: Any) -> Any:
    node.next_tag += 1
    node.other_tags += 1
    item = (node.now_ms + timeout_ms, node.next_tag, kind, subject, detail)
    heappush(node.timer_heap, item)
    if node.stale > _MANY and node.stale * 2 > len(node.timer_heap):
        _compact(node)
    return item


def _live(node: Node, item: Any) -> bool:
    kind, subject, detail = item[2], item[3], item[4]
    if kind == WAIT:
        return bool(subject.token == detail)
    if kind in (SEND, INTERVAL):
        return node.timers.get(subject) is item and not _pointless(node, item)
    return bool(subject.status != DEAD and subject.timer == detail)


def _fire(node: Node, item: Any) -> None:
    kind, subject, detail = item[2], item[3], item[4]
    if kind == WAIT:
        delivery.wake(node, subject, delivery.timed_out(subject))
    elif kind == SERVER:
        delivery.deliver(node, subject, (TIMEOUT, detail, None))
    elif type(detail[-2]) in _PLAIN and (kind == SEND or type(detail[-1]) in ATOMIC):
        _fire_message(node, kind, subject, detail)
    else:
        _fire_guarded(node, kind, subject, detail)


def _fire_message(node: Node, kind: int, ref: Ref, detail: Any) -> None:
    if kind == INTERVAL:
        _fire_again(node, ref, *detail)
        return
    del node.timers[ref]
    target, message = detail
    process = delivery.lookup(node, target)
    if process is not None:
        delivery.deliver(node, process, (INFO, message, None))


def _fire_guarded(node: Node, kind: int, ref: Ref, detail: Any) -> None:
    """Where finding the target or copying the message runs code of the user's, while no process does.

    It is as if the target ran, so that it can be told and interrupted; it is the timer that ends of it.
    """
    target = detail[-2]
    before, node.current = node.current, _receiver(node, target)
    try:
        _fire_message(node, kind, ref, detail)
    except BaseException as error:
        node.timers.pop(ref, None)
        text = f"a timer's message to {delivery.shown(target)} was not sent, and the timer ends: {exit_reason(error)!r}"
        node.emit("log", _receiver(node, target), ("error", text))
    finally:
        node.current = before


def _receiver(node: Node, target: Any) -> Process:
    """Whom a message is for, as far as that is known without asking the user's code; else nobody who lives."""
    pid = node.names.get(target) if type(target) is str else target
    found = node.processes.get(pid) if type(pid) is Pid else None
    return found or Process(node, 0, plain.run_plain)


def _fire_again(node: Node, ref: Ref, period_ms: int, target: Any, message: Any) -> None:
    process = delivery.lookup(node, target)
    if process is None and type(target) is Pid:
        del node.timers[ref]
        return
    if process is not None:
        delivery.deliver(node, process, (INFO, node.copy(message), None))
    if node.now_ms + period_ms > MOST:
        del node.timers[ref]
        node.emit("log", _receiver(node, target), ("error", "an interval ends: its clock cannot go on that far"))
        return
    send_interval(node, period_ms, target, message, ref)
