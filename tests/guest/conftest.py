"""A guest driven by hand: no OS process, no socket, and a clock that moves only when something waits for it."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from jupyter_sandbox.code.compiler import compile_bundle
from jupyter_sandbox.code.gather import gather
from jupyter_sandbox.guest.guest import Guest
from jupyter_sandbox.model.boot import Boot
from jupyter_sandbox.model.code import Bundle
from jupyter_sandbox.model.limits import Limits
from jupyter_sandbox.wire import messages as m
from jupyter_sandbox.wire.values import decode_value

from ..shop import COUNTER

TICKER = """
from jupyter_sandbox.otp import GenServer, NoReply
class Ticker(GenServer):
    def init(self, n):
        self.send_after(1_000, self.pid, "tick")
        return n
    def handle_info(self, message, n):
        self.send_after(1_000, self.pid, "tick")
        return NoReply(n + 1)
"""
"""Counts the seconds."""


class Bench:
    """A guest and the kernel's part of the conversation."""

    def __init__(self, boot: Boot) -> None:
        self.now_ns = 0
        self.frames: list[Any] = []
        self.pushed: list[Any] = []
        self.guest = Guest(boot, self.frames.append, self._push, lambda: self.now_ns)
        self._number = 0

    def _push(self, frame: Any) -> bool:
        self.pushed.append(frame)
        return True

    def ask(self, make: Callable[..., Any], /, *, patience_ms: int = 10_000, **fields: Any) -> Any:
        """Send a request and let time pass until it is answered."""
        self._number += 1
        number = self._number
        self.guest.handle(make(id=number, **fields))
        until = self.now_ns + patience_ms * 1_000_000
        while True:
            for frame in self.frames:
                if frame.id == number:
                    self.frames.remove(frame)
                    return frame
            if self.now_ns > until:
                raise AssertionError(f"no answer to {make.__name__}")
            self.turn()

    def turn(self) -> None:
        """One slice; when nothing can run, time moves on."""
        result = self.guest.turn()
        self.guest.watching.push_due()
        self.now_ns += 1_000_000 if result.idle else 1_000

    def run(self, ms: int) -> None:
        """Let time pass."""
        until = self.now_ns + ms * 1_000_000
        while self.now_ns < until:
            self.turn()

    def load(self, source: Any, module: str | None = None) -> Any:
        """What the manager does: compile elsewhere, then load."""
        return self.ask(m.Load, bundle=compile_bundle(gather(source, module)).bundle)

    def try_out(self, bundle: Bundle) -> Any:
        """What the manager does before that, in another guest."""
        self.ask(m.Bring, modules=bundle.modules, anew=True)
        return self.ask(m.Load, bundle=Bundle(()), brought=len(bundle.modules), trial=True)

    def start(self, main: str, *args: Any) -> Any:
        return self.ask(m.Start, app="sandbox_1", main=main, args=pickle.dumps(args))

    def call(self, target: str, request: Any, **fields: Any) -> Any:
        """A call; its value, or the Failed frame."""
        return value_of(self.ask(m.Call, target=target, args=pickle.dumps(request), **fields))

    def cast(self, target: str, request: Any) -> Any:
        return self.ask(m.Cast, target=target, args=pickle.dumps(request))

    def state(self, target: str) -> Any:
        return value_of(self.ask(m.GetState, target=target))

    def shown(self) -> list[str]:
        return [view.key for view in self.ask(m.Tree).tree.processes]

    def of(self, kind: type) -> list[Any]:
        return [frame for frame in self.pushed if isinstance(frame, kind)]


def value_of(frame: Any) -> Any:
    return decode_value(frame.data) if isinstance(frame, m.Value) else frame


@pytest.fixture
def make_bench() -> Iterator[Callable[..., Bench]]:
    made: list[Bench] = []

    def make(*, limits: Limits | None = None, **boot: Any) -> Bench:
        for other in made:
            retire(other)  # one interpreter, one set of modules: the newest guest has it
        made.append(Bench(Boot("shop", limits=limits or Limits(), **boot)))
        return made[-1]

    yield make
    for one in made:
        retire(one)


def retire(bench: Bench) -> None:
    if not bench.guest.leaving:
        bench.guest.leaving = True
        bench.guest.close()


@pytest.fixture
def bench(make_bench: Callable[..., Bench]) -> Bench:
    return make_bench()


@pytest.fixture
def shop(bench: Bench) -> Bench:
    """The shop of the first notebook, started."""
    bench.load(COUNTER, "tshop")
    assert isinstance(bench.start("tshop.Shop"), m.Done)
    return bench


@pytest.fixture
def shop_source() -> str:
    return COUNTER
