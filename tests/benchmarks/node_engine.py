"""The workloads on our node, with all that is on by default: isolation, journal, rolling hash, counters."""

from __future__ import annotations

import asyncio
from typing import Any

from jupyter_sandbox.otp import Child, GenServer, Node, NoReply, Reply, Supervisor
from jupyter_sandbox.runtime import Ask

from .measure import bursts, main, now, resident


class Counter(GenServer):
    """Answers how often it was asked."""

    def init(self, start: int) -> int:
        return start

    def handle_call(self, request: Any, caller: Any, n: int) -> Any:
        return Reply(n, n + 1)

    def handle_cast(self, request: Any, n: int) -> Any:
        return NoReply(n + 1)


class AsyncCounter(Counter):
    """The same, with a callback that may wait."""

    async def handle_call(self, request: Any, caller: Any, n: int) -> Any:
        return Reply(n, n + 1)


class Station(GenServer):
    """One of a ring; its state is the next one and the client."""

    def handle_call(self, request: Any, caller: Any, state: Any) -> Any:
        return Reply("ok", request)

    def handle_cast(self, request: Any, state: Any) -> Any:
        following, client = state
        if request == 0:
            self.send(client, "done")
        else:
            self.cast(following, request - 1)
        return NoReply(state)


class Echo(GenServer):
    """Answers a cast by a message to whoever it names."""

    def handle_cast(self, request: Any, state: Any) -> Any:
        self.send(request, state)
        return NoReply(state)


class Top(Supervisor):
    """Many named children, any number of restarts."""

    intensity = 1_000_000_000
    period_s = 1

    def init(self, size: int) -> Any:
        return [Child(Counter, 0, name=f"s{index}") for index in range(size)]


def on_node(function: Any, size: int) -> float:
    """Run ``async def function(self, size)`` in a fresh node."""
    spent: float = Node().run_function(function, size)
    return spent


async def call(self: Any, size: int) -> float:
    server = await self.start(Counter, 0)
    begun = now()
    for _ in range(size):
        await self.call(server, "next")
    return now() - begun


async def async_call(self: Any, size: int) -> float:
    server = await self.start(AsyncCounter, 0)
    begun = now()
    for _ in range(size):
        await self.call(server, "next")
    return now() - begun


async def cast(self: Any, size: int) -> float:
    server = await self.start(Counter, 0)
    begun = now()
    for burst in bursts(size):
        for _ in range(burst):
            self.cast(server, "next")
        await self.call(server, "next")
    return now() - begun


async def ring(self: Any, size: int) -> float:
    stations = [await self.start(Station) for _ in range(1_000)]
    for station, following in zip(stations, [*stations[1:], stations[0]], strict=True):
        await self.call(station, (following, self.pid))
    begun = now()
    self.cast(stations[0], size)
    await self.receive()
    return now() - begun


async def fan(self: Any, size: int) -> float:
    servers = [await self.start(Echo, 0) for _ in range(1_000)]
    begun = now()
    for _ in range(size // 1_000):
        for server in servers:
            self.cast(server, self.pid)
        for _ in servers:
            await self.receive()
    return now() - begun


async def start_stop(self: Any, size: int) -> float:
    begun = now()
    servers = [await self.start(Counter, 0) for _ in range(size)]
    for server in servers:
        await self.stop(server)
    return now() - begun


async def tree(self: Any, size: int) -> float:
    begun = now()
    await self.start(Top, size)
    return now() - begun


async def storm(self: Any, size: int) -> float:
    await self.start(Top, size)
    children = [self.whereis(f"s{index}") for index in range(size)]
    begun = now()
    for child in children:
        self.exit_signal(child, "crash")
    for index, child in enumerate(children):
        await _replacement(self, f"s{index}", child)
    return now() - begun


async def replaced(self: Any, size: int) -> float:
    await self.start(Top, 1)
    begun = now()
    for _ in range(size):
        child = self.whereis("s0")
        self.exit_signal(child, "crash")
        await _replacement(self, "s0", child)
    return now() - begun


async def _replacement(self: Any, name: str, old: Any) -> None:
    while self.whereis(name) in (old, None):
        await self.yield_()
    await self.call(name, 0)


async def _idle(self: Any, size: int) -> list[Any]:
    return [await self.start(Counter, 0) for _ in range(size)]


def memory(size: int) -> float:
    node = Node()
    node.run_function(_idle, size // 10)
    before = resident()
    node.run_function(_idle, size)
    return (resident() - before) / size


def outside_call(size: int) -> float:
    """A coroutine of asyncio calls into the node: the answer is there before the future is awaited."""
    node = Node()
    server = node.run_function(_idle, 1)[0]

    async def go() -> float:
        begun = now()
        for index in range(size):
            await ask(node, index, server, "next")
        return now() - begun

    return asyncio.run(go())


async def ask(node: Node, number: int, server: Any, request: Any) -> Any:
    """Call a server of the node from asyncio; it answers in the steps that are taken here, so nothing is awaited."""
    reply = node.ask(Ask(number, server, request), node.now_ms)
    assert reply is not None
    return reply.value


ENGINE = {
    "call": lambda size: on_node(call, size),
    "async_call": lambda size: on_node(async_call, size),
    "outside_call": outside_call,
    "cast": lambda size: on_node(cast, size),
    "ring": lambda size: on_node(ring, size),
    "fan": lambda size: on_node(fan, size),
    "start_stop": lambda size: on_node(start_stop, size),
    "tree1k": lambda size: on_node(tree, size),
    "tree10k": lambda size: on_node(tree, size),
    "storm": lambda size: on_node(storm, size),
    "replaced": lambda size: on_node(replaced, size),
    "memory": memory,
}

if __name__ == "__main__":
    main(ENGINE)
