"""Real sandboxes for the tests of the manager, and ways to wait for what they tell."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from jupyter_sandbox.manager.manager import SandboxManager
from jupyter_sandbox.manager.sandbox import Sandbox
from jupyter_sandbox.model.sandbox import Update

from ..shop import COUNTER


class Told:
    """All updates of a manager so far, and waiting for one."""

    def __init__(self, manager: SandboxManager) -> None:
        self.updates: list[Update] = []
        self._arrived = threading.Condition()
        self.stop = manager.subscribe(self._receive)

    def _receive(self, update: Update) -> None:
        with self._arrived:
            self.updates.append(update)
            self._arrived.notify_all()

    def wait(self, wanted: Callable[[Update], bool], timeout_s: float = 60.0) -> Update:
        """The first update that is wanted, past or to come."""
        with self._arrived:
            found = self._arrived.wait_for(lambda: [one for one in self.updates if wanted(one)], timeout_s)
            assert found, f"it was never told; told were {[type(one).__name__ for one in self.updates]}"
            return found[0]


@pytest.fixture(scope="session")
def shared_manager() -> Iterator[SandboxManager]:
    """One manager for many tests: starting one costs more than most of them."""
    with SandboxManager(store=":memory:") as manager:
        yield manager


@pytest.fixture
def manager(shared_manager: SandboxManager) -> Iterator[SandboxManager]:
    """A manager without sandboxes."""
    yield shared_manager
    for info in shared_manager.list():
        shared_manager.destroy(info.id)


@pytest.fixture
def told(manager: SandboxManager) -> Iterator[Told]:
    told = Told(manager)
    yield told
    told.stop()


@pytest.fixture
def shop(manager: SandboxManager) -> Sandbox:
    return manager.create("shop", code={"counter.py": COUNTER}, main="counter.Shop")
