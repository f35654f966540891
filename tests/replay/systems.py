"""Random systems of processes: every choice comes from the node's own random streams, so a seed names a system."""

from __future__ import annotations

from typing import Any

from jupyter_sandbox.otp import After, CallExit, Child, GenServer, NoReply, Reply, Stop, Supervisor, start_child
from jupyter_sandbox.runtime import Apply
from jupyter_sandbox.runtime import Node as RuntimeNode

NAMES = ("a", "b", "c", "d")


class Worker(GenServer):
    """Does something random with a friend on every message."""

    def init(self, budget: int) -> Any:
        self.trap_exit(self.random.random() < 0.3)
        return budget

    async def handle_call(self, request: Any, caller: Any, n: int) -> Any:
        choice = self.random.randrange(6)
        if choice == 0 and n > 0:
            friend = self.random.choice(NAMES)
            try:
                return Reply(await self.call(friend, request, timeout_ms=self.random.randrange(1, 50)), n - 1)
            except CallExit:
                return Reply("nobody", n - 1)
        if choice == 1:
            await self.sleep(self.random.randrange(20))
        if choice == 2:
            raise ValueError(request)
        if choice == 3:
            return NoReply(n, then=After(self.random.randrange(10)))
        return Reply(n, n + 1)

    def handle_cast(self, request: Any, n: int) -> Any:
        choice = self.random.randrange(5)
        if choice == 0 and n > 0:
            self.cast(self.random.choice(NAMES), {request: [n], "set": {1, "x", (2, "y")}})
            return NoReply(n - 1)
        if choice == 1:
            self.send_after(self.random.randrange(30), self.pid, "later")
        if choice == 2:
            friend = self.whereis(self.random.choice(NAMES))
            if friend is not None:
                self.exit_signal(friend, self.random.choice(["kill", "normal", "shutdown", "odd"]))
        if choice == 3:
            return Stop(self.random.choice(["normal", "boom"]), n)
        return NoReply(n + 1)

    def handle_info(self, message: Any, n: int) -> Any:
        return NoReply(n)


class Top(Supervisor):
    """Restarts often, with a random strategy."""

    intensity = 8
    period_s = 1

    def init(self, strategy: str) -> Any:
        from jupyter_sandbox.otp import Spec

        children = [Child(Worker, 5, name=name) for name in NAMES]
        return Spec(children, strategy=strategy, intensity=self.intensity, period_s=self.period_s)


async def boot(ctx: Any, strategy: str) -> Any:
    """Start the system."""
    return await ctx.start(Top, strategy, name="top")


async def ask(ctx: Any, target: str, request: Any) -> Any:
    """Call one worker; a failure is an answer too."""
    try:
        return await ctx.call(target, request, timeout_ms=100)
    except CallExit as error:
        return repr(error.exit_reason)


async def tell(ctx: Any, target: str, request: Any) -> None:
    """Cast to one worker."""
    ctx.cast(target, request)


async def grow(ctx: Any, number: int) -> Any:
    """Add a child."""
    try:
        return await start_child(ctx, "top", Child(Worker, number, id=number, restart="transient"))
    except Exception as error:
        return type(error).__name__


def drive(node: RuntimeNode, actions: list[tuple[str, Any, Any]], slices: list[int]) -> None:
    """Feed a list of actions to a node, running it in slices of the given sizes."""
    home, now = __name__, 0
    node.admit(Apply(0, f"{home}:boot", (("one_for_one", "one_for_all", "rest_for_one")[len(actions) % 3],)))
    for index, (verb, target, value) in enumerate(actions):
        size = slices[index % len(slices)]
        if verb == "wait":
            now += value
            node.run(now, size)
        elif verb == "grow":
            node.admit(Apply(index + 1, f"{home}:grow", (value,)))
        else:
            node.admit(Apply(index + 1, f"{home}:{'ask' if verb == 'call' else 'tell'}", (target, value)))
        node.run(now, size)
    while (result := node.run(now, 1_000_000)).next_deadline_ms is not None and now < 10_000:
        now = max(now + 1, result.next_deadline_ms)
