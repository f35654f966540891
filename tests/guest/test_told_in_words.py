"""What people did wrong is refused and told in words, and the sandbox lives on."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import pytest

from jupyter_sandbox.model.errors import LocalProtocolError
from jupyter_sandbox.model.exits import Crash
from jupyter_sandbox.wire import messages as m

from .test_state import replayed, restored, snapshot


def test_a_supervisor_takes_no_state_that_is_none(shop: Any) -> None:
    refused = shop.ask(m.SetState, target="Shop", args=pickle.dumps(5))
    assert isinstance(refused, m.Failed) and "5 is no state of a supervisor" in refused.message
    assert "(" not in refused.message
    shop.ask(m.Kill, target="front")
    shop.run(3)
    assert shop.call("front", "next") == 0


@pytest.mark.parametrize("action", ["terminate_child", "restart_child", "delete_child", "restart"])
def test_who_is_not_a_supervisor_is_told_so(shop: Any, action: str) -> None:
    refused = shop.ask(m.ChildAction, action=action, supervisor="front", child="x")
    assert refused.kind == "usage_error" and refused.message.startswith("front is not a supervisor")
    assert shop.ask(m.Children, target="front").message == refused.message
    assert shop.call("front", "next") == 0


def test_an_import_that_fails_points_at_the_users_lines_alone(bench: Any, tmp_path: Path) -> None:
    (tmp_path / "ta.py").write_text("import os\nfrom .tb import n\n")
    (tmp_path / "tb.py").write_text("n = 1\n")
    refused = bench.load(tmp_path)
    file = str(tmp_path / "ta.py")
    assert [line for line in refused.traceback if line.startswith("  File")] == [
        f'  File "{file}", line 2, in <module>'
    ]
    assert (refused.diagnostics[0].file, refused.diagnostics[0].line) == (file, 2)
    assert "import without the dot" in refused.message


def test_an_import_in_a_callback_points_at_the_users_lines_alone(bench: Any) -> None:
    bench.load(
        "from jupyter_sandbox.otp import GenServer\n"
        "class Late(GenServer):\n"
        "    def handle_call(self, request, caller, state):\n"
        "        import nowhere_at_all\n",
        "tlate",
    )
    bench.start("tlate.Late")
    refused = bench.call("Late", 1)
    assert [line for line in refused.traceback if "line" in line] == ['  File "tlate.py", line 4, in handle_call'] or (
        len([line for line in refused.traceback if line.startswith("  File")]) == 1
    )


def test_a_bad_return_is_told_in_words(bench: Any) -> None:
    bench.load(
        "from jupyter_sandbox.otp import GenServer\n"
        "class Wrong(GenServer):\n"
        "    def handle_call(self, request, caller, state):\n"
        "        return 42\n",
        "twrong",
    )
    bench.start("twrong.Wrong")
    refused = bench.call("Wrong", 1)
    assert "a callback returned 42, which means nothing there" in refused.message
    shown = [notice.text for notice in bench.of(m.Notice)] + [refused.message]
    assert not [text for text in shown if "('bad_return" in text]


FAILING = """
from jupyter_sandbox.otp import IGNORE, Application, Child, GenServer, Supervisor
class Base(GenServer):
    def init(self, _):
        raise ValueError("no such table")
class Inner(Supervisor):
    def init(self, _):
        return [Child(Base, name="base")]
class Outer(Supervisor):
    def init(self, _):
        return [Child(Inner, name="inner")]
class Nothing(Supervisor):
    def init(self, _):
        return IGNORE
class Odd(Supervisor):
    def init(self, _):
        return [Child(Base, restart="sometimes")]
class App(Application):
    async def start(self, kind, argument):
        raise KeyError("port")
