"""The link to the Lab panel, against a kernel that only notes what is sent."""

from __future__ import annotations

import _thread
import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from jupyter_sandbox.magics.asked import LEAST, MOST_WAITING
from jupyter_sandbox.magics.budget import AT_ONCE
from jupyter_sandbox.magics.cells import Cells
from jupyter_sandbox.magics.lab_bridge import EVENT, REPLY, REQUEST, SESSIONS, LabBridge, Wiring
from jupyter_sandbox.magics.lanes import Lanes
from jupyter_sandbox.magics.mirror import Mirror
from jupyter_sandbox.model.errors import NoProcess
from jupyter_sandbox.model.sandbox import AlertRaised, InfoChanged, NoticeTold, Removed, StepsTold, TreeReplaced
from jupyter_sandbox.model.views import Inspection, ProcessView, StepView, TreeDiff, TreeView

if TYPE_CHECKING:
    from .conftest import FakeManager, FakeSandbox

DEADLINE_S = 60.0
TREE = TreeView("shop", 7, 0, (ProcessView("shop", "<0.5.0>", "shop", "supervisor", "m.Shop", "waiting"),))


class NotingKernel:
    """Stands for ipykernel: its control handlers and its session."""

    def __init__(self) -> None:
        self.control_handlers: dict[str, Any] = {}
        self.iopub_socket, self.session = "iopub", self
        self.events: list[dict[str, Any]] = []
        self.replies: list[dict[str, Any]] = []
        self._arrived = threading.Condition()

    def send(self, stream: object, kind: str, content: dict[str, Any], parent: object, ident: object) -> None:
        content = json.loads(json.dumps(content))
        with self._arrived:
            (self.events if kind == EVENT else self.replies).append(content)
            self._arrived.notify_all()

    def ask(self, verb: str, sandbox: str | None = "shop", **args: object) -> dict[str, Any]:
        """Send a request; its result, however it comes."""
        self.request("r1", verb, sandbox, **args)
        self.wait(lambda: self._results() != [])
        return self._results()[0]

    def request(self, number: str, verb: str, sandbox: str | None = "shop", **args: object) -> None:
        content = {"id": number, "verb": verb, "sandbox": sandbox, "args": args}
        asyncio.run(self.control_handlers[REQUEST]("control", b"i", {"content": content}))

    def wait(self, happened: Callable[[], bool]) -> None:
        with self._arrived:
            assert self._arrived.wait_for(happened, DEADLINE_S)

    def _results(self) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == "result" and event["id"] == "r1"]

    def told(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == kind]


@pytest.fixture
def kernel() -> NotingKernel:
    return NotingKernel()


@pytest.fixture
def bridge(kernel: NotingKernel, manager: FakeManager) -> Iterator[LabBridge]:
    mirror = Mirror()
    manager.subscribe(mirror.take)
    cells = Cells(SimpleNamespace())
    cells._remember("/tmp/cell.py", "In[2]")
    wiring = Wiring(manager, mirror, Lanes(pytest.fail), cells, "1.2")  # type: ignore[arg-type]
    bridge = LabBridge(kernel, wiring)
    manager.subscribe(bridge.publish)
    bridge.attach()
    yield bridge
    bridge.detach()


@pytest.fixture
def shop(bridge: LabBridge, manager: FakeManager) -> FakeSandbox:
    return manager.create("shop")


def test_attaching_says_hello_and_detaching_says_bye(kernel: NotingKernel, bridge: LabBridge) -> None:
    assert kernel.events == [{"seq": 1, "type": "hello", "version": "1.2", "sandboxes": [], "trees": {}}]
    bridge.detach()
    assert kernel.events[-1] == {"seq": 2, "type": "bye"}
    assert kernel.control_handlers == {}
    bridge.publish(Removed("shop", 1))
    assert kernel.events[-1]["type"] == "bye", "a page would take the kernel for one that has the extension"


def test_hello_tells_all_sandboxes_and_trees(kernel: NotingKernel, shop: FakeSandbox, manager: FakeManager) -> None:
    manager.publish(TreeReplaced("shop", TREE))
    kernel.ask("hello", None)
    hello = kernel.told("hello")[-1]
    assert [info["name"] for info in hello["sandboxes"]] == ["shop"]
    assert hello["trees"]["shop"]["processes"][0]["key"] == "shop"


def test_a_client_is_told_everything_once_when_it_runs_its_first_cell(kernel: NotingKernel, bridge: LabBridge) -> None:
    def cells(*sessions: str) -> int:
        before = len(kernel.told("hello"))
        for session in sessions:
            bridge.meet(session)
        return len(kernel.told("hello")) - before

    assert cells("another browser", "another browser", "") == 1
    header = {"header": {"session": "a page that greets"}, "content": {"id": "r1", "verb": "hello"}}
    asyncio.run(kernel.control_handlers[REQUEST]("control", b"i", header))
    assert cells("a page that greets") == 0
    assert cells(*map(str, range(10_000))) == 10_000 and len(bridge._met) <= SESSIONS + 1


