"""Imported by the zygote: the first minute of a guest, rehearsed before any guest is forked.

What Python and msgspec work out the first time they run something is then
there in every guest, which is ready in half the time. A spare guest rehearses
once more by itself, so that its memory is its own before it is needed. Nothing
of a rehearsal stays, no thread is started, and no user code runs.
"""

from __future__ import annotations

import linecache
import pickle
import sys
from typing import Any

from ..code.finder import ModuleFinder
from ..model.boot import Boot
from ..model.code import Bundle, ModuleCode
from ..model.protection import Layer, Protection
from ..wire import messages as m
from ..wire.connection import Connection
from .guest import Guest
from .trial import try_bundle

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
_ROUNDS = 3
"""CPython specialises a function's code after it has run a few times."""


class _Stage:
    """A guest and both ends of a channel, without a socket between them."""

    def __init__(self) -> None:
        self.kernel, self.inside = Connection("kernel"), Connection("guest")
        self.guest = Guest(Boot("rehearsal"), self._emit, self._push)
        layer = Layer("rehearsal", True, True, True, "")
        self._emit(m.Ready(protocol=m.PROTOCOL, pid=1, protection=Protection("off", (layer,))))

    def _emit(self, frame: Any) -> None:
        self.kernel.receive(self.inside.send(frame))

    def _push(self, frame: Any) -> bool:
        self._emit(frame)
        return True

    def ask(self, request: Any) -> None:
        """Send a request as the kernel would and let the node run until it is answered."""
        requests: list[Any] = self.inside.receive(self.kernel.send(request))
        for received in requests:
            self.guest.handle(received)
        while self.kernel.unanswered:
            self.guest.turn()
        self.guest.watching.push_due()


def rehearse() -> None:
    """Once through everything."""
    bundle = Bundle((ModuleCode(_MODULE, b"", _SOURCE, f"<{_MODULE}>"),))
    finder = ModuleFinder()
    sys.meta_path.insert(0, finder)
    try:
        tried = try_bundle(bundle, finder)
    finally:
        sys.meta_path.remove(finder)
        finder.forget()
    stage = _Stage()
    try:
        stage.ask(m.Load(id=1, bundle=tried.bundle))
        stage.ask(m.Start(id=2, app="rehearsal", main=f"{_MODULE}.Theatre"))
        stage.ask(m.Watch(id=3, interval_ms=1))
        for number in range(4, 10):
            stage.ask(m.Call(id=number, target="actor", args=pickle.dumps("next")))
        stage.ask(m.Cast(id=10, target="actor", args=pickle.dumps(1)))
        stage.ask(m.Execute(id=11, source="1 + 1", file=f"<{_MODULE}>"))
        stage.ask(m.Stop(id=12, app="rehearsal"))
    finally:
        stage.guest.close()
        for name in [name for name in linecache.cache if _MODULE in name]:
            del linecache.cache[name]


for _ in range(_ROUNDS):
    rehearse()
