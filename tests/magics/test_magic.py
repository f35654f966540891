"""%sandbox in a terminal IPython: what each verb asks of the manager, and what comes back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.error import UsageError as IPythonUsageError

from jupyter_sandbox.magics.commands import HANDLERS
from jupyter_sandbox.magics.commands.life import _beside
from jupyter_sandbox.magics.extension import BUSY_MS, load, unload
from jupyter_sandbox.magics.verbs import VERBS
from jupyter_sandbox.manager.manager import SandboxManager
from jupyter_sandbox.manager.reports import Stepped
from jupyter_sandbox.manager.store import SnapshotInfo
from jupyter_sandbox.model.errors import CallExit, CallTimeout, CompileError, Diagnostic, NoProcess, SandboxGone
from jupyter_sandbox.model.ids import Pid
from jupyter_sandbox.model.sandbox import AlertRaised, NoticeTold, OutputArrived, SandboxInfo, SandboxStatus
from jupyter_sandbox.model.views import Counters, WhyView

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from .conftest import FakeManager, FakeSandbox

CELL = "class Counter(GenServer):\n    pass\n\nclass Shop(Supervisor):\n    pass\n"


def run(shell: InteractiveShell, line: str) -> Any:
    """The value of ``%sandbox line``; raises what the notebook would show."""
    return shell.run_line_magic("sandbox", line)


def refused(shell: InteractiveShell, line: str) -> str:
    with pytest.raises(IPythonUsageError) as caught:
        run(shell, line)
    text = str(caught.value)
    assert "\n" not in text
    return text


# --- the table of verbs ---------------------------------------------------------------------------------------------


def test_every_verb_is_carried_out() -> None:
    assert HANDLERS.keys() == VERBS.keys()


def test_every_verb_explains_itself(shell: InteractiveShell) -> None:
    for name, verb in VERBS.items():
        text = str(run(shell, f"help {name}"))
        assert verb.summary in text
        assert f"Example: {verb.magic} {name}" in text


def test_the_help_of_the_magic_lists_every_verb(shell: InteractiveShell) -> None:
    text = shell.object_inspect_text("%sandbox")
    assert all(verb.summary in text for verb in VERBS.values())


# --- life -----------------------------------------------------------------------------------------------------------


def test_create_gives_the_sandbox_of_the_python_api(shell: InteractiveShell, manager: FakeManager) -> None:
    created = run(shell, "create shop --max-processes 5 --seed 3 --clock virtual")
    assert created is manager.sandboxes["shop"]
    assert created.limits_now.max_processes == 5
    assert created.asked[0] == ("create", {"seed": 3, "clock": "virtual"})


def test_a_module_cell_makes_its_sandbox(shell: InteractiveShell, manager: FakeManager) -> None:
    told = shell.run_cell_magic("sandbox", "module shop counter", CELL)
    verb, source = manager.sandboxes["shop"].last
    assert (verb, source.module, source.source, source.first_line) == ("load", "counter", CELL, 2)
    assert "next: %sandbox start shop counter.Shop" in str(told)


def test_the_class_that_no_other_uses_is_what_to_start_next(shell: InteractiveShell, manager: FakeManager) -> None:
    cell = "class Shop(Supervisor):\n    c = [Child(Counter)]\n\nclass Counter(GenServer):\n    pass\n"
    assert "next: %sandbox start shop counter.Shop" in str(shell.run_cell_magic("sandbox", "module shop counter", cell))


def test_a_module_cell_that_fails_leaves_no_sandbox_behind(shell: InteractiveShell, manager: FakeManager) -> None:
    manager.refuse_code = CompileError("compilation_error", "no", (Diagnostic("f", 1, 1, "bad"),))
    with pytest.raises(CompileError):
        shell.run_cell_magic("sandbox", "module shop counter", "class")
    assert manager.sandboxes == {}


def test_start_shows_the_tree(shell: InteractiveShell, shop: FakeSandbox) -> None:
    tree = run(shell, "start shop counter.Shop 0, 'x'")
    assert shop.last == ("start", "counter.Shop", 0, "x")
    assert "└─ ◌ front" in str(tree)


def test_results_can_be_assigned(shell: InteractiveShell, shop: FakeSandbox) -> None:
    shell.run_cell("t = %sandbox tree shop").raise_error()
    assert list(shell.user_ns["t"].graph().edges) == [("shop", "shop/front")]


def test_limits_are_shown_and_changed(shell: InteractiveShell, shop: FakeSandbox) -> None:
    assert run(shell, "limits --max-memory 80MB").subject.max_memory == 80_000_000
    shown = str(run(shell, "limits"))
    assert "80_000_000 bytes" in shown and "300_000 ms" in shown and shown.split("\n")[1].endswith(" 100")


def test_list_is_a_sequence_of_facts(shell: InteractiveShell, shop: FakeSandbox) -> None:
    table = run(shell, "list")
    assert isinstance(table[0], SandboxInfo)
    assert "0 of 100" in str(table)


def test_list_shortens_a_long_reason_and_info_shows_all_of_it(shell: InteractiveShell, shop: FakeSandbox) -> None:
    shop.status_now, shop.reason_now = SandboxStatus.CRASHED, "hang: " + "a callback that never ends, " * 8
    (row,) = [text for text in str(run(shell, "list")).splitlines() if text.startswith("shop")]
    assert row.endswith("…") and len(row) < 140 and "hang: a callback that never ends" in row
    assert shop.reason_now.strip() in str(run(shell, "info"))


def test_info_shows_each_limit_with_its_peak_and_limits_those_that_nobody_can_change(
    shell: InteractiveShell, shop: FakeSandbox
) -> None:
    names = {fact.name for fact in run(shell, "info").facts}
    assert names >= {
        "processes", "longest queue", "largest message", "memory", "run time", "processor time", "longest callback",
        "output", "disk", "open files", "threads", "news",
    }  # fmt: skip
    told = "128 open files (1,000 in off); files of 16 MB; 100 MB in 2000 files; 250 threads"
    assert told in str(run(shell, "limits"))


def test_why_of_a_sandbox_that_is_gone_tells_its_end_where_nothing_else_is_known(
    shell: InteractiveShell, shop: FakeSandbox
) -> None:
    shop.answers["why"] = SandboxGone("it crashed")
    shop.status_now, shop.reason_now = SandboxStatus.CRASHED, "signal 11 (SIGSEGV) in a callback of front <0.6.0>"
    told = str(run(shell, "why front")).splitlines()
    assert told == [
        "front has not exited or restarted",
        f"then shop crashed: {shop.reason_now}; next: %sandbox restart shop",
    ]
    shop.status_now, shop.reason_now = SandboxStatus.RUNNING, ""
    with pytest.raises(SandboxGone):
        run(shell, "why front")


def test_info_says_what_protects_and_what_does_not(shell: InteractiveShell, shop: FakeSandbox) -> None:
    assert "protection" in str(run(shell, "info"))


def test_destroy_ends_a_sandbox(shell: InteractiveShell, shop: FakeSandbox, manager: FakeManager) -> None:
    assert str(run(shell, "destroy shop")) == "shop is destroyed"
    assert manager.sandboxes == {}


# --- processes ------------------------------------------------------------------------------------------------------


def test_requests_are_evaluated_in_the_notebook(shell: InteractiveShell, shop: FakeSandbox) -> None:
    shell.user_ns["n"] = 4
    shop.answers["call"] = 9
    assert run(shell, 'call front ("add", n + 1)') == 9
    assert shop.asked[-1] == ("call", ("front", ("add", 5)), {"timeout_ms": 5_000})


def test_braces_and_dollars_in_a_request_stay_as_they_are(shell: InteractiveShell, shop: FakeSandbox) -> None:
    shell.run_cell("%sandbox cast shop front {'$n': '{n}'}").raise_error()
    assert shop.last == ("cast", "front", {"$n": "{n}"})


def test_local_variables_of_a_function_can_be_sent(shell: InteractiveShell, shop: FakeSandbox) -> None:
    code = "def f(value):\n    get_ipython().run_line_magic('sandbox', 'send front value')\nf(3)"
    shell.run_cell(code).raise_error()
    assert shop.last == ("send", "front", 3)


def test_spawn_gives_a_pid(shell: InteractiveShell, shop: FakeSandbox) -> None:
    shop.answers["spawn"] = "<0.9.0>"
    assert run(shell, "spawn shop counter.loop 1 --name ticker") == Pid.of(9)
    assert shop.last == ("spawn", ("counter.loop", 1), {"name": "ticker"})


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        ("suspend front", ("suspend", "front")),
        ("unsuspend front", ("unsuspend", "front")),
        ("state front", ("state", ("front",), {"cut": True})),
        ("set-state front 2 * 3", ("set_state", "front", 6)),
        ("children shop", ("children", "shop")),
        ("restart-child shop front", ("restart_child", "shop", "front")),
        ("terminate-child shop front", ("terminate_child", "shop", "front")),
        ("stop", ("stop",)),
        ("restart", ("restart",)),
        ("pause", ("pause",)),
        ("resume", ("resume",)),
        ("step 3", ("step", 3)),
        ("back", ("back", 1)),
        ("metrics", ("metrics",)),
        ("versions", ("versions",)),
        ("kill front", ("kill", ("front",), {"reason": "kill"})),
        ("why front", ("why", ("front",), {"limit": 1})),
        ("until --process front", ("until", (), {"process": "front"})),
        ("events front --kind crash", ("events", (), {"limit": 50, "kinds": ("crash",), "target": "front"})),
    ],
)
def test_verbs_ask_the_sandbox(
    shell: InteractiveShell, shop: FakeSandbox, line: str, asked: tuple[object, ...]
) -> None:
    run(shell, line)
    assert shop.last == asked


def test_a_step_is_told_on_one_line(shell: InteractiveShell, shop: FakeSandbox) -> None:
    told = run(shell, "step")
    assert str(told) == "#8 front handled call 'next' from <0.9.0> · state 1 → 2 · replied 1 to <0.9.0>"
    assert told.steps[0].state_after == "2"


def test_a_snapshot_without_a_name_gets_one(shell: InteractiveShell, shop: FakeSandbox) -> None:
    assert str(run(shell, "snapshot")).startswith("saved snapshot-1;")


def test_a_snapshot_in_place_of_another_says_so(shell: InteractiveShell, shop: FakeSandbox) -> None:
    shop.answers["snapshots"] = [SnapshotInfo("mine", 1.0, 3, 2, 10), SnapshotInfo("b", 2.0, 3, 2, 10, "other.ipynb")]
    assert str(run(shell, "snapshot shop mine")).startswith("saved mine in place of the one before;")
    assert str(run(shell, "snapshot shop b")).startswith("saved b; ")


def test_snapshots_of_other_notebooks_say_whose_they_are(shell: InteractiveShell, shop: FakeSandbox) -> None:
    shop.answers["snapshots"] = [SnapshotInfo("mine", 1.0, 3, 2, 10)]
    assert "taken in" not in str(run(shell, "snapshots"))
    shop.answers["snapshots"] = [SnapshotInfo("mine", 1.0, 3, 2, 10), SnapshotInfo("b", 2.0, 3, 2, 10, "other.ipynb")]
    shown = str(run(shell, "snapshots"))
    assert "taken in" in shown and "other.ipynb" in shown and "no notebook" in shown


def test_exec_keeps_its_line_numbers_and_its_value(shell: InteractiveShell, shop: FakeSandbox) -> None:
    shop.answers["exec"] = 5
    assert shell.run_cell_magic("sandbox", "exec shop --out five", "2 + 3\n") == 5
    assert shop.asked[-1][1][0] == "\n2 + 3\n"
    assert shell.user_ns["five"] == 5


def test_a_value_that_gets_a_name_comes_whole_and_one_that_is_shown_may_be_cut(
    shell: InteractiveShell, shop: FakeSandbox
) -> None:
    shell.run_cell_magic("sandbox", "exec shop --out five", "2 + 3\n")
    shell.run_cell_magic("sandbox", "exec shop", "2 + 3\n")
    assert [options for _, _, options in shop.asked[-2:]] == [{"cut": False}, {"cut": True}]


def test_an_empty_source_is_not_the_folder_of_the_notebook(shell: InteractiveShell, shop: FakeSandbox) -> None:
    assert refused(shell, 'load shop ""') == "SOURCE '' is not valid: for the folder of the notebook type ."


def test_files_are_loaded_from_a_variable(shell: InteractiveShell, shop: FakeSandbox) -> None:
    shell.user_ns["files"] = {"a.py": "x = 1"}
    run(shell, "load shop files")
    assert shop.last[1].files == {"a.py": "x = 1"}


def test_a_git_repository_needs_a_commit(shell: InteractiveShell, shop: FakeSandbox) -> None:
    text = refused(shell, "load shop https://example.org/a.git")
    assert text.endswith("type %sandbox load shop https://example.org/a.git --commit FULL_ID")


# --- errors ---------------------------------------------------------------------------------------------------------


def test_an_unquoted_text_is_found_out(shell: InteractiveShell, shop: FakeSandbox) -> None:
    assert refused(shell, "call front nxt").endswith("put quotes around it if it is text: 'nxt'")
    assert refused(shell, "call front next").endswith('for the text type "next"')


def test_a_request_that_raises_is_told_in_one_line(shell: InteractiveShell, shop: FakeSandbox) -> None:
    assert refused(shell, "call front 1 / 0").startswith("REQUEST 1 / 0: ZeroDivisionError: division by zero")


def test_errors_of_processes_are_one_line(shell: InteractiveShell, shop: FakeSandbox) -> None:
    shop.answers["call"] = NoProcess("no process 'frnt' in shop; see %sandbox ps shop")
    assert refused(shell, 'call frnt "x"') == "no process 'frnt' in shop; see %sandbox ps shop"


def test_what_is_no_mistake_of_the_user_keeps_its_class_and_is_one_line(
    shell: InteractiveShell, shop: FakeSandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.answers["call"] = CallTimeout("front did not answer in time")
    shell.run_cell('%sandbox call front "next"')
    assert capsys.readouterr().out == "CallTimeout: front did not answer in time\n"


def test_an_interrupt_of_a_command_is_one_line(
    shell: InteractiveShell, shop: FakeSandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.answers["call"] = KeyboardInterrupt()
    shell.run_cell('%sandbox call front "next"')
    assert capsys.readouterr().out.startswith("KeyboardInterrupt: the command was called off; ")
    shop.answers["busy_ms"] = BUSY_MS
    shell.run_cell('%sandbox call front "next"')
    assert capsys.readouterr().out.rstrip() == (
        "KeyboardInterrupt: nobody waits any more, but shop still computes; it is ended after handler_budget, "
        "or at once with %sandbox restart shop"
    )
    shop.answers["busy_ms"] = SandboxGone("it crashed")
    shell.run_cell('%sandbox call front "next"')
    assert "the command was called off" in capsys.readouterr().out


def test_errors_of_the_python_api_end_at_the_line_that_called_it(
    shell: InteractiveShell, shop: FakeSandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    with SandboxManager(store=":memory:") as manager:
        shell.user_ns["real"] = manager
        shell.run_cell("def look():\n    real.get('nobody')\nlook()")
    shown = capsys.readouterr().out
    assert "real.get('nobody')" in shown and "jupyter_sandbox" not in shown
    assert shown.rstrip().endswith("there is none yet: %sandbox create nobody")
    shell.run_cell("1 / 0")
    assert "ZeroDivisionError" in capsys.readouterr().out


def test_a_message_to_a_paused_sandbox_says_that_it_waits(shell: InteractiveShell, shop: FakeSandbox) -> None:
    assert run(shell, "cast front 1") is None
    shop.status_now = SandboxStatus.PAUSED
    for verb in ("cast", "send"):
        assert str(run(shell, f"{verb} front 1")).endswith("as shop is paused; next: %sandbox step shop")


def test_a_step_of_a_quiet_sandbox_says_how_to_go_on(shell: InteractiveShell, shop: FakeSandbox) -> None:
    shop.answers["step"] = Stepped((), 7, "idle")
    assert "%sandbox cast shop TARGET MESSAGE, or %sandbox resume shop" in str(run(shell, "step"))


def test_until_a_step_that_is_past_says_how_to_go_back(shell: InteractiveShell, shop: FakeSandbox) -> None:
    assert str(run(shell, "until shop --step 3")).endswith(
        "step 3 was past already; to go back to it: %sandbox back shop 5"
    )
    assert str(run(shell, "until shop --step 8")).endswith("%sandbox resume shop")


def test_what_a_profile_does_not_open_is_said_in_the_words_of_the_command(
    shell: InteractiveShell, manager: FakeManager
) -> None:
    with pytest.raises(IPythonUsageError) as caught:
        run(shell, "create shop --profile basic --net")
    assert str(caught.value) == (
        "--net: profile basic opens nothing by name; use --profile standard, or leave --profile out"
    )
    run(shell, "create shop --profile standard --net")
    assert manager.sandboxes["shop"].asked[0] == ("create", {"profile": "standard", "allow": {"net": True}})


def test_named_ports_are_opened(shell: InteractiveShell, manager: FakeManager) -> None:
    run(shell, "create shop --ports 443,8080 --ports 9000")
    assert manager.sandboxes["shop"].asked[0] == ("create", {"allow": {"ports": [443, 8080, 9000]}})
    with pytest.raises(IPythonUsageError, match=r"^--ports: profile strict opens nothing by name"):
        run(shell, "create bank --profile strict --ports 443")


@pytest.mark.parametrize("port", ["0", "65536", "https", "443-445", "1" * 9, "٣"])
def test_a_port_is_a_number(shell: InteractiveShell, port: str) -> None:
    with pytest.raises(IPythonUsageError) as caught:
        run(shell, f"create shop --ports 443,{port}")
    assert str(caught.value) == f"--ports {port!r} is not valid: give numbers from 1 to 65535, such as 443,8080"


def test_of_a_crashed_sandbox_it_is_not_said_that_it_was_stopped(shell: InteractiveShell, shop: FakeSandbox) -> None:
    shop.status_now = SandboxStatus.STOPPED
    assert str(run(shell, "stop shop")) == "shop is stopped; start it again with %sandbox start shop"
    with_one = replace(shop.info(), status=SandboxStatus.STOPPED, counters=Counters(processes=1))
    assert _beside(with_one).startswith(". Until then 1 process beside its application stands still; a restart ends")
    shop.status_now, shop.reason_now = SandboxStatus.CRASHED, "its OS process ended with exit 3"
    assert str(run(shell, "stop shop")) == (
        "shop crashed, so nothing is left to be stopped (its OS process ended with exit 3); "
        "start it again with %sandbox restart shop"
    )


def test_a_memory_limit_without_its_unit_is_found_out(shell: InteractiveShell, shop: FakeSandbox) -> None:
    for line in ("limits shop --max-memory 50", "create mill --max-memory 50"):
        with pytest.raises(IPythonUsageError, match="--max-memory 50 is not valid: a number alone is bytes; give"):
            run(shell, line)
    assert shop.limits_now.max_memory == 50_000_000


def test_what_of_a_limit_does_not_count_yet_stands_below_the_limits(
    shell: InteractiveShell, shop: FakeSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = NoticeTold("shop", "warning", "max_memory of 60 MB counts in full from the next restart on")
    monkeypatch.setattr(shop, "limits", lambda **_: shop.manager.publish(note), raising=False)
    assert note.text in str(run(shell, "limits shop --max-memory 60MB"))
    shop.manager.publish(note)
    assert note.text not in str(run(shell, "limits shop")), "it is told of the change, and not for ever"


def test_the_last_tree_of_a_sandbox_that_is_gone_is_shown_with_the_reason(
    shell: InteractiveShell, shop: FakeSandbox
) -> None:
    run(shell, "tree")
    shop.answers["tree"] = SandboxGone("it crashed")
    shop.status_now, shop.reason_now = SandboxStatus.CRASHED, "its OS process ended with exit 3"
    shown = str(run(shell, "tree"))
    assert "front" in shown and "as last seen; shop crashed: its OS process ended with exit 3; next: " in shown
    assert "then shop crashed: its OS process ended with exit 3" in str(run(shell, "why front"))


def test_the_reason_beside_a_tree_names_the_cell(shell: InteractiveShell, shop: FakeSandbox) -> None:
    shell.run_cell_magic("sandbox", "module shop counter", CELL)
    file, name = shop.last[1].file, f"In[{shell.displayhook.prompt_count}]"
    shop.status_now, shop.reason_now = SandboxStatus.CRASHED, f"os._exit at {file} line 7"
    assert f"shop crashed: os._exit at {name} line 7; next: " in str(run(shell, "tree"))


def test_a_crash_shows_lines_of_the_cell_and_keeps_its_class(shell: InteractiveShell, shop: FakeSandbox) -> None:
    shell.run_cell_magic("sandbox", "module shop counter", CELL)
    file = shop.last[1].file
    lines = ('  File "' + file + '", line 2, in handle_call', "    pass", "TypeError: no\x1b[31m")
    shop.answers["call"] = CallExit("front exited", "TypeError", lines)
    with pytest.raises(CallExit) as caught:
        run(shell, 'call front "x"')
    shown = caught.value._render_traceback_()  # type: ignore[attr-defined]
    assert shown[0] == f"  Cell In[{shell.displayhook.prompt_count}], line 2, in handle_call"
    assert shown[-2:] == ["TypeError: no\\x1b[31m", "CallExit: front exited"]


def test_a_crash_without_lines_of_the_user_is_one_line(shell: InteractiveShell, shop: FakeSandbox) -> None:
    error = CallExit("walker exited before it answered: MissingCallback: add one")
    error.traceback = ("Traceback (most recent call last):", "MissingCallback: add one")
    shop.answers["call"] = error
    with pytest.raises(CallExit) as caught:
        run(shell, "call shop front 1")
    assert caught.value._render_traceback_() == [f"CallExit: {error}"]  # type: ignore[attr-defined]


def test_a_compile_error_points_at_line_and_column(shell: InteractiveShell, shop: FakeSandbox) -> None:
    def load(source: Any) -> None:
        raise CompileError(
            "compilation_error",
            f"{source.file}: 1 error",
            (Diagnostic(source.file, 3, 5, "expected ':'", "    class"),),
        )

    shop.__dict__["load"] = load
    with pytest.raises(CompileError) as caught:
        shell.run_cell_magic("sandbox", "module shop counter", "x\n    class\n")
    cell = f"In[{shell.displayhook.prompt_count}]"
    assert caught.value._render_traceback_() == [  # type: ignore[attr-defined]
        f"  Cell {cell}, line 3",
        "    class",
        "    ^",
        "error: expected ':'",
        f"CompileError: {cell}: 1 error",
    ]
    assert str(caught.value) == f"{cell}: 1 error"


def test_why_tells_the_cell_and_the_decision(shell: InteractiveShell, shop: FakeSandbox) -> None:
    shell.run_cell_magic("sandbox", "module shop counter", CELL)
    cause = f"TypeError in handle_call at {shop.last[1].file} line 9"
    shop.answers["why"] = [
        WhyView(
            "shop/front", "front", 9, 0, "", cause, "", (), "shop", "one_for_one restart 1 of 3 in 5 s", (), (), "0"
        )
    ]
    count = shell.displayhook.prompt_count
    expected = (
        f"TypeError in handle_call at In[{count}] line 9 → exit → one_for_one restart 1 of 3 in 5 s → state back to 0"
    )
    assert str(run(shell, "why shop front")).split("\n")[0] == expected


def test_why_says_which_limit_was_met(shell: InteractiveShell, shop: FakeSandbox) -> None:
    shop.answers["why"] = [WhyView("front", "front", 9, 0, "", "MemoryError in f", "1", (), "shop", "restart", (), ())]
    last = str(run(shell, "why shop front")).split("\n")[-1]
    assert last == "shop may use 50 MB; to let it use more: %sandbox limits shop --max-memory 100MB"
    shop.answers["why"] = [replace(shop.answers["why"][0], cause="HandlerTimeout in f")]
    last = str(run(shell, "why shop front")).split("\n")[-1]
    assert last == "a callback may run 5000 ms; to let it run longer: %sandbox limits shop --handler-budget 10000"
    shop.answers["why"] = [replace(shop.answers["why"][0], cause="TypeError in f")]
    assert "limits" not in str(run(shell, "why shop front"))


def test_a_log_line_says_when_and_names_its_process_once(shell: InteractiveShell, shop: FakeSandbox) -> None:
    at = datetime(2026, 7, 1, 9, 5, 7).timestamp()
    crash = NoticeTold("shop", "error", "front crashed: boom", "front", at=at)
    shop.answers["log"] = [crash, replace(crash, text="stock is low"), replace(crash, process="", at=at + 61)]
    assert list(run(shell, "log shop")) == [
        "09:05:07 error     front crashed: boom", "09:05:07 error     front: stock is low",
        "09:06:08 error     front crashed: boom",
    ]  # fmt: skip


def test_a_reason_and_an_alert_name_the_cell(
    shell: InteractiveShell, shop: FakeSandbox, manager: FakeManager, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.run_cell_magic("sandbox", "module shop counter", CELL)
    file, name = shop.last[1].file, f"In[{shell.displayhook.prompt_count}]"
    shop.status_now, shop.reason_now = SandboxStatus.CRASHED, f"os._exit in the cell {file}"
    for verb in ("list", "info shop"):
        told = str(run(shell, verb))
        assert f"os._exit in the cell {name}" in told and file not in told
    manager.publish(AlertRaised("shop", "hang", f"a callback of the cell {file} hangs", 0.0))
    assert capsys.readouterr().err == f"sandbox shop: a callback of the cell {name} hangs\n"


def test_a_traceback_that_is_printed_names_the_cell_and_what_else_is_printed_stays(
    shell: InteractiveShell, shop: FakeSandbox, manager: FakeManager, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.run_cell_magic("sandbox", "module shop counter", CELL)
    file, name = shop.last[1].file, f"In[{shell.displayhook.prompt_count}]"
    printed = f'  File "{file}", line 2, in boom\n{file}:3: RuntimeWarning: never awaited\n{file}\n'
    shown = f"  Cell {name}, line 2, in boom\n{name}:3: RuntimeWarning: never awaited\n{file}\n"
    capsys.readouterr()
    manager.publish(OutputArrived("shop", "stderr", printed, 0))
    assert capsys.readouterr().err == shown
    shop.answers["output"] = printed
    assert list(run(shell, "log shop"))[-3:] == [f"  {line}" for line in shown.splitlines()]


def test_a_value_is_stored_under_the_name_of_a_variable_only(shell: InteractiveShell, shop: FakeSandbox) -> None:
    with pytest.raises(IPythonUsageError, match="--out '3x' is not valid: give the name of a variable, such as result"):
        shell.run_cell_magic("sandbox", "exec shop --out 3x", "1")
    assert not [asked for asked in shop.asked if asked[0] == "exec"]


# --- what is printed ------------------------------------------------------------------------------------------------


def test_alerts_are_shown(shop: FakeSandbox, manager: FakeManager, capsys: pytest.CaptureFixture[str]) -> None:
    manager.publish(AlertRaised("shop", "memory_limit", "51 of 50 MB", 0.0))
    assert capsys.readouterr().err == "sandbox shop: 51 of 50 MB\n"


@pytest.mark.parametrize("name", ["a", "shop", "sandbox"])
def test_an_alert_begins_with_its_sandbox_whatever_it_says(
    shell: InteractiveShell, manager: FakeManager, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    manager.create(name)
    capsys.readouterr()
    manager.publish(AlertRaised(name, "mailbox_limit", f"'a' and sandbox 'shop' of {name!r}", 0.0))
    assert capsys.readouterr().err == f"sandbox {name}: 'a' and sandbox 'shop' of {name!r}\n"


def test_what_a_sandbox_prints_is_shown_at_once(
    shop: FakeSandbox, manager: FakeManager, capsys: pytest.CaptureFixture[str]
) -> None:
    manager.publish(OutputArrived("shop", "stdout", "hello\x1b[2J\n", 0))
    manager.publish(OutputArrived("shop", "stderr", "oh\n", 0))
    assert capsys.readouterr() == ("hello\\x1b[2J\n", "oh\n")


def test_what_was_dropped_is_said_once_at_the_end_of_a_command(
    shell: InteractiveShell, shop: FakeSandbox, manager: FakeManager, capsys: pytest.CaptureFixture[str]
) -> None:
    def call(*_: Any, **__: Any) -> None:
        manager.publish(OutputArrived("shop", "stdout", "hello\n", 3))
        manager.publish(OutputArrived("shop", "stdout", "", 4))

    shop.__dict__["call"] = call
    run(shell, 'call front "x"')
    assert capsys.readouterr().out == "hello\n\n[7 bytes more were printed in shop and dropped]\n"
    call()
    assert capsys.readouterr().out == "hello\n"
    run(shell, "list")
    assert capsys.readouterr().out == "\n[7 bytes more were printed in shop and dropped]\n"


# --- coming and going -----------------------------------------------------------------------------------------------


def traces(shell: InteractiveShell) -> list[object]:
    """All places where the extension could leave something."""
    return [
        "sandbox" in shell.magics_manager.magics["line"],
        "sandbox" in shell.magics_manager.magics["cell"],
        len(shell.Completer.custom_matchers),
        len(shell.display_formatter.mimebundle_formatter.type_printers),
        hasattr(shell, "_jupyter_sandbox"),
    ]


def test_unloading_leaves_nothing_behind(bare_shell: InteractiveShell, manager: FakeManager) -> None:
    before = traces(bare_shell)
    load(bare_shell, manager)  # type: ignore[arg-type]
    assert traces(bare_shell) != before
    unload(bare_shell)
    assert traces(bare_shell) == before
    assert (manager.subscribers, manager.closed) == ([], True)


def test_loading_and_unloading_twice_changes_nothing(bare_shell: InteractiveShell, manager: FakeManager) -> None:
    load(bare_shell, manager)  # type: ignore[arg-type]
    once = traces(bare_shell)
    load(bare_shell, manager)  # type: ignore[arg-type]
    assert traces(bare_shell) == once
    unload(bare_shell)
    unload(bare_shell)
    assert "sandbox" not in bare_shell.magics_manager.magics["line"]


@pytest.mark.parametrize(
    "magic", [lambda shell: run(shell, "list"), lambda shell: shell.run_cell_magic("sandbox", "x", "y")]
)
def test_the_magic_after_unload_is_an_error_of_one_line(
    shell: InteractiveShell, magic: Callable[[InteractiveShell], object]
) -> None:
    unload(shell)
    with pytest.raises(IPythonUsageError, match=r"magic .*sandbox.* not found"):
        magic(shell)


# --- completion -----------------------------------------------------------------------------------------------------


def completed(shell: InteractiveShell, text: str) -> list[str]:
    with provisionalcompleter():
        found = list(shell.Completer.completions(text, len(text)))
    return [text[: one.start] + one.text for one in found if one.type != "magic"]


def test_names_are_completed_in_the_shell(shell: InteractiveShell, shop: FakeSandbox) -> None:
    assert completed(shell, "%sandbox sus") == ["%sandbox suspend"]
    assert completed(shell, "%sandbox state sh") == ["%sandbox state shop", "%sandbox state shop/front"]
    assert completed(shell, "%sandbox state shop fr") == ["%sandbox state shop front"]
    assert completed(shell, "t = %sandbox tre") == ["t = %sandbox tree"]
    assert completed(shell, "%%sandbox mod") == ["%%sandbox module"]


@pytest.fixture
def folder(shell: InteractiveShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody is in a folder with a file in it, and has a variable."""
    (tmp_path / "front_notes.py").touch()
    monkeypatch.chdir(tmp_path)
    shell.user_ns["front_request"] = 1


