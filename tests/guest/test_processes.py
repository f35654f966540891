"""Acting on processes from the kernel: call, cast, send, spawn, kill, suspend, state, children."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from jupyter_sandbox.guest.dispatch import HANDLERS
from jupyter_sandbox.model.errors import UsageError
from jupyter_sandbox.wire import messages as m


def test_every_request_of_the_protocol_has_a_handler() -> None:
    assert set(HANDLERS) == set(m.KernelFrame.__args__)


def test_a_call_is_answered_with_the_reply(shop: Any) -> None:
    assert [shop.call("front", "next"), shop.call("front", "next")] == [0, 1]


@pytest.mark.parametrize("target", ["back", "Shop/back", "tshop_path"])
def test_a_target_is_a_name_a_path_or_a_pid(shop: Any, target: str) -> None:
    if target == "tshop_path":
        target = next(view.pid for view in shop.ask(m.Tree).tree.processes if view.name == "back")
    assert shop.call(target, "next") == 100


def test_an_unknown_target_is_noproc_and_says_who_is_there(shop: Any) -> None:
    failed = shop.call("nobody", "next")
    assert failed.kind == "noproc" and "front" in failed.message


def test_a_call_that_crashes_the_process_says_so_with_the_line_of_the_cell(shop: Any) -> None:
    failed = shop.call("front", ("add", "x"))
    assert failed.kind == "exit" and "TypeError" in failed.message
    assert any('("add", k)' in line for line in failed.traceback)
    assert shop.call("front", "next") == 0, "the supervisor has started it again"


def test_a_crash_is_told_without_being_asked_for(shop: Any) -> None:
    shop.call("front", ("add", "x"))
    (notice,) = shop.of(m.Notice)
    assert notice.level == "error" and notice.process == "front" and "TypeError" in notice.text
    assert any("line 10" in line for line in notice.traceback)


def test_why_tells_the_cause_and_the_decision(shop: Any) -> None:
    shop.call("front", ("add", "x"))
    (entry,) = shop.ask(m.Why, target="front").entries
    assert "TypeError in handle_call" in entry.cause and "one_for_one restart 1 of 3" in entry.decision
    assert any("n + k" in line for line in entry.traceback)


def test_why_of_somebody_who_never_was_is_noproc(shop: Any) -> None:
    assert shop.ask(m.Why, target="nobody").kind == "noproc"


def test_a_call_that_is_not_answered_times_out(shop: Any) -> None:
    shop.ask(m.Suspend, target="front")
    failed = shop.call("front", "next", timeout_ms=50)
    assert failed.kind == "timeout" and "front" in failed.message
    shop.ask(m.Unsuspend, target="front")
    assert shop.call("front", "next") == 1, "the message itself was not lost"


def test_a_cast_is_done_at_once_and_arrives(shop: Any) -> None:
    assert isinstance(shop.cast("front", 5), m.Done)
    assert shop.call("front", "next") == 5


def test_a_cast_to_nobody_is_an_error(shop: Any) -> None:
    assert shop.cast("nobody", 5).kind == "noproc"


def test_a_message_tells_the_pid_it_went_to(shop: Any) -> None:
    sent = shop.ask(m.Send, target="front", args=pickle.dumps("hello"))
    assert sent.pid.startswith("<0.")
    shop.run(5)
    assert any("unexpected message" in notice.text for notice in shop.of(m.Notice))


def test_an_argument_that_cannot_be_opened_is_a_clear_error(shop: Any) -> None:
    failed = shop.ask(m.Call, target="front", args=b"\x80\x05cno_such_module\nX\n.")
    assert failed.kind == "usage_error" and "no_such_module" in failed.message


def test_killing_a_child_lets_its_supervisor_restart_it(shop: Any) -> None:
    before = {view.key: view.pid for view in shop.ask(m.Tree).tree.processes}
    assert isinstance(shop.ask(m.Kill, target="front"), m.Done)
    shop.run(5)
    after = {view.key: view for view in shop.ask(m.Tree).tree.processes}
    assert after["Shop/front"].pid != before["Shop/front"] and after["Shop/front"].restarts == 1


def test_a_suspended_process_lets_messages_wait(shop: Any) -> None:
    shop.ask(m.Suspend, target="front")
    shop.cast("front", 5)
    shop.run(5)
    assert shop.state("front") == 0
    view = shop.ask(m.Inspect, target="front").inspection
    assert view.process.status == "suspended" and view.mailbox[0].startswith("cast 5")
    shop.ask(m.Unsuspend, target="front")
    shop.run(5)
    assert shop.state("front") == 5


def test_state_is_read_and_set(shop: Any) -> None:
    answer = shop.ask(m.SetState, target="front", args=pickle.dumps(41))
    assert isinstance(answer, m.Value)
    assert shop.call("front", "next") == 41


def test_a_state_that_cannot_be_shown_is_shown_as_far_as_it_can(shop: Any) -> None:
    class Hostile:
        def __repr__(self) -> str:
            raise RuntimeError("no")

        def __reduce__(self) -> Any:
            return (list, ())

    cyclic: list[Any] = []
    cyclic.append(cyclic)
    shop.ask(m.SetState, target="front", args=pickle.dumps(cyclic))
    assert isinstance(shop.ask(m.GetState, target="front"), m.Value)
    process = next(found for found in shop.guest.node.processes.values() if found.name == "front")
    process.state = Hostile()
    assert isinstance(shop.ask(m.GetState, target="front"), m.Value)
    assert shop.shown() == ["Shop", "Shop/front", "Shop/back"]


def test_children_are_listed_as_otp_lists_them(shop: Any) -> None:
    answer = shop.ask(m.Children, target="Shop")
    from jupyter_sandbox.wire.values import decode_value

    assert [row[0] for row in decode_value(answer.data)] == ["back", "front"]


def test_a_child_is_terminated_and_restarted_by_its_id(shop: Any) -> None:
    assert isinstance(shop.ask(m.ChildAction, action="terminate_child", supervisor="Shop", child="front"), m.Value)
    view = {v.key: v for v in shop.ask(m.Tree).tree.processes}["Shop/front"]
    assert view.status == "stopped" and view.pid is None
    assert isinstance(shop.ask(m.ChildAction, action="restart_child", supervisor="Shop", child="front"), m.Value)
    refused = shop.ask(m.ChildAction, action="restart_child", supervisor="Shop", child="front")
    assert refused.kind == "child_error" and refused.reason == "running"


def test_a_function_and_a_class_are_spawned_outside_any_tree(shop: Any) -> None:
    shop.load("async def wait(self, ms):\n    await self.sleep(ms)\n", "tjobs")
    sent = shop.ask(m.Spawn, function="tjobs.wait", args=pickle.dumps((1_000,)), name="job")
    assert sent.pid.startswith("<0.")
    assert "job" in [view.name for view in shop.ask(m.Tree).tree.processes]
    assert isinstance(shop.ask(m.Spawn, function="tshop.Counter", args=pickle.dumps((7,)), name="lone"), m.Sent)
    assert shop.call("lone", "next") == 7
    assert shop.ask(m.Spawn, function="tjobs.nothing").kind == "usage_error"
    assert shop.ask(m.Spawn, function="no_module.f").kind == "usage_error"


def test_a_full_node_refuses_a_spawn_and_raises_an_alert(make_bench: Any, shop_source: str) -> None:
    from jupyter_sandbox.model.limits import Limits

    bench = make_bench(limits=Limits(max_processes=4))
    bench.load(shop_source, "tshop")
    bench.start("tshop.Shop")
    bench.load("async def wait(self):\n    await self.sleep(10_000)\n", "tjobs")
    answers = [bench.ask(m.Spawn, function="tjobs.wait") for _ in range(4)]
    assert answers[-1].kind in ("limit_exceeded", "start_failed")
    assert [alert.limit for alert in bench.of(m.Alert)] == ["process_limit"]


def test_an_argument_error_keeps_its_class(shop: Any) -> None:
    assert issubclass(UsageError, Exception)
    assert shop.ask(m.Start, app="other", main="tshop.Nothing").kind == "usage_error"