"""


@pytest.mark.parametrize(
    ("main", "told"),
    [
        ("Base", "its child 'Base' failed: ValueError: no such table"),
        ("Outer", "its child 'inner' failed: its child 'base' failed: ValueError: no such table"),
        ("Nothing", "it said ignore"),
        ("Odd", "restart 'sometimes' is none of permanent, transient, temporary"),
        ("App", "its start raised: KeyError: 'port'"),
    ],
)
def test_a_failed_start_is_logged_in_words_and_without_names_of_our_own(bench: Any, main: str, told: str) -> None:
    bench.load(FAILING, "tfailing")
    refused = bench.start(f"tfailing.{main}")
    assert isinstance(refused, m.Failed)
    logged = [notice.text for notice in bench.of(m.Notice)]
    assert logged[-1] == f"application sandbox_1 crashed: {told}"
    events = [event.text for event in bench.ask(m.Events, limit=50).events]
    assert not [text for text in (*logged, *events, refused.message) if "_Wrapper" in text or "('" in text]


def test_giving_up_is_said_once(shop: Any) -> None:
    for _ in range(5):
        shop.ask(m.Kill, target="front")
        shop.run(3)
    [text] = [notice.text for notice in shop.of(m.Notice) if "gave up" in notice.text]
    assert text.count("gave up") == 1 and "restarts in" in text


def test_modules_of_a_snapshot_were_loaded_at_its_step_and_so_in_a_replay(shop: Any, make_bench: Any) -> None:
    saved = snapshot(shop)
    fresh = restored(make_bench, saved.blob)
    fresh.call("front", "next")
    loads = [(event.step, event.text) for event in fresh.guest.reporter.events(50, ("code_load",), None)]
    assert loads == [(saved.step, "tshop version 1")]
    back, _ = replayed(make_bench, fresh, saved.step + 1)
    assert [(event.step, event.text) for event in back.guest.reporter.events(50, ("code_load",), None)] == loads


def test_a_crash_has_no_lines_of_pythons_import_machinery(bench: Any) -> None:
    bench.load("async def late(self):\n    import nowhere_at_all\n", "tlater")
    bench.ask(m.Spawn, function="tlater.late", args=pickle.dumps(()))
    bench.run(3)
    [notice] = [notice for notice in bench.of(m.Notice) if "nowhere_at_all" in notice.text]
    assert "importlib" not in "".join(notice.traceback)
    assert repr(Crash("E", "t")) == "E: t"


MACHINES = """
from jupyter_sandbox.otp import *
class Door(GenStatem):
    mode = "handle_event_function"
    def init(self, _):
        return NextState("locked")
    def handle_event(self, event, state, data):
        match event:
            case Call("bad", _):    return 3
            case Call("raise", _):  return 1 / 0
class Latch(GenStatem):
    def init(self, _):
        return NextState("shut")
    def shut(self, event, data):
        raise KeyError("handle")
class Odd(GenServer):
    def handle_cast(self, request, state):
        return request
    async def handle_call(self, request, caller, state):
        return Reply(await self.call(self.pid, "me"), state)
class Top(Supervisor):
    intensity = 9
    def init(self, _):
        return [Child(Door, name="door"), Child(Latch, name="latch"), Child(Odd, name="odd")]
"""


@pytest.mark.parametrize(
    ("target", "request_", "cause"),
    [
        ("door", "bad", "a state function returned 3, which means nothing there"),
        ("door", "raise", "ZeroDivisionError in handle_event at "),
        ("latch", "open", "KeyError in shut at "),
        ("odd", "me", "uncaught call to odd failed: a process cannot call itself"),
    ],
)
def test_why_names_the_callback_that_failed_and_what_it_did(bench: Any, target: str, request_: str, cause: str) -> None:
    bench.load(MACHINES, "tmachines")
    bench.start("tmachines.Top")
    bench.call(target, request_)
    bench.run(5)
    [decision, *_] = bench.guest.reporter.why(target, 5)
    assert decision.cause.startswith(cause) or re.sub(r"<0\.\d+\.0>", "odd", decision.cause) == cause
    assert "('" not in decision.cause


def test_a_bad_return_is_told_with_its_callback_and_a_process_without_a_name_by_what_it_runs(bench: Any) -> None:
    bench.load(MACHINES.replace(', name="odd"', "").replace("intensity = 9", "intensity = 0"), "tmachines")
    bench.start("tmachines.Top")
    bench.cast("Top/Odd", 17)
    bench.run(5)
    [decision, *_] = bench.guest.reporter.why("", 5)
    assert decision.cause == "handle_cast returned 17, which means nothing there"
    told = [notice.text for notice in bench.of(m.Notice)]
    assert [text for text in told if text.startswith("Odd <0.") and "crashed: a callback returned 17" in text]
    assert [text for text in told if text.startswith("supervisor Top <0.") and "gave up" in text]
    ends = bench.guest.reporter.events(50, ("application_stop", "process_exit"), None)
    assert not [event.text for event in ends if "('" in event.text]


def test_why_finds_a_child_by_its_name_its_id_and_its_path(bench: Any) -> None:
    bench.load(MACHINES.replace('Child(Odd, name="odd")', 'Child(Odd, name="odd", id=("id", 7))'), "tmachines")
    bench.start("tmachines.Top")
    bench.cast("odd", 17)
    bench.run(5)
    by_name = bench.guest.reporter.why("odd", 5)
    assert [decision.name for decision in by_name] == ["odd"]
    assert by_name == bench.guest.reporter.why(by_name[0].key, 5) == bench.guest.reporter.why("('id', 7)", 5)


def test_a_logged_line_keeps_its_level(bench: Any) -> None:
    bench.load(
        "def speak(self):\n    for level in ('debug', 'notice', 'emergency'):\n        self.log(level, 'hi')\n", "tl"
    )
    bench.ask(m.Spawn, function="tl.speak", args=pickle.dumps(()))
    bench.run(3)
    told = [(notice.level, notice.logged) for notice in bench.of(m.Notice) if notice.text == "hi"]
    assert told == [("info", "debug"), ("info", "notice"), ("error", "emergency")]


def test_a_suspended_process_that_does_not_answer_is_named_as_that(shop: Any) -> None:
    shop.ask(m.Suspend, target="front")
    late = shop.call("front", "next", timeout_ms=20)
    assert late.message.startswith("front is suspended") and "%sandbox unsuspend shop front" in late.message
    shop.ask(m.Unsuspend, target="front")
    assert shop.call("front", "next") == 1, "what waited was answered first"


FORGETS = """
from jupyter_sandbox.otp import *
class Forgets(GenServer):
    def init(self, _):
        return Ok(0, After(50))
    def handle_call(self, request, caller, state):
        match request:
            case "known": return Reply(1, state)
    def handle_info(self, message, state):
        raise RuntimeError("again")