def test_names_are_told_harmless_and_keys_as_they_are(
    kernel: NotingKernel, bridge: LabBridge, shop: FakeSandbox
) -> None:
    view = replace(TREE.processes[0], key="shop\u202ex", name="shop\u202ex", links=("a\u2066",), last_exit="\x1b[2J")
    bridge.publish_tree("shop", replace(TREE, processes=(view,)))
    bridge.publish_tree("shop", TreeDiff("shop", 8, 0, (view,)))
    for one in (kernel.told("tree")[-1]["tree"]["processes"][0], kernel.told("diff")[-1]["diff"]["changed"][0]):
        assert (one["key"], one["shown"], one["name"]) == (view.key, "shop\\u202ex", "shop\\u202ex")
        assert (one["links"], one["last_exit"]) == (["a\\u2066"], "\\x1b[2J")


def test_a_request_is_acknowledged_at_once_and_its_result_is_an_event(kernel: NotingKernel, shop: FakeSandbox) -> None:
    result = kernel.ask("pause")
    assert kernel.replies == [{"status": "ok", "id": "r1"}]
    assert result == {"seq": result["seq"], "type": "result", "id": "r1", "ok": True, "value": 7}


@pytest.mark.parametrize(
    ("verb", "args", "asked"),
    [
        ("resume", {}, ("resume",)),
        ("step", {"count": 3}, ("step", 3)),
        ("stop", {}, ("stop",)),
        ("start", {}, ("start", None)),
        ("restart", {}, ("restart",)),
        ("destroy", {}, ("destroy",)),
        ("kill_process", {"target": "front"}, ("kill", "front")),
        ("suspend_process", {"target": "front"}, ("suspend", "front")),
        ("unsuspend_process", {"target": "front"}, ("unsuspend", "front")),
        ("restart_process", {"target": "front"}, ("restart_process", "front")),
        ("snapshot", {"name": "a"}, ("snapshot", "a")),
    ],
)
def test_every_verb_asks_the_sandbox(
    kernel: NotingKernel, shop: FakeSandbox, verb: str, args: dict[str, object], asked: tuple[object, ...]
) -> None:
    assert kernel.ask(verb, **args)["ok"]
    assert shop.last == asked


def test_an_inspection_comes_back_as_data_with_names_of_cells(kernel: NotingKernel, shop: FakeSandbox) -> None:
    shop.answers["inspect"] = Inspection(TREE.processes[0], waiting_for="line 3 of /tmp/cell.py")
    value = kernel.ask("inspect", target="shop")["value"]
    assert (value["process"]["key"], value["waiting_for"]) == ("shop", "line 3 of In[2]")


def test_a_tree_that_was_asked_for_is_also_told(kernel: NotingKernel, shop: FakeSandbox) -> None:
    kernel.ask("tree")
    assert kernel.told("tree")[0]["name"] == "shop"


MANY = 150


@pytest.mark.parametrize("verb", ["hello", "tree"])
def test_a_page_that_asks_again_and_again_is_answered_within_a_budget(
    kernel: NotingKernel, shop: FakeSandbox, manager: FakeManager, verb: str
) -> None:
    view = TREE.processes[0]
    large = TreeView("shop", 7, 0, tuple(replace(view, key=f"{number:01000}") for number in range(1_000)))
    shop.answers["tree"] = large
    manager.publish(TreeReplaced("shop", large))
    before = len(kernel.told(verb))
    for number in range(MANY):
        kernel.request(f"r{number}", verb)
    kernel.wait(lambda: len(kernel.told("result")) == MANY)
    told = len(kernel.told(verb)) - before
    assert 1 < told < 20, "a megabyte a second, after 16 at once"
    assert {result["id"] for result in kernel.told("result")} == {f"r{number}" for number in range(MANY)}
    assert all(result["ok"] and result["value"] is None for result in kernel.told("result"))


