"""What is known without asking."""

from __future__ import annotations

from jupyter_sandbox.magics.complete import Known
from jupyter_sandbox.magics.mirror import Mirror
from jupyter_sandbox.model.limits import Limits
from jupyter_sandbox.model.sandbox import InfoChanged, Removed, SandboxInfo, SandboxStatus, TreePatched, TreeReplaced
from jupyter_sandbox.model.views import ProcessView, TreeDiff, TreeView

INFO = SandboxInfo(
    1, "shop", "sandbox_1", SandboxStatus.RUNNING, "", 0.0, 1, None, Limits(), None, modules=("counter",)
)
FRONT = ProcessView("shop/front", "<0.6.0>", "front", "worker", "m.C", "waiting", None, "front")


def test_facts_trees_and_diffs_are_kept() -> None:
    mirror = Mirror()
    mirror.take(InfoChanged(INFO))
    mirror.take(TreeReplaced("shop", TreeView("shop", 1, 0)))
    mirror.take(TreePatched("shop", TreeDiff("shop", 2, 0, (FRONT,))))
    mirror.set_mains("shop", "counter", ("Shop",))
    mirror.set_snapshots("shop", ("before",))
    assert mirror.trees["shop"].processes == (FRONT,)
    assert mirror.known() == {"shop": Known(("front", "shop/front"), ("counter",), ("counter.Shop",), ("before",))}


def test_a_removed_sandbox_is_forgotten() -> None:
    mirror = Mirror()
    mirror.take(InfoChanged(INFO))
    mirror.take(TreeReplaced("shop", TreeView("shop", 1, 0)))
    mirror.take(Removed("shop", 1))
    assert (mirror.known(), mirror.trees) == ({}, {})


def test_classes_that_a_module_has_no_more_are_not_offered_and_the_likeliest_is_the_newest() -> None:
    mirror = Mirror()
    mirror.set_mains("shop", "counter", ("Price", "Counter", "Shop"))
    mirror.set_mains("shop", "stock", ("Stock",))
    mirror.set_mains("shop", "counter", ("Counter", "Store"))
    assert mirror.mains == {"shop": ("stock.Stock", "counter.Counter", "counter.Store")}


def test_values_read_before_do_not_change() -> None:
    mirror = Mirror()
    before = mirror.infos
    mirror.take(InfoChanged(INFO))
    assert before == {}
