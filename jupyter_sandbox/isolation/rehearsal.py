"""The confinement of a guest, rehearsed in the zygote: by a thread, because Linux confines threads one by one.

What Python works out the first time it runs something is then there in every
guest, which copies fewer pages of the zygote's memory for itself and is ready
sooner. The thread ends with all that was taken from it. What belongs to the
whole OS process (environment, resource limits, open files) is as it was before.
Never the reason for a failure: who cannot rehearse forks slower guests.
"""

from __future__ import annotations

import _thread
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from ..model.boot import Boot
from ..model.limits import Limits
from . import system
from .layers import ProtectionLayer, ResourceLimits, layers_for, open_files, protect, rlimits_for

ROUNDS = 10
"""CPython looks at a function's code after it has run eight times, and settles what it saw when it runs again."""
_STACK = 512 * 1024


def rehearse(folder: str) -> None:
    """Apply and test all layers of the best profile, once. ``folder`` stands for a guest's own."""
    if not system.LINUX:
        return
    with suppress(Exception), _limits_kept():
        layers = layers_for(
            Boot("rehearsal", scratch=folder), parent=os.getppid(), keep=open_files(), environment=dict(os.environ)
        )  # fmt: skip
        _in_a_thread(lambda: protect([_harmless(one) for one in layers], Boot("rehearsal")))


@contextmanager
def _limits_kept() -> Iterator[None]:
    """Raises OSError where a container's filter refuses to tell them, before anything is tried."""
    limits = {kind: resource.getrlimit(kind) for kind in rlimits_for(Limits(), 0, 0)}
    try:
        yield
    finally:
        for kind, before in limits.items():
            resource.setrlimit(kind, before)


def _harmless(layer: ProtectionLayer) -> ProtectionLayer:
    """Resource limits are of the OS process: it sets those that are in force."""
    if isinstance(layer, ResourceLimits):
        layer.values = {kind: hard for kind in layer.values if (hard := resource.getrlimit(kind)[1]) > 0}
    return layer


def _in_a_thread(act: Callable[[], object]) -> None:
    """Returns when the thread is gone, not only done: nobody forks before."""
    over = _thread.allocate_lock()
    over.acquire()

    def run() -> None:
        try:
            act()
        finally:
            over.release()

    before = _thread.stack_size(_STACK)
    try:
        _thread.start_new_thread(run, ())
    finally:
        _thread.stack_size(before)
    over.acquire()
    while len(os.listdir("/proc/self/task")) > 1:
        os.sched_yield()