@pytest.mark.parametrize(
    "line",
    [
        "%sandbox tree shop ", "%sandbox create ", "%sandbox create front", "%sandbox call shop front --timeout ",
        "%sandbox nosuch front", "%sandbox children shop nosuch front", "%%sandbox module shop ", "x = %sandbox front",
    ],
)  # fmt: skip
def test_a_line_of_ours_offers_what_is_ours_and_else_nothing(
    shell: InteractiveShell, shop: FakeSandbox, folder: None, line: str
) -> None:
    with provisionalcompleter():
        assert list(shell.Completer.completions(line, len(line))) == []


def test_where_a_path_stands_files_are_offered_and_nothing_else(
    shell: InteractiveShell, shop: FakeSandbox, folder: None
) -> None:
    for line in ("%sandbox load shop fron", "%sandbox create --read fron"):
        assert completed(shell, line) == [f"{line}t_notes.py"]


@pytest.mark.parametrize("jedi", [True, False])
def test_where_an_expression_stands_names_of_the_notebook_are_offered_and_no_files(
    shell: InteractiveShell, shop: FakeSandbox, folder: None, jedi: bool
) -> None:
    shell.Completer.use_jedi = jedi
    line = "%sandbox call shop front ('add', fron"
    offered = completed(shell, line)
    assert offered == [f"{line}t_request"] or (jedi and not offered), "Jedi gives up on a busy machine"


def test_the_body_of_a_cell_is_completed_as_before(shell: InteractiveShell, shop: FakeSandbox, folder: None) -> None:
    shell.Completer.use_jedi = False  # which gives up on a busy machine
    assert "%%sandbox exec shop\nfront_request" in completed(shell, "%%sandbox exec shop\nfront_r")


def test_other_lines_are_completed_as_before(shell: InteractiveShell) -> None:
    shell.Completer.use_jedi = False  # which gives up on a busy machine
    shell.user_ns["sandboxes_of_mine"] = 1
    assert completed(shell, "sandboxes_of") == ["sandboxes_of_mine"]
