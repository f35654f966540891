"""The shop of the first notebook, as most tests load it: two counters under a supervisor."""

from __future__ import annotations

COUNTER = """
from jupyter_sandbox.otp import Child, GenServer, NoReply, Reply, Supervisor

class Counter(GenServer):
    def init(self, start):
        return start
    def handle_call(self, request, caller, n):
        match request:
            case "next":      return Reply(n, n + 1)
            case ("add", k):  return Reply(n + k, n + k)
    def handle_cast(self, message, n):
        return NoReply(n + message)

class Shop(Supervisor):
    strategy = "one_for_one"
    def init(self, _):
        return [Child(Counter, 0, name="front"), Child(Counter, 100, name="back")]
"""
