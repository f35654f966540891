"""Events of messages and states: told only when they are asked for, and the same steps either way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from jupyter_sandbox.model.views import CAPTURED_KINDS
from jupyter_sandbox.runtime.node import Watch
from jupyter_sandbox.wire import messages as m


def drive(bench: Any, source: str) -> Any:
    bench.load(source, "tshop")
    bench.start("tshop.Shop")
    bench.call("front", ("add", 5))
    bench.cast("back", 1)
    bench.run(20)
    return bench


def told(bench: Any, kind: str) -> list[tuple[str, str]]:
    return [(event.name, event.text) for event in reversed(bench.ask(m.Events, kinds=[kind], limit=100).events)]


def test_without_capture_no_message_and_no_state_is_told(shop: Any) -> None:
    shop.call("front", "next")
    assert [told(shop, kind) for kind in CAPTURED_KINDS] == [[], [], []]
    assert shop.guest.node.trace is None and shop.guest.node.watch == Watch()


def test_sent_messages_are_told_with_sender_and_receiver(make_bench: Callable[..., Any], shop_source: str) -> None:
    bench = drive(make_bench(capture=("message_send",)), shop_source)
    assert ("outside", "called front: ('add', 5)") in told(bench, "message_send")
    assert ("outside", "cast to back: 1") in told(bench, "message_send")
    assert told(bench, "message_handled") == told(bench, "state_change") == []


def test_handled_messages_are_told(make_bench: Callable[..., Any], shop_source: str) -> None:
    bench = drive(make_bench(capture=("message_handled",)), shop_source)
    assert told(bench, "message_handled") == [
        ("front", "handled call ('add', 5) from outside"), ("back", "handled cast 1 from outside"),
    ]  # fmt: skip


def test_changes_of_state_are_told_with_before_and_after(make_bench: Callable[..., Any], shop_source: str) -> None:
    bench = drive(make_bench(capture=("state_change",)), shop_source)
    assert told(bench, "state_change")[-2:] == [("front", "0 → 5"), ("back", "100 → 101")]


def test_steps_taken_while_paused_are_told_too(make_bench: Callable[..., Any], shop_source: str) -> None:
    bench = drive(make_bench(capture=("state_change",)), shop_source)
    bench.ask(m.Pause)
    bench.cast("front", 1)
    bench.ask(m.Step, count=5)
    assert told(bench, "state_change")[-1] == ("front", "5 → 6")


@pytest.mark.parametrize("kinds", [("message_send",), ("message_handled", "state_change"), CAPTURED_KINDS])
def test_capturing_changes_no_step(make_bench: Callable[..., Any], shop_source: str, kinds: tuple[str, ...]) -> None:
    plain = drive(make_bench(), shop_source).guest.node
    found = (plain.hash, plain.step_number)
    watched = drive(make_bench(capture=kinds), shop_source).guest.node
    assert (watched.hash, watched.step_number) == found


def test_only_the_captured_kinds_are_sampled(make_bench: Callable[..., Any], shop_source: str) -> None:
    bench = drive(make_bench(capture=("state_change",)), shop_source)
    bench.run(1_500)
    kinds = {event.kind for sample in bench.of(m.Sample) for event in sample.events}
    assert kinds == {"state_change"}
    assert told(bench, "process_spawn"), "the log itself has all others as ever"


def test_a_load_is_told_with_the_processes_that_moved(shop: Any, shop_source: str) -> None:
    shop.load(shop_source + "\nmore = 1\n", "tshop")
    assert told(shop, "code_load") == [("", "tshop version 1"), ("", "tshop version 2")]
    assert ("front", "went on in tshop.Counter version 2") in told(shop, "code_change")


KEEPER = """
from jupyter_sandbox.otp import Child, GenServer, Reply, Supervisor

class Keeper(GenServer):
    def init(self, _):
        return []
    def handle_call(self, item, caller, items):
        items.append(item)
        if isinstance(item, list):
            item.append("changed afterwards")
        return Reply(len(items), items)

class Top(Supervisor):
    def init(self, _):
        return [Child(Keeper, None, name="keeper")]
"""


@pytest.fixture
def keeper(make_bench: Callable[..., Any]) -> Any:
    bench = make_bench(capture=CAPTURED_KINDS)
    bench.load(KEEPER, "keeping")
    bench.start("keeping.Top")
    return bench


def of_keeper(bench: Any, kind: str) -> list[str]:
    return [text for name, text in told(bench, kind) if name == "keeper"]


def test_a_state_that_is_changed_in_place_is_told_as_it_was_before_and_after(keeper: Any) -> None:
    keeper.call("keeper", 1)
    keeper.call("keeper", 2)
    assert of_keeper(keeper, "state_change") == ["(none) → []", "[] → [1]", "[1] → [1, 2]"]


def test_a_message_is_told_as_it_was_sent_though_its_receiver_changes_it(keeper: Any) -> None:
    keeper.call("keeper", ["as sent"])
    assert of_keeper(keeper, "message_handled") == ["handled call ['as sent'] from outside"]
    assert ("outside", "called keeper: ['as sent']") in told(keeper, "message_send")


def test_the_log_holds_on_to_no_large_message(keeper: Any) -> None:
    keeper.call("keeper", "x" * 1_000_000)
    for kind in CAPTURED_KINDS:
        assert of_keeper(keeper, kind) or kind == "message_send"
    assert not [raw for raw in keeper.guest.reporter.log._ring if len(repr(raw[-1])) > 1_000]


def test_a_state_that_no_step_changed_is_no_news_at_the_next_step(shop_source: str, make_bench: Any) -> None:
    bench = drive(make_bench(capture=("state_change",)), shop_source)
    raised = "    def code_change(self, old_version, n, extra):\n        return n + 1_000\n    def handle_cast"
    bench.load(shop_source.replace("    def handle_cast", raised), "tshop")
    bench.call("front", ("add", 1))
    assert told(bench, "state_change")[-1] == ("front", "1005 → 1006")


def test_a_supervisor_whose_init_waits_has_no_state_yet(make_bench: Callable[..., Any]) -> None:
    bench = make_bench(capture=("state_change",))
    plain = "    def init(self, _):\n        return [Child"
    waits = KEEPER.replace(
        plain, plain.replace("def", "async def").replace("return", "await self.sleep(1)\n        return")
    )
    bench.load(waits, "keeping")
    bench.start("keeping.Top")
    assert [text for _, text in told(bench, "state_change")] == [
        "(none) → one_for_one, 0 of 1 children running", "(none) → []",
        "one_for_one, 0 of 1 children running → one_for_one, 1 of 1 children running",
    ]  # fmt: skip
