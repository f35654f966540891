"""Code of any size on its way into a sandbox: it arrives, or one error says how much is too much. It never hangs."""

from __future__ import annotations

import re

import pytest

from jupyter_sandbox.code.faults import FAULTS
from jupyter_sandbox.manager import bringing, watch
from jupyter_sandbox.manager.bringing import PART_BYTES, PART_MODULES, parts
from jupyter_sandbox.manager.manager import SandboxManager
from jupyter_sandbox.manager.sandbox import Sandbox
from jupyter_sandbox.model.code import ModuleCode
from jupyter_sandbox.model.errors import CompileError, SandboxGone
from jupyter_sandbox.model.sandbox import SandboxStatus

LIVE = "import os\nif os.path.exists('live'):\n"
"""Before what is to happen in the sandbox itself, and not while its code is tried: that has another folder."""


def filled(count: int, size: int, mark: str) -> dict[str, str]:
    """So many files of so many characters."""
    return {f"m{n}.py": f"# {mark * size}\nn = {n}\n" for n in range(count)}


def test_parts_hold_all_modules_in_their_order_and_fit_into_a_frame() -> None:
    small = [ModuleCode(f"s{n}", b"", "n = 1") for n in range(2 * PART_MODULES + 1)]
    large = [ModuleCode(f"l{n}", b"", "x" * (PART_BYTES // 2)) for n in range(3)]
    huge = ModuleCode("huge", b"x" * (3 * PART_BYTES), "")
    found = list(parts([*small, *large, huge]))
    assert [one for part in found for one in part] == [*small, *large, huge]
    assert all(
        len(part) <= PART_MODULES and (len(part) == 1 or sum(map(bringing.size_of, part)) <= PART_BYTES)
        for part in found
    )
    assert list(parts([])) == [()]


def test_as_much_as_is_gathered_at_all_is_loaded_and_replaced(manager: SandboxManager) -> None:
    sandbox = manager.create(limits={"max_memory": 1_000_000_000})
    assert len(sandbox.load(filled(16, 1_900_000, "x")).modules) == 16
    again = sandbox.load(filled(16, 1_900_000, "y"))
    assert {one.version for one in again.versions if one.current} == {2}
    sandbox.restart()
    assert sandbox.exec("import m0, m15; m0.n + m15.n") == 15


def test_code_that_there_is_no_memory_for_is_an_error_that_says_so(manager: SandboxManager) -> None:
    sandbox = manager.create(limits={"max_memory": 20_000_000})
    with pytest.raises(CompileError, match=r"max.memory"):
        sandbox.load(filled(16, 1_900_000, "x"))
    assert sandbox.exec("1 + 1") == 2


def test_more_compiled_code_than_the_kernel_keeps_is_refused_with_what_to_do(
    manager: SandboxManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bringing, "MOST_CODE", 1_000_000)
    text = "".join(f"def f{n}(a, b): return [a, b, {n}]\n" for n in range(5_000))
    sandbox = manager.create(limits={"max_memory": 200_000_000})
    with pytest.raises(CompileError, match=r"of 9 modules have more than 1 MB .* Load it in parts"):
        sandbox.load({f"m{n}.py": text for n in range(9)})
    assert sandbox.exec("1 + 1") == 2


def test_of_very_many_modules_that_do_not_compile_the_first_are_told_and_how_many_more(shop: Sandbox) -> None:
    with pytest.raises(CompileError) as caught:
        shop.load({f"{'p' * 60}/{'q' * 60}{n}.py": f"x = (1,,{n})  # {'t' * 490}" for n in range(1_900)})
    assert re.search(r"q0\.py:1:8: SyntaxError: invalid syntax \(and 1899 more\)", str(caught.value))
    assert len(caught.value.diagnostics) == FAULTS and "q99.py" in caught.value.diagnostics[-1].file
    assert shop.call("front", "next") == 0


@pytest.mark.parametrize("budget_ms", [300, 5_000])
def test_two_thousand_modules_are_replaced_in_a_sandbox_that_runs_on(manager: SandboxManager, budget_ms: int) -> None:
    sandbox = manager.create(limits={"handler_budget": budget_ms})
    sandbox.load({f"m{n}.py": f"class A{n}:\n    n = 1\n" for n in range(1_990)})
    report = sandbox.load({f"m{n}.py": f"class A{n}:\n    n = 2\n" for n in range(1_990)})
    assert len(report.modules) == 1_990 and sandbox.exec("import m7; m7.A7.n") == 2
    assert (sandbox.status, sandbox.info().alerts) == (SandboxStatus.RUNNING, ())


# --- what hangs, and what only takes long -----------------------------------------------------------------------------


@pytest.fixture
def strictly(manager: SandboxManager, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """A sandbox in which the top level of a module may take 300 ms."""
    monkeypatch.setattr(watch, "TOP_LEVEL_MS", 300)
    sandbox = manager.create(code={"kept.py": "n = 1"}, limits={"handler_budget": 300})
    sandbox.exec("open('live', 'w').close()")
    return sandbox


@pytest.mark.parametrize("where", ["tried", "live"])
def test_a_module_whose_top_level_hangs_is_interrupted_and_told_with_its_line(strictly: Sandbox, where: str) -> None:
    hang = "    x = 1\n    while True:\n        x += 1\n"
    text = LIVE + hang if where == "live" else "import os\nif True:\n" + hang
    with pytest.raises(CompileError, match=r"late ran too long and was interrupted at late.py line [45]") as caught:
        strictly.load({"late.py": text, "user.py": "import late"})
    assert caught.value.diagnostics[0].file == "late.py"
    assert strictly.exec("import kept; kept.n") == 1 and strictly.status is SandboxStatus.RUNNING
    told = [alert for alert in strictly.info().alerts if "the import of module late" in alert]
    assert len(told) == (1 if where == "live" else 0)


def test_a_trial_that_cannot_be_interrupted_ends_with_the_line_and_its_sandbox_runs_on(strictly: Sandbox) -> None:
    with pytest.raises(CompileError, match=r"it hangs at <late> line 2 in <module>\); .* endless loop"):
        strictly.load("x = 1\nsum(range(10**15))", "late")
    assert strictly.exec("import kept; kept.n") == 1


def test_a_module_that_cannot_be_interrupted_where_it_runs_live_ends_the_sandbox_with_the_line(
    strictly: Sandbox,
) -> None:
    with pytest.raises(SandboxGone, match=r"it hangs at <late> line 3 in <module>"):
        strictly.load(f"{LIVE}    sum(range(10**15))", "late")
    strictly.restart()
    assert strictly.exec("import kept; kept.n") == 1


@pytest.fixture
def patiently(strictly: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """One in which it may take a second, as none of it has to on any machine."""
    monkeypatch.setattr(watch, "TOP_LEVEL_MS", 1_000)
    strictly.limits(handler_budget=1_000)
    return strictly


def test_modules_that_take_long_together_are_no_hang(patiently: Sandbox) -> None:
    files = {f"m{n}.py": f"import time\ntime.sleep(0.03)\nn = {n}" for n in range(60)}
    files["all_of_them.py"] = "\n".join(f"import m{n}" for n in range(60))
    patiently.load(files)
    assert (patiently.status, patiently.info().alerts) == (SandboxStatus.RUNNING, ())


def test_a_circle_of_imports_is_loaded_and_comes_back_in_a_restart_and_in_a_restored_sandbox(
    manager: SandboxManager,
) -> None:
    cart = "import front\ndef total(): return 7\n"
    front = (
        "from cart import total\nfrom jupyter_sandbox.otp import GenServer\n"
        "class Front(GenServer):\n    def init(self, _): return total()\n"
    )
    sandbox = manager.create(code={"cart.py": cart, "front.py": front}, main="front.Front")
    sandbox.load({"cart.py": cart.replace("7", "8")})
    sandbox.restart()
    assert sandbox.state("Front") == 8
    sandbox.snapshot("eight")
    sandbox.restore("eight")
    assert sandbox.state("Front") == 8


CHANGING = """
import time
from jupyter_sandbox.otp import Child, GenServer, Supervisor
class Slow(GenServer):
    def code_change(self, old, state, extra):
        time.sleep(0.03)
        return {state}
class Top(Supervisor):
    def init(self, _):
        return [Child(Slow, 0, name=f"slow{n}") for n in range(40)]
"""


def test_processes_whose_code_changes_take_long_together_are_no_hang(patiently: Sandbox) -> None:
    patiently.load(CHANGING.replace("{state}", "state"), "changing")
    patiently.start("changing.Top")
    assert patiently.load(CHANGING.replace("{state}", "'new'"), "changing").moved == 41
    assert patiently.state("slow39") == "new" and patiently.info().alerts == ()


def test_a_code_change_that_hangs_is_told_as_that_with_the_budget_of_a_callback(
    manager: SandboxManager,
) -> None:
    """Below Python, where it cannot be interrupted; more time than that is for the top level of a module alone."""
    sandbox = manager.create(code={"changing.py": CHANGING.replace("{state}", "state")}, main="changing.Top")
    sandbox.limits(handler_budget=300)
    words = r"the code_change of slow\d+ <[\d.]+> ran longer than 300 ms"
    with pytest.raises(SandboxGone, match=rf"hang: {words} and could not .* line 6 in code_change"):
        sandbox.load({"changing.py": CHANGING.replace("time.sleep(0.03)", "sum(range(10**15))")})
    assert re.search(words, sandbox.info().alerts[0])


@pytest.mark.parametrize(("text", "todo"), [
    ("import os; os._exit(3)", "Look for os._exit"),
    ("n = 0\nwhile True:\n    n += 1\n    open(f'f{n}', 'wb').write(bytes(10**7))", "Do less of that"),
    ("import mmap\nkeep = []\nwhile True: keep.append(mmap.mmap(-1, 10**6)); keep[-1].write(bytes(10**6))",
     "Take less memory at module level|or give the sandbox more"),
])  # fmt: skip
def test_who_loads_what_ends_its_trial_is_told_what_to_look_for(manager: SandboxManager, text: str, todo: str) -> None:
    sandbox = manager.create(limits={"max_memory": 20_000_000})
    with pytest.raises(CompileError, match=todo):
        sandbox.load({"late.py": text})