def test_a_request_that_waits_for_the_budget_keeps_no_other_waiting(kernel: NotingKernel, shop: FakeSandbox) -> None:
    for _ in range(AT_ONCE // LEAST + 1):
        kernel.request("again", "hello")
    assert kernel.ask("pause")["ok"]


def test_of_what_a_page_asks_a_sandbox_no_more_than_so_much_waits(kernel: NotingKernel, shop: FakeSandbox) -> None:
    gate, begun = threading.Event(), threading.Event()
    shop.pause = lambda: begun.set() or gate.wait(DEADLINE_S)  # type: ignore[method-assign]
    kernel.request("stuck", "pause")
    assert begun.wait(DEADLINE_S)
    for number in range(MOST_WAITING + 2):
        kernel.request(f"r{number}", "resume")
    refused = kernel.told("result")
    assert [result["id"] for result in refused] == [f"r{MOST_WAITING}", f"r{MOST_WAITING + 1}"]
    assert {result["error"]["kind"] for result in refused} == {"sandbox_busy"}
    assert "requests wait already" in refused[0]["error"]["message"]
    kernel.request("end", "destroy")  # what ends a sandbox waits behind none of them
    kernel.wait(lambda: any(result["id"] == "end" and result["ok"] for result in kernel.told("result")))
    gate.set()
    kernel.wait(lambda: len(kernel.told("result")) == MOST_WAITING + 4)


@pytest.mark.parametrize(
    ("verb", "sandbox", "args", "kind"),
    [
        ("jump", "shop", {}, "usage_error"),
        ("pause", "nosuch", {}, "usage_error"),
        ("step", "shop", {"count": -1}, "usage_error"),
        ("kill_process", "shop", {}, "usage_error"),
        ("suspend_process", "shop", {"target": "nosuch"}, "noproc"),
    ],
)
def test_a_refusal_is_told_in_words(
    kernel: NotingKernel, shop: FakeSandbox, verb: str, sandbox: str, args: dict[str, object], kind: str
) -> None:
    shop.answers["suspend"] = NoProcess("no process nosuch")
    result = kernel.ask(verb, sandbox, **args)
    assert (result["ok"], result["error"]["kind"]) == (False, kind)
    assert result["error"]["message"]


def test_a_bug_in_a_request_is_told_and_harms_nothing(kernel: NotingKernel, shop: FakeSandbox) -> None:
    shop.answers["pause"] = ZeroDivisionError("oops")
    assert kernel.ask("pause")["error"] == {"kind": "internal_error", "message": "ZeroDivisionError: oops"}


def test_updates_are_events_in_one_sequence(kernel: NotingKernel, shop: FakeSandbox, bridge: LabBridge) -> None:
    step = StepView(8, "<0.6.0>", "front", "call", "'next'", "", "1", "2")
    bridge.publish(InfoChanged(shop.info()))
    bridge.publish(StepsTold("shop", (step,), 8))
    bridge.publish(AlertRaised("shop", "memory_limit", "too much", 1.0))
    bridge.publish(NoticeTold("shop", "error", "at /tmp/cell.py", "front", ('File "/tmp/cell.py", line 9',)))
    bridge.publish_tree("shop", TREE)
    bridge.publish_tree("shop", TreeDiff("shop", 9, 0))
    bridge.publish(Removed("shop", 1))
    kinds = [event["type"] for event in kernel.events]
    assert kinds == ["hello", "sandbox", "sandbox", "steps", "alert", "notice", "tree", "diff", "removed"]
    assert [event["seq"] for event in kernel.events] == list(range(1, 10))
    assert kernel.told("steps")[0]["steps"][0]["line"] == step.line()
    assert kernel.told("sandbox")[0]["info"]["protection_line"] == ""
    assert kernel.told("notice")[0]["traceback"] == ["Cell In[2], line 9"]
    assert kernel.told("tree")[0]["pause_s"] == 0
    bridge.publish_tree("shop", TREE, 3)
    assert kernel.told("tree")[1]["pause_s"] == 3


def test_reply_type_is_its_own() -> None:
    assert (REQUEST, REPLY, EVENT) == ("sandbox_request", "sandbox_reply", "sandbox_event")


def test_reasons_and_alerts_name_the_cell(kernel: NotingKernel, shop: FakeSandbox, manager: FakeManager) -> None:
    shop.reason_now = "os._exit in the cell /tmp/cell.py"
    manager.publish(InfoChanged(shop.info()))
    manager.publish(AlertRaised("shop", "hang", "the cell /tmp/cell.py hangs", 0.0))
    kernel.ask("hello", None)
    assert kernel.told("sandbox")[-1]["info"]["reason"] == "os._exit in the cell In[2]"
    assert kernel.told("alert")[-1]["message"] == "the cell In[2] hangs"
    assert kernel.told("hello")[-1]["sandboxes"][0]["reason"] == "os._exit in the cell In[2]"


@pytest.mark.parametrize("verb", ["pause", "tree"])
def test_a_request_that_no_thread_can_be_had_for_is_an_error_and_the_next_one_is_answered(
    verb: str, kernel: NotingKernel, shop: FakeSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(run: Callable[[], None], arguments: tuple[()]) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as short:
        short.setattr(_thread, "start_new_thread", none)
        refused = kernel.ask(verb)
    assert not refused["ok"] and refused["error"]["kind"] == "sandbox_busy"
    kernel.events.clear()
    assert kernel.ask(verb)["ok"]


def test_a_request_that_ends_by_whatever_error_is_answered(
    kernel: NotingKernel, shop: FakeSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def leave() -> None:
        raise SystemExit(3)

    monkeypatch.setattr(shop, "pause", leave)
    assert kernel.ask("pause")["error"] == {"kind": "internal_error", "message": "SystemExit: 3"}
