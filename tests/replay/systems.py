"""Random systems of processes: every choice comes from the node's own random streams, so a seed names a system."""

from __future__ import annotations

from typing import Any

from jupyter_sandbox.otp import (
    IGNORE,
    After,
    CallExit,
    Child,
    Continue,
    GenServer,
    NoReply,
    Ok,
    Reply,
    StartError,
    Stop,
    Supervisor,
    start_child,
)
from jupyter_sandbox.otp import sys as otp_sys
from jupyter_sandbox.runtime import Apply, Ask
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


class Passing(GenServer):
    """Comes and goes, and does something random at both ends."""

    def init(self, trouble: int) -> Any:
        choice = self.random.randrange(12) if trouble else 0
        if choice == 1:
            raise ValueError(trouble)
        if choice == 2:
            return Stop("no")
        if choice == 3:
            return IGNORE
        if choice == 4:
            self.send(self.pid, "hello")
        if choice == 5 and self.parent is not None:
            self.send(self.parent, "born")
        if choice == 6:
            self.cast(self.random.choice(NAMES), "born")
        if choice == 7 and self.parent is not None:
            self.exit_signal(self.parent, "odd")
        if choice == 8:
            return self.slowly(trouble)
        if choice == 9:
            self.exit_signal(self.spawn_link(leave), "odd")
        return Ok(trouble, then=Continue(1)) if choice == 10 else trouble

    async def slowly(self, trouble: int) -> int:
        await self.sleep(self.random.randrange(3))
        return trouble

    def handle_continue(self, argument: Any, n: int) -> Any:
        return NoReply(n + 1)

    def handle_call(self, request: Any, caller: Any, n: int) -> Any:
        choice = self.random.randrange(4) if n else 0
        if choice == 1:
            self.send(caller.pid, "seen")
        if choice == 2:
            return Stop("normal", n, reply="last")
        if choice == 3:
            self.exit_signal(caller.pid, "odd")
        return Reply(n, n + 1)

    def handle_info(self, message: Any, n: int) -> Any:
        return NoReply(n)

    def terminate(self, reason: Any, n: int) -> Any:
        choice = self.random.randrange(5) if n else 0
        if choice == 1:
            raise ValueError(reason)
        if choice == 2:
            self.cast(self.random.choice(NAMES), "gone")
        return self.slowly(n) if choice == 3 else None


async def leave(ctx: Any) -> None:
    """A process that is gone at once."""


class Top(Supervisor):
    """Restarts often, with a random strategy."""

    intensity = 8
    period_s = 1

    def init(self, strategy: str) -> Any:
        from jupyter_sandbox.otp import Spec

        children = [Child(Worker, 5, name=name) for name in NAMES]
        return Spec(children, strategy=strategy, intensity=self.intensity, period_s=self.period_s)


class Nursery(Supervisor):
    """Its children are of many kinds and begin in many ways, some of them with trouble."""

    restart = "temporary"

    def init(self, size: int) -> Any:
        if self.random.random() < 0.2:
            self.send(self.pid, "unexpected")
        return [
            Child(Worker if index % 3 == 1 else Passing, index if self.random.random() < 0.5 else 0, id=index)
            for index in range(size)
        ]


async def nursery(ctx: Any, size: int) -> Any:
    """Start a supervisor with many children at once, and stop it again."""
    try:
        pid = await ctx.start(Nursery, size)
        await ctx.stop(pid, "normal", 50)
    except (CallExit, StartError) as error:
        return type(error).__name__
    return "stopped"


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


async def churn(ctx: Any, rounds: int) -> Any:
    """Start servers, talk to them and stop them; its own end may come from any of them."""
    done = []
    for index in range(rounds):
        start = ctx.start_link if ctx.random.random() < 0.5 else ctx.start
        try:
            pid = await start(Passing, index % 5)
            if pid is not None and ctx.random.random() < 0.8:
                done.append(await ctx.call(pid, index, timeout_ms=20))
            if pid is not None and ctx.random.random() < 0.2:
                await otp_sys.suspend(ctx, pid, timeout_ms=20)
            if pid is not None and ctx.random.random() < 0.8:
                await ctx.stop(pid, ctx.random.choice(["normal", "shutdown", "odd"]), ctx.random.choice([None, 2]))
        except (CallExit, StartError) as error:
            done.append(type(error).__name__)
    return done


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
        elif verb == "question":
            node.ask(Ask(index + 1, target, value), now)
        elif verb in ("churn", "nursery"):
            node.admit(Apply(index + 1, f"{home}:{verb}", (value,)))
        else:
            node.admit(Apply(index + 1, f"{home}:{'ask' if verb == 'call' else 'tell'}", (target, value)))
        node.run(now, size)
    while (result := node.run(now, 1_000_000)).next_deadline_ms is not None and now < 10_000:
        now = max(now + 1, result.next_deadline_ms)
