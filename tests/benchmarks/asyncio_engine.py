"""The workloads on plain asyncio, the usual way: a queue and a task per actor, a future per answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from .measure import bursts, main, now, resident

_CALL, _CAST, _STOP = range(3)


class Actor:
    """A counter with an inbox."""

    __slots__ = ("inbox", "task")

    def __init__(self, serve: Callable[[asyncio.Queue[Any]], Any]) -> None:
        self.inbox: asyncio.Queue[Any] = asyncio.Queue()
        self.task = asyncio.create_task(serve(self.inbox))

    def ask(self, request: Any) -> Awaitable[Any]:
        answer = asyncio.get_running_loop().create_future()
        self.inbox.put_nowait((_CALL, request, answer))
        return answer

    def cast(self, request: Any) -> None:
        self.inbox.put_nowait((_CAST, request, None))

    def stop(self) -> asyncio.Task[Any]:
        self.inbox.put_nowait((_STOP, None, None))
        return self.task


async def counter(inbox: asyncio.Queue[Any]) -> None:
    n = 0
    while True:
        kind, _, answer = await inbox.get()
        if kind == _STOP:
            return
        n += 1
        if kind == _CALL and not answer.done():
            answer.set_result(n)


async def async_counter(inbox: asyncio.Queue[Any]) -> None:
    """Its callback is a coroutine."""
    n = 0

    async def handle_call(request: Any) -> int:
        return n + 1

    while True:
        kind, request, answer = await inbox.get()
        if kind == _STOP:
            return
        n = await handle_call(request)
        if not answer.done():
            answer.set_result(n)


async def _calls(size: int, serve: Any) -> float:
    actor = Actor(serve)
    await actor.ask(0)
    begun = now()
    for _ in range(size):
        await actor.ask("next")
    spent = now() - begun
    await actor.stop()
    return spent


async def cast(size: int) -> float:
    actor = Actor(counter)
    await actor.ask(0)
    begun = now()
    for burst in bursts(size):
        for _ in range(burst):
            actor.cast("next")
        await actor.ask(0)
    spent = now() - begun
    await actor.stop()
    return spent


async def ring(size: int) -> float:
    done = asyncio.get_running_loop().create_future()
    inboxes: list[asyncio.Queue[int]] = [asyncio.Queue() for _ in range(1_000)]

    async def station(inbox: asyncio.Queue[int], following: asyncio.Queue[int]) -> None:
        while True:
            left = await inbox.get()
            if left == 0:
                done.set_result(None)
            else:
                following.put_nowait(left - 1)

    tasks = [asyncio.create_task(station(inboxes[i], inboxes[(i + 1) % 1_000])) for i in range(1_000)]
    await asyncio.sleep(0)
    begun = now()
    inboxes[0].put_nowait(size)
    await done
    spent = now() - begun
    for task in tasks:
        task.cancel()
    return spent


async def fan(size: int) -> float:
    actors = [Actor(counter) for _ in range(1_000)]
    await asyncio.sleep(0)
    begun = now()
    for _ in range(size // 1_000):
        await asyncio.gather(*[actor.ask(1) for actor in actors])
    spent = now() - begun
    await asyncio.gather(*[actor.stop() for actor in actors])
    return spent


async def start_stop(size: int) -> float:
    begun = now()
    actors = [Actor(counter) for _ in range(size)]
    await asyncio.sleep(0)
    await asyncio.gather(*[actor.stop() for actor in actors])
    return now() - begun


async def memory(size: int) -> float:
    before = resident()
    actors = [Actor(counter) for _ in range(size)]
    await actors[-1].ask(0)
    return (resident() - before) / len(actors)


ENGINE = {
    "call": lambda size: asyncio.run(_calls(size, counter)),
    "async_call": lambda size: asyncio.run(_calls(size, async_counter)),
    "outside_call": lambda size: asyncio.run(_calls(size, counter)),
    "cast": lambda size: asyncio.run(cast(size)),
    "ring": lambda size: asyncio.run(ring(size)),
    "fan": lambda size: asyncio.run(fan(size)),
    "start_stop": lambda size: asyncio.run(start_stop(size)),
    "memory": lambda size: asyncio.run(memory(size)),
}

if __name__ == "__main__":
    main(ENGINE)
