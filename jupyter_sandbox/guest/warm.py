"""Imported by the zygote: the first minute of a guest, rehearsed before any guest is forked.

What Python and msgspec work out the first time they run something is then
there in every guest, which is ready in half the time. A spare guest rehearses
once more by itself, so that its memory is its own before it is needed. Nothing
of a rehearsal stays, no thread is started, and no user code runs.
"""

from __future__ import annotations

import linecache
import pickle
import socket
import sys
from collections.abc import Iterator
from typing import Any, Final

from ..code.compiler import compile_bundle
from ..code.finder import ModuleFinder
from ..isolation.heartbeat import HeartbeatWriter
from ..model.boot import Boot
from ..model.code import Bundle, ModuleCode
from ..model.protection import Layer, Protection
from ..wire import messages as m
from ..wire.connection import Connection
from .channel import Channel
from .guest import Guest
from .main import serve
from .trial import try_modules

_MODULE = "jupyter_sandbox_rehearsal"
_SOURCE = """
from jupyter_sandbox.otp import Child, GenServer, NoReply, Reply, Supervisor

class Actor(GenServer):
    def init(self, start):
        return start
    def handle_call(self, request, caller, state):
        return Reply(state, state + 1)
    def handle_cast(self, message, state):
        return NoReply(message)

class Theatre(Supervisor):
    def init(self, _):
        return [Child(Actor, 0, name="actor")]
"""
_PROTECTION: Final = Protection("off", (Layer("rehearsal", True, True, True, ""),))
_ROUNDS: Final = 3
"""CPython specialises a function's code after it has run a few times."""


def rehearse() -> None:
    """Once through everything: code is tried, then a guest lives from its beginning to its end."""
    bundle = Bundle((ModuleCode(_MODULE, b"", _SOURCE, f"<{_MODULE}>"),))
    finder = ModuleFinder()
    sys.meta_path.insert(0, finder)
    try:
        compiled = compile_bundle(bundle).bundle
        try_modules(compiled.modules, finder)
    finally:
        sys.meta_path.remove(finder)
        finder.forget()
    try:
        _perform(compiled)
    finally:
        for name in [name for name in linecache.cache if _MODULE in name]:
            del linecache.cache[name]


def _perform(bundle: Bundle) -> None:
    """As a spare that becomes a sandbox, over a socket that both ends of lie here."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        channel = Channel(theirs)
        kernel = _Kernel(ours, _conversation(bundle))

        def send(frame: Any) -> None:
            Channel.send(channel, frame)
            kernel.go_on()

        # Not a class of its own: CPython's caches would then know that one.
        channel.send = send  # type: ignore[method-assign]
        boot = Boot("rehearsal", spare=True)
        serve(Guest(boot, channel.send, channel.push), boot, channel, HeartbeatWriter(-1), _PROTECTION)


class _Kernel:
    """Asks the next thing as soon as everything before it is answered."""

    def __init__(self, end: socket.socket, conversation: Iterator[m.KernelFrame]) -> None:
        end.setblocking(False)
        self._end, self._conversation = end, conversation
        self._connection = Connection("kernel")

    def go_on(self) -> None:
        """The guest has sent something, or put it aside to send it with the next frame."""
        try:
            self._connection.receive(self._end.recv(1 << 16))
        except BlockingIOError:
            return
        if not self._connection.unanswered:
            for request in self._conversation:
                self._end.send(self._connection.send(request))
                if not isinstance(request, m.Begin):
                    break


def _conversation(bundle: Bundle) -> Iterator[m.KernelFrame]:
    yield m.Begin(id=1, boot=Boot("rehearsal"))
    yield m.Tree(id=2)
    yield m.Load(id=3, bundle=bundle)
    yield m.Start(id=4, app="rehearsal", main=f"{_MODULE}.Theatre")
    yield m.Watch(id=5, interval_ms=1)
    for number in range(6, 12):
        yield m.Call(id=number, target="actor", args=pickle.dumps("next"))
    yield m.Cast(id=12, target="actor", args=pickle.dumps(1))
    yield m.Execute(id=13, source="1 + 1", file=f"<{_MODULE}>")
    yield m.Stop(id=14, app="rehearsal")
    yield m.Shutdown(id=15, grace_ms=0)


for _ in range(_ROUNDS):
    rehearse()
