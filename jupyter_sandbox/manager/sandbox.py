"""``Sandbox``: one running actor system as the user holds it. Every method waits for its result, interruptibly."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial

from ..isolation.aside import in_thread
from ..model.errors import UsageError
from ..model.given import storable, text_or_none, whole
from ..model.limits import Limits
from ..model.views import TreeView
from ..wire import messages as wire
from . import changing, loading, snapshots
from .acting import Acting
from .limiting import change_limits
from .looking import Looking
from .loop import ManagerLoop
from .pickles import pack
from .reports import LoadReport, Stepped
from .store import SnapshotInfo, SnapshotStore
from .unit import Unit

Destroy = Callable[[Unit], Coroutine[None, None, None]]
STEP_S = 60.0
"""A step runs one callback, which has its own budget; many steps together may take long."""
MOST_STEPS = 1_000_000
"""Steps of one request; who wants more asks again."""


class Sandbox(Looking, Acting):
    """Made by ``SandboxManager.create``.

    >>> from jupyter_sandbox import SandboxManager
    >>> source = '''
    ... from jupyter_sandbox.otp import Child, GenServer, Reply, Supervisor
    ... class Counter(GenServer):
    ...     def handle_call(self, request, caller, n):
    ...         return Reply(n, n + 1)
    ... class Shop(Supervisor):
    ...     def init(self, _):
    ...         return [Child(Counter, 0, name="front")]
    ... '''
    >>> manager = SandboxManager(store=":memory:")
    >>> shop = manager.create("shop", code={"counter.py": source}, main="counter.Shop")
    >>> [shop.call("front", "next") for _ in range(3)], shop.state("front")
    ([0, 1, 2], 3)
    >>> shop.kill("front")
    >>> shop.call("front", "next"), shop.why("front")[0].decision
    (0, 'one_for_one restart 1 of 3 in 5 s')
    >>> manager.close()
    """

    def __init__(self, unit: Unit, loop: ManagerLoop, store: SnapshotStore, destroy: Destroy) -> None:
        super().__init__(unit, loop)
        self._store, self._destroy = store, destroy

    def __repr__(self) -> str:
        life = self._held.life
        status = "destroyed" if life.destroyed else life.status
        return f"<Sandbox {life.id} {life.name!r} {status if self._loop.is_here else 'of another OS process'}>"

    # --- code and life ----------------------------------------------------------------------------------------------

    def load(self, source: object, module: str | None = None) -> LoadReport:
        """Load or hot-reload code: a map of files, a path, a cell, compiled files, a commit, or a text and its module.

        Running processes go to the new code with their state. Raises
        CompileError; after any failure the old version runs on.
        """
        return self._loop.run(loading.load(self._unit, source, text_or_none("module", module)))

    def start(self, main: str | None = None, *args: object) -> TreeView:
        """Start ``module.Class`` (application, supervisor or server) as the main application; the tree.

        Without ``main``: the one that was started before, else the only class that it can be.
        """
        wanted, packed = text_or_none("main", main), pack(args, "the arguments") if args else b""
        return self._loop.run(changing.start(self._unit, wanted, packed))

    def stop(self) -> None:
        """Stop the application in order: no process runs any more, though threads and programs that they began may.

        Looking stays possible. Does nothing when stopped.
        """
        self._loop.run(changing.stop(self._unit))

    def restart(self) -> TreeView:
        """A fresh OS process with the same code and main; the state is lost. The way back after a crash."""
        return self._loop.run(changing.restart(self._unit))

    def destroy(self) -> None:
        """End it and forget it with its analytics and snapshots. Idempotent."""
        self._loop.run(self._destroy(self._unit))

    def limits(self, **changes: int) -> Limits:
        """The limits in force, after changing the given ones.

        They act at once. Where the operating system lets nobody raise the
        memory or the processor time of a running OS process, a notice says that a restart is needed.
        """
        checked = Limits.merged(changes)  # here: what is in them may be anything, and the manager has others to serve
        wanted = {name: getattr(checked, name) for name in changes}

        async def change() -> Limits:
            merged = Limits.merged(wanted, self._unit.limits)  # here: of two that change some at once, neither is lost
            if wanted:
                await change_limits(self._unit, merged)
            return merged

        return self._loop.run(change())

    # --- execution control ------------------------------------------------------------------------------------------

    def pause(self) -> int:
        """Stop stepping and the node's clock; the number of the step it stands at."""
        return self._loop.run(changing.pause(self._unit))

    def resume(self) -> None:
        """Let it go on. Does nothing when it runs."""
        self._loop.run(changing.resume(self._unit))

    def step(self, count: int = 1) -> Stepped:
        """Take up to ``count`` steps while paused; each is told."""
        steps = whole("count", count, MOST_STEPS)
        return self._loop.run(
            changing.step(self._unit, lambda number: wire.Step(id=number, count=steps), STEP_S)
        )  # fmt: skip

    def until(
        self, *, process: str | None = None, kind: str | None = None, contains: str | None = None,
        step: int | None = None, max_steps: int = 10_000,
    ) -> Stepped:  # fmt: skip
        """Step until a step matches every given condition; pauses first when it runs."""
        if process is None and kind is None and contains is None and step is None:
            raise UsageError("until", hint="give a condition: process=, kind=, contains= or step=")
        make = partial(
            wire.Until, process=text_or_none("process", process), kind=text_or_none("kind", kind),
            contains=text_or_none("contains", contains), step=None if step is None else whole("step", step),
            max_steps=whole("max_steps", max_steps, MOST_STEPS),
        )  # fmt: skip

        return self._loop.run(changing.until(self._unit, lambda number: make(id=number), STEP_S))

    def back(self, count: int = 1) -> Stepped:
        """Go ``count`` steps back, while paused: the journal is replayed in a fresh OS process up to there."""
        return self._loop.run(changing.back(self._unit, whole("count", count)))

    # --- state ------------------------------------------------------------------------------------------------------

    def snapshot(self, name: str) -> SnapshotInfo:
        """Save the state under a name; it survives the kernel. Raises SnapshotError naming what cannot be saved."""
        return self._loop.run(snapshots.take(self._unit, self._store, _snapshot_name(name)))

    def snapshots(self) -> list[SnapshotInfo]:
        """All snapshots of this sandbox's name, oldest first."""
        name, store = self.name, self._store
        return self._loop.run(in_thread(lambda: store.list(name)))

    def restore(self, name: str) -> TreeView:
        """Build the saved system beside the running one, then switch; a failure leaves the running one alive."""
        return self._loop.run(snapshots.restore(self._unit, self._store, _snapshot_name(name)))


def _snapshot_name(name: str) -> str:
    hint = "give a name of 1 to 200 characters"
    found = storable("snapshot", name, hint)
    if not 1 <= len(found) <= 200:
        raise UsageError("snapshot", name, hint=hint)
    return found
