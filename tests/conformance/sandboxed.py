"""The arm ``sandbox``: every scenario in a real sandbox, through the SandboxManager; only text comes back.

The modules that execute and observe ops are loaded into the sandbox as code.
What is expected never enters it: comparing is done on this side.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Self

from jupyter_sandbox.manager.manager import SandboxManager
from jupyter_sandbox.manager.sandbox import Sandbox
from jupyter_sandbox.model.errors import SandboxError

from .driver import Observed, Ops
from .terms import text_of

PACKAGE = "conformance"
INSIDE = (
    "__init__", "commands", "commands_app", "commands_ets", "commands_otp", "inside", "interpreter", "machines",
    "observing", "plain", "processes", "terms", "world",
)  # fmt: skip
"""What runs in the guest; the other modules of this folder stay outside."""
LIMITS = {
    "max_processes": 100_000, "max_mailbox": 1_000_000, "max_memory": 500_000_000, "max_runtime": 30_000,
    "handler_budget": 20_000,
}  # fmt: skip
"""Generous, but a scenario that never comes to rest ends with its sandbox."""
MOST = 100
"""Scenarios per sandbox, so that a slow machine does not use up ``max_runtime``."""


class SandboxArm:
    """A sandbox for many scenarios, and a new one after any that may have left something behind."""

    def __init__(self) -> None:
        here = Path(__file__).parent
        self._code = {f"{PACKAGE}/{name}.py": (here / f"{name}.py").read_text(encoding="utf-8") for name in INSIDE}
        self._manager = SandboxManager(store=":memory:")
        self._sandbox: Sandbox | None = None
        self._used = 0
        self.created = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._manager.close()

    def run(self, ops: Ops) -> Observed:
        """Execute the ops of one scenario and observe each."""
        sandbox = self._ready()
        try:
            answer = json.loads(self._conduct(sandbox, text_of(ops)))
        except BaseException:
            self._discard()
            raise
        if not answer["clean"]:
            self._discard()
        return answer["ops"], answer["final"]

    def _conduct(self, sandbox: Sandbox, text: str) -> str:
        try:
            return _asked(sandbox, f"conduct(self, {text!r})")
        except SandboxError as error:
            # Stopping the node ends the driver, too. What it had seen by then is told to a second visitor.
            try:
                return _asked(sandbox, "collect(self)")
            except SandboxError:
                raise error from None

    def _ready(self) -> Sandbox:
        if self._sandbox is not None and self._used >= MOST:
            self._discard()
        if self._sandbox is None:
            self._sandbox = self._manager.create(code=self._code, clock="virtual", limits=LIMITS, capture=frozenset())
            self._used = 0
            self.created += 1
        self._used += 1
        return self._sandbox

    def _discard(self) -> None:
        sandbox, self._sandbox = self._sandbox, None
        if sandbox is not None:
            sandbox.destroy()


def _asked(sandbox: Sandbox, what: str) -> str:
    """Have the driver do something in a process of its own; the text that it answers with."""
    found = sandbox.exec(f"from {PACKAGE}.inside import collect, conduct\nawait {what}", "<scenario>")
    assert isinstance(found, str), f"the driver answered with {found!r}"
    return found
