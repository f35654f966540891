"""What all tests share: the folder of the project. Layers keep their own fixtures beside their tests."""

from __future__ import annotations

import logging
import signal
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from .left_out import judge


class _Complaints(logging.Handler):
    """What asyncio says of errors that nobody hears of, of callbacks and of tasks that were forgotten, where they are
    the kernel's; those of a user's code are tried here, too."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = logging.Formatter().format(record)
        if "/jupyter_sandbox/manager/" in text or "/jupyter_sandbox/isolation/" in text:
            self.texts.append(text)


_COMPLAINTS = _Complaints()


def pytest_configure() -> None:
    """A shell that runs the tests in the background has SIGINT ignored, and interrupts are part of what is tested."""
    # A machine with other work to do is no fault of the code: nothing is judged by how long it takes.
    settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("patient")
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    logging.getLogger("asyncio").addHandler(_COMPLAINTS)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Generator[None]:
    """Fails a test during which asyncio complained, maybe of one before it."""
    yield
    texts, _COMPLAINTS.texts = _COMPLAINTS.texts, []
    if texts:
        pytest.fail("\n".join(texts), pytrace=False)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Campaigns run when they are asked for, and not because nothing was. What takes minutes begins first: else one
    worker ends with it, and all others have nothing to do."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
    if "campaign" in (config.getoption("markexpr") or ""):
        return
    left_out = [item for item in items if item.get_closest_marker("campaign")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("campaign")]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI nothing is skipped by accident."""
    return judge((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Nor are whole files."""
    return judge((yield))


@pytest.fixture(scope="session")
def project() -> Path:
    """The root of the repository."""
    return Path(__file__).resolve().parent.parent
