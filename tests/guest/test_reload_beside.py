"""What is reloaded with processes: what tables, timers and applications hold, and which objects become new ones."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_sandbox.wire import messages as m

from .conftest import retire

HELD = """
import enum
from dataclasses import dataclass
from typing import NamedTuple
from jupyter_sandbox.otp import GenServer, NoReply, Reply, application

class Right(enum.Flag):
    READ = 1
    WRITE = 2

@dataclass(frozen=True, order=True)
class Seat:
    row: int

class Place(NamedTuple):
    x: int
    y: int

class Hall(GenServer):
    note = "old"

    async def init(self, kind):
        self.ets.new("seats", kind=kind, named=True)
        self.ets.insert("seats", [(Seat(1), Seat(10)), (Seat(2), Seat(20))])
        self.send_after(50, self.pid, Seat(3))
        self.send_interval(60, self.pid, Seat(4))
        await application.put_env(self, "kernel", "seat", Seat(5))
        return {"got": [], "rights": Right.READ | Right.WRITE, "none": Right(0), "seat": Seat(6), "place": Place(1, 2)}

    def handle_call(self, request, caller, state):
        return Reply(eval(request, globals(), {"self": self, "state": state, "application": application}), state)

    def handle_info(self, message, state):
        return NoReply({**state, "got": state["got"] + [type(message) is Seat]})
"""
NEW = HELD.replace('"old"', '"new"')


def held(bench: Any, kind: str = "set") -> Any:
    bench.load(HELD, "theld")
    bench.start("theld.Hall", kind)
    return bench


@pytest.mark.parametrize("kind", ["set", "ordered_set", "bag", "duplicate_bag"])
def test_objects_and_keys_in_tables_become_those_of_the_new_classes(bench: Any, kind: str) -> None:
    held(bench, kind).call("Hall", 'self.ets.fix("seats")')
    first = bench.call("Hall", 'self.ets.first("seats").row')
    bench.load(NEW, "theld")
    assert bench.call("Hall", 'self.ets.lookup("seats", Seat(2)) == [(Seat(2), Seat(20))]')
    assert bench.call("Hall", f'self.ets.next("seats", Seat({first})).row') == 3 - first
    bench.call("Hall", 'self.ets.insert("seats", (Seat(0), 1))')
    assert bench.call("Hall", 'len(self.ets.to_list("seats"))') == 3


def test_a_message_that_a_timer_will_send_becomes_one_of_the_new_class(bench: Any) -> None:
    held(bench)
    bench.load(NEW, "theld")
    bench.run(130)
    assert bench.call("Hall", 'state["got"]') == [True, True, True]


def test_the_environment_of_an_application_holds_objects_of_the_new_classes(bench: Any) -> None:
    held(bench)
    bench.load(NEW, "theld")
    assert bench.call("Hall", 'application.get_env(self, "kernel", "seat") == Seat(5)')


ORDERS = """
from jupyter_sandbox.otp import GenServer, Reply
orders, known = [], {"a": 1}
class Shop(GenServer):
    made = 0
    def handle_call(self, request, caller, state):
        orders.append(request)
        Shop.made += 1
        return Reply(len(orders), state)
"""


def test_what_a_module_held_and_code_has_changed_begins_anew_and_is_told(bench: Any) -> None:
    bench.load(ORDERS, "torders")
    bench.start("torders.Shop")
    assert bench.load(ORDERS + "\nn = 1", "torders").kept == []
    assert bench.call("Shop", "tea") == 1
    (text,) = bench.load(ORDERS + "\nn = 2", "torders").kept
    assert text.startswith("torders.orders, torders.Shop.made had changed since its module was loaded, and begins anew")
    assert bench.call("Shop", "tea") == 1


APP = """
from jupyter_sandbox.otp import Child, GenServer, application
class Hall(GenServer):
    pass