"""


def test_a_forgotten_case_is_told_as_that_and_a_timeout_is_no_number(bench: Any) -> None:
    bench.load(FORGETS, "tforgets")
    bench.start("tforgets.Forgets")
    told = bench.call("Forgets", "unknown")
    assert "a callback returned None: a `return` or a `case` is missing" in told.message
    bench.run(60)
    latest, first = bench.guest.reporter.why("Forgets", 2)
    assert first.cause == "handle_call returned None: a `return` or a `case` is missing"
    assert latest.cause.startswith("RuntimeError in handle_info") and latest.message == "its timeout"


@pytest.mark.parametrize(
    ("action", "child", "told"),
    [
        ("terminate_child", "fron", "has no child 'fron'; `%sandbox children shop SUPERVISOR` lists those it has"),
        ("restart_child", "front", "front runs already; stop it first: `%sandbox terminate-child shop SUPERVISOR"),
    ],
)
def test_what_a_supervisor_refuses_is_told_in_words(shop: Any, action: str, child: str, told: str) -> None:
    refused = shop.ask(m.ChildAction, action=action, supervisor="Shop", child=child)
    assert told in refused.message


def test_an_unknown_function_is_refused_with_those_of_the_module_alone(shop: Any) -> None:
    refused = shop.ask(m.Spawn, function="tshop.Countr")
    assert "Known: tshop.Counter, tshop.Shop" in refused.message


def test_a_bad_return_names_the_callback_in_the_reason(bench: Any) -> None:
    bench.load(
        "from jupyter_sandbox.otp import Child, GenServer, Supervisor\n"
        "class Wrong(GenServer):\n"
        "    def handle_call(self, request, caller, state):\n"
        "        pass\n"
        "class Top(Supervisor):\n"
        "    def init(self, _):\n"
        "        return [Child(Wrong, name='wrong')]\n",
        "twrong",
    )
    bench.start("twrong.Top")
    bench.call("wrong", 1)
    [entry] = bench.ask(m.Why, target="wrong", limit=1).entries
    told = "handle_call returned None: a `return` or a `case` is missing → exit → one_for_one restart 1 of 3"
    assert entry.line().startswith(told)
    bench.ask(m.Kill, target="wrong")
    bench.run(3)
    [entry] = bench.ask(m.Why, target="wrong", limit=1).entries
    assert entry.line().startswith("killed → exit → one_for_one restart 2")


def test_an_answer_that_was_lost_for_want_of_memory_ends_the_guest_as_that(bench: Any) -> None:
    """Not as a breach of the protocol, which a second answer to the same request is."""

    def answered_already(frame: Any) -> None:
        raise LocalProtocolError("Failed answers request 1, which is not waiting for an answer")

    bench.guest.emit = answered_already
    with pytest.raises(MemoryError):
        bench.guest.refuse(m.Tree(id=1), MemoryError())
    with pytest.raises(LocalProtocolError):
        bench.guest.refuse(m.Tree(id=1), ValueError())
