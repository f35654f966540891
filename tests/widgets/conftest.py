"""Trees to draw."""

from __future__ import annotations

import pytest

from jupyter_sandbox.model.views import ProcessView, TreeView

EVIL = "<script>alert(1)</script>\x1b[31m\"'&"


@pytest.fixture
def tree(request: pytest.FixtureRequest) -> TreeView:
    """A shop with every status, and texts that would do harm unescaped; or the tree that a test is made for."""
    if isinstance(given := getattr(request, "param", None), TreeView):
        return given
    process = ProcessView
    return TreeView(
        "shop",
        12,
        3_000,
        (
            process("shop", "<0.5.0>", "shop", "supervisor", "counter.Shop", "waiting", strategy="one_for_one",
                    budget=3, budget_left=2, period_s=5),
            process("shop/front", "<0.9.0>", "front", "worker", "counter.Counter", "running", "shop", "front", "42",
                    queue=3, restarts=1, links=("<0.5.0>", "<0.7.0>"), monitors=("shop/back",)),
            process("shop/back", "<0.7.0>", "back", "worker", "counter.Counter", "suspended", "shop", state=EVIL),
            process("shop/gone", None, "gone", "worker", "counter.Counter", "restarting", "shop"),
            process("shop/out", None, "out", "worker", "counter.Counter", "stopped", "shop"),
            process("<0.20.0>", "<0.20.0>", EVIL, "process", "counter.loop", "exiting"),
        ),
    )  # fmt: skip


@pytest.fixture
def evil() -> str:
    return EVIL