class App(application.Application):
    async def start(self, kind, argument):
        return Child(Hall)
    def prep_stop(self, state):
        self.log("error", "door closes in the old code")
    def stop(self, state):
        self.log("error", "door is closed in the old code")
"""


def test_an_application_is_stopped_by_its_newest_code(bench: Any) -> None:
    bench.load(APP, "tapp")
    bench.start("tapp.App")
    bench.load(APP.replace("old", "new"), "tapp")
    bench.ask(m.Stop, app="sandbox_1")
    told = str(bench.of(m.Notice))
    assert "door closes in the new code" in told and "door is closed in the new code" in told and "old" not in told


def test_several_flags_at_once_are_those_of_the_new_enum(bench: Any) -> None:
    held(bench)
    bench.load(NEW.replace("READ = 1", "READ = 4"), "theld")
    assert bench.call("Hall", 'state["rights"] is Right.READ | Right.WRITE and state["none"] is Right(0)')
    assert bench.call("Hall", 'state["rights"].value') == 6


def test_who_refuses_leaves_tables_and_timers_as_they_were(bench: Any) -> None:
    held(bench)
    node = bench.guest.node
    before = [one.table for one in node.tables.by_id.values()], list(node.timer_heap), dict(node.timers)
    refuses = NEW + "\n    def code_change(self, old, state, extra):\n        raise ValueError('no')\n"
    assert "code_change raised ValueError: no" in bench.load(refuses, "theld").message
    assert before == ([one.table for one in node.tables.by_id.values()], node.timer_heap, node.timers)


HOOK = """
    def __setstate__(self, state):
        raise KeyboardInterrupt
"""


def test_a_table_whose_hooks_are_interrupted_leaves_all_in_the_old_code(bench: Any) -> None:
    source = HELD.replace(', "seat": Seat(6)', "")
    bench.load(source, "theld")
    bench.start("theld.Hall", "set")
    told = bench.load(
        source.replace('"old"', '"new"').replace("    row: int\n", "    row: int\n" + HOOK), "theld"
    ).message
    assert told.startswith("nothing was loaded: table seats could not go over to the new code: KeyboardInterrupt")
    assert bench.call("Hall", '(self.note, len(self.ets.lookup("seats", Seat(2))))') == ("old", 1)


def test_a_class_that_was_gone_for_a_while_has_its_objects_again(bench: Any) -> None:
    held(bench)
    renamed = NEW.replace("Seat", "Chair").replace("Right", "Left")
    bench.load(renamed, "theld")
    bench.load(renamed + "\nn = 1", "theld")
    bench.load(NEW, "theld")
    assert bench.call("Hall", 'state["seat"] == Seat(6) and state["rights"] is Right.READ | Right.WRITE')
    assert bench.call("Hall", 'self.ets.lookup("seats", Seat(1)) == [(Seat(1), Seat(10))]')


def test_it_has_them_again_also_after_a_restore(bench: Any, make_bench: Any) -> None:
    held(bench)
    bench.run(200)
    renamed = NEW.replace("Seat", "Chair")
    bench.load(renamed, "theld")
    saved = bench.ask(m.TakeSnapshot).blob
    retire(bench)
    restored = make_bench()
    assert isinstance(restored.ask(m.RestoreSnapshot, blob=saved), m.Done)
    restored.ask(m.Resume)
    restored.load(NEW, "theld")
    assert restored.call("Hall", 'state["seat"] == Seat(6)')


def test_what_the_new_class_cannot_be_made_of_is_told_by_the_load_and_all_else_goes_over(bench: Any) -> None:
    held(bench)
    loaded = bench.load(NEW.replace("    y: int\n", "").replace("Place(1, 2)", "Place(1)"), "theld")
    (text,) = loaded.kept
    assert text.startswith("Hall still holds objects of the old code, which could not be copied (TypeError: Place.")
    assert bench.call("Hall", 'state["seat"] == Seat(6)')
    assert bench.load(NEW, "theld").kept == []
    assert bench.call("Hall", 'type(state["place"]) is Place')
