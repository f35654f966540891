"""A shell with the extension loaded over a manager that only notes what it is asked. It runs no process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from jupyter_sandbox.magics.extension import load, unload
from jupyter_sandbox.manager.reports import LoadReport, Stepped
from jupyter_sandbox.model.errors import UsageError
from jupyter_sandbox.model.limits import Limits
from jupyter_sandbox.model.sandbox import InfoChanged, Removed, SandboxInfo, SandboxStatus, TreeReplaced, Update
from jupyter_sandbox.model.views import ModuleVersion, ProcessView, StepView, TreeView

from ..waiting import until

TREE = TreeView(
    "shop",
    7,
    0,
    (
        ProcessView("shop", "<0.5.0>", "shop", "supervisor", "counter.Shop", "waiting", strategy="one_for_one"),
        ProcessView("shop/front", "<0.6.0>", "front", "worker", "counter.Counter", "waiting", "shop", "front", "1"),
    ),
)
STEP = StepView(8, "<0.6.0>", "front", "call", "'next'", "<0.9.0>", "1", "2", ("replied 1 to <0.9.0>",))


class FakeSandbox:
    """Notes every call in ``asked`` and answers from ``answers``."""

    def __init__(self, manager: FakeManager, number: int, name: str, limits: Any) -> None:
        self.manager, self.id, self.name = manager, number, name
        self.main: str | None = None
        self.limits_now = Limits.merged(limits)
        self.status_now, self.reason_now = SandboxStatus.RUNNING, ""
        self.asked: list[tuple[Any, ...]] = []
        self.answers: dict[str, Any] = {
            "start": TREE, "restart": TREE, "restore": TREE, "tree": TREE, "watch": TREE, "pause": 7,
            "step": Stepped((STEP,), 8), "back": Stepped((), 6), "until": Stepped((STEP,), 8, "limit"),
            "load": LoadReport((ModuleVersion("counter", 1, "d", True, "f", 0),), 0, "", 3.0, ("counter",)),
            "snapshots": [], "versions": [], "children": [], "events": [], "why": [], "log": [], "output": "",
            "metrics": {"event_count": 3}, "busy_ms": 0,
        }  # fmt: skip

    def info(self) -> SandboxInfo:
        return SandboxInfo(
            self.id,
            self.name,
            f"sandbox_{self.id}",
            self.status_now,
            self.reason_now,
            0.0,
            1,
            self.main,
            self.limits_now,
            None,
        )

    @property
    def status(self) -> SandboxStatus:
        return self.status_now

    def limits(self, **changes: int) -> Limits:
        self.limits_now = Limits.merged(changes, self.limits_now)
        return self.limits_now

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        def act(*args: Any, **options: Any) -> Any:
            self.asked.append((verb, args, options) if options else (verb, *args))
            if verb == "watch":
                self.manager.publish(TreeReplaced(self.name, replace(TREE, sandbox=self.name)))
            answer = self.answers.get(verb)
            if isinstance(answer, BaseException):
                raise answer
            return answer

        return act

    @property
    def last(self) -> tuple[Any, ...]:
        """The last call that was not a watch."""
        return next(call for call in reversed(self.asked) if call[0] != "watch")


class FakeManager:
    origin = ""

    def __init__(self) -> None:
        self.sandboxes: dict[str, FakeSandbox] = {}
        self.subscribers: list[Callable[[Update], None]] = []
        self.closed = False
        self.refuse_code: BaseException | None = None

    def create(self, name: str | None = None, *, limits: Any = None, **options: Any) -> FakeSandbox:
        number = len(self.sandboxes) + 1
        sandbox = FakeSandbox(self, number, name or f"sandbox_{number}", limits)
        sandbox.asked.append(("create", options))
        sandbox.answers["load"] = self.refuse_code or sandbox.answers["load"]
        self.sandboxes[sandbox.name] = sandbox
        self.publish(InfoChanged(sandbox.info()))
        return sandbox

    def get(self, name: str) -> FakeSandbox:
        if name not in self.sandboxes:
            raise UsageError("sandbox", name, allowed=list(self.sandboxes))
        return self.sandboxes[name]

    def refresh(self, name: str | None = None) -> None:
        """Its facts are always those of now."""

    def list(self) -> list[SandboxInfo]:
        return [sandbox.info() for sandbox in self.sandboxes.values()]

    def destroy(self, name: str) -> None:
        sandbox = self.sandboxes.pop(name)
        self.publish(Removed(name, sandbox.id))

    def subscribe(self, receive: Callable[[Update], None]) -> Callable[[], None]:
        self.subscribers.append(receive)
        return lambda: self.subscribers.remove(receive)

    def publish(self, update: Update) -> None:
        for receive in list(self.subscribers):
            receive(update)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def manager() -> FakeManager:
    return FakeManager()


@pytest.fixture
def bare_shell() -> Iterator[InteractiveShell]:
    """A terminal shell without history on disk and without the extension."""
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance(config=config)
    shell.user_ns["SimpleNamespace"] = SimpleNamespace
    yield shell
    unload(shell)
    shell.reset()
    InteractiveShell.clear_instance()


@pytest.fixture
def shell(bare_shell: InteractiveShell, manager: FakeManager) -> InteractiveShell:
    """A terminal shell with the extension loaded over the fake manager."""
    load(bare_shell, manager)  # type: ignore[arg-type]
    return bare_shell


@pytest.fixture
def shop(shell: InteractiveShell, manager: FakeManager) -> FakeSandbox:
    """The one sandbox, and its tree is known."""
    made = manager.create("shop")
    until(lambda: "shop" in shell._jupyter_sandbox.mirror.trees)
    return made
