"""The shop of the first notebook, as most tests load it: two counters under a supervisor; and as a cell."""

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

CELL = f"%%sandbox module shop counter{COUNTER}"
"""The cell that makes the sandbox ``shop``; its first line is the magic, so the module begins on its second."""

WALKER = """
class Walker(GenServer):
    def init(self, n):
        self.send(self.pid, "go on")
        return n
    def handle_info(self, message, n):
        self.send_after(20, self.pid, "go on")
        return NoReply(n + 1)
"""
BUSY_CELL = CELL.replace('name="back")', 'name="back"), Child(Walker, 0, name="walker")') + WALKER
"""The same with a third child that never rests."""
