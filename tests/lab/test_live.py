"""The panel and the real extension together: what happens in the sandbox is seen, what is pressed happens."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import expect

from ..shop import BUSY_CELL
from .conftest import TOKEN

LOAD = "%load_ext jupyter_sandbox"
START = "%sandbox start shop counter.Shop"
SPIN = "while True: pass"
Open = Callable[..., Any]


def started(notebook: Open, *more: str) -> Any:
    lab = notebook(LOAD, BUSY_CELL, START, *more)
    lab.run_cell()
    lab.run_cell()
    lab.run_cell()
    expect(lab.item("walker")).to_be_attached()
    return lab


def test_the_tree_of_a_sandbox_appears_by_itself_and_lives(notebook: Open) -> None:
    lab = started(notebook)
    expect(lab.row("shop")).to_contain_text("running")
    expect(lab.panel.get_by_role("treeitem")).to_have_count(4)
    expect(lab.item("front")).to_contain_text("state 0")
    before = lab.item("walker").text_content()
    expect(lab.item("walker")).not_to_have_text(before or "")


def test_a_sandbox_is_paused_stepped_resumed_and_killed_while_a_cell_spins(notebook: Open) -> None:
    lab = started(notebook, "%sandbox pause shop\n%sandbox cast shop walker 1", SPIN)
    lab.run_cell()
    expect(lab.row("shop")).to_contain_text("paused")
    lab.press("Resume")
    expect(lab.row("shop")).to_contain_text("running")
    lab.run_cell()
    lab.press("Pause")
    expect(lab.row("shop")).to_contain_text("paused")
    lab.press("Step")
    told = lab.panel.locator(".jp-Sandbox-step, .jp-Sandbox-remark").filter(visible=True)
    expect(told.first).to_be_visible()
    lab.press("Resume")
    expect(lab.row("shop")).to_contain_text("running")
    lab.press("Kill")
    lab.page.get_by_role("dialog").get_by_role("button", name="Kill").click()
    expect(lab.row("shop")).to_have_count(0)
    expect(lab.page.locator(".jp-InputPrompt", has_text="[*]")).to_be_attached()


def test_a_step_is_told_in_the_panel(notebook: Open) -> None:
    lab = started(notebook, "%sandbox pause shop", '%sandbox send shop walker "now"')
    lab.run_cell()
    expect(lab.row("shop")).to_contain_text("paused")
    lab.run_cell()
    expect(lab.page.locator(".jp-InputArea-prompt", has_text="[5]:")).to_be_attached()  # the message was sent
    lab.press("Step")
    expect(lab.panel.locator(".jp-Sandbox-step").first).to_contain_text("walker")


def test_a_crash_is_seen_and_a_killed_process_comes_back(notebook: Open) -> None:
    lab = started(notebook, '%sandbox call shop front ("add", "x")')
    lab.run_cell()
    expect(lab.item("front")).to_contain_text("1 restart")
    tree = lab.panel.get_by_role("tree")
    tree.focus()
    tree.press("b")
    tree.press("Enter")
    inspector = lab.panel.locator(".jp-Sandbox-inspector")
    expect(inspector).to_contain_text("counter.Counter")
    inspector.get_by_role("button", name="Kill").click()
    expect(lab.item("back")).to_contain_text("1 restart")
    inspector.get_by_role("button", name="Suspend", exact=True).click()
    expect(lab.item("back")).to_contain_text("suspended")
    inspector.get_by_role("button", name="Unsuspend").click()
    expect(lab.item("back")).not_to_contain_text("suspended")
    inspector.get_by_role("button", name="Restart").click()
    expect(lab.item("back")).to_contain_text("2 restarts")


def test_a_stopped_sandbox_is_started_again_from_the_panel(notebook: Open) -> None:
    lab = started(notebook)
    lab.press("Stop")
    expect(lab.row("shop")).to_contain_text("stopped")
    lab.press("Start")
    expect(lab.row("shop")).to_contain_text("running")
    expect(lab.item("walker")).to_be_attached()


def test_a_kernel_that_restarts_or_dies_takes_its_sandboxes_along_and_that_is_said(notebook: Open) -> None:
    lab = started(notebook)
    kernel = "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel"
    empty, picture = lab.panel.locator(".jp-Sandbox-empty"), lab.page.locator(".jsb-live .jsb-state")
    expect(picture).to_have_text("● live")
    lab.wait_until_idle()
    lab.page.evaluate(f"() => {{ void ({kernel})().restart(); }}")
    expect(empty).to_contain_text("The kernel ended, and its sandboxes with it")
    expect(picture).to_have_text("the kernel ended, and the sandbox with it")
    lab.wait_until_idle()
    begin_again(lab)
    expect(picture).to_have_text("● live")
    lab.cell("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    expect(empty).to_contain_text("%load_ext jupyter_sandbox")
    expect(picture).to_have_text("the kernel ended, and the sandbox with it")
    lab.page.get_by_role("dialog").get_by_role("button", name="Ok").click()
    lab.wait_until_idle()
    begin_again(lab)
    expect(lab.row("shop")).to_contain_text("running")


def test_a_kernel_that_another_page_restarts_takes_its_sandboxes_along_and_that_is_said(
    notebook: Open, lab_url: str
) -> None:
    lab = started(notebook)
    lab.wait_until_idle()
    kernel = lab.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.id")
    lab.page.request.post(f"{lab_url}/api/kernels/{kernel}/restart", headers={"Authorization": f"token {TOKEN}"})
    expect(lab.panel.locator(".jp-Sandbox-empty")).to_contain_text("%load_ext jupyter_sandbox")
    expect(lab.page.locator(".jsb-live .jsb-state")).not_to_have_text("● live")
    lab.altered = True  # Lab itself asks no more for how such a kernel is


def begin_again(lab: Any) -> None:
    lab.select_cell(0)
    for _ in range(3):
        lab.run_cell()
    expect(lab.item("walker")).to_be_attached()


def test_a_notebook_that_is_closed_and_opened_again_shows_one_picture_and_it_lives(notebook: Open) -> None:
    lab = started(notebook)
    step = lab.page.locator(".jsb-live .jsb-step")
    expect(step).to_have_count(1)
    lab.wait_until_idle()
    path = lab.page.evaluate("() => window.jupyterapp.shell.currentWidget.context.path")
    lab.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    lab.execute("application:close")
    expect(lab.panel.locator(".jp-Sandbox-empty")).to_contain_text("Open a notebook")
    lab.execute("docmanager:open", path=path)
    expect(lab.item("walker")).to_be_attached()
    expect(step).to_have_count(1)
    before = step.text_content()
    expect(step).not_to_have_text(before or "")


def test_a_copy_of_a_notebook_with_a_kernel_of_its_own_shows_the_saved_picture(notebook: Open) -> None:
    lab = started(notebook)
    expect(lab.page.locator(".jsb-live")).to_have_count(1)
    lab.wait_until_idle()
    lab.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    copy = """async () => {
        const app = window.jupyterapp, contents = app.serviceManager.contents;
        return (await contents.copy(app.shell.currentWidget.context.path, '')).path;
    }"""
    lab.execute("docmanager:open", path=lab.page.evaluate(copy))
    shown = lab.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
    expect(lab.panel.locator(".jp-Sandbox-empty")).to_contain_text("%load_ext jupyter_sandbox")
    lab.wait_until_idle()
    expect(shown.locator(".jsb-inline")).to_be_visible()
    expect(lab.page.locator(".jsb-live")).to_have_count(1)
    expect(shown.locator(".jsb-live")).to_have_count(0)


def test_a_picture_that_came_through_a_notebook_that_is_closed_is_not_called_live(
    notebook: Open, tmp_path: Path
) -> None:
    lab = started(notebook)
    lab.wait_until_idle()
    lab.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    before, kernel = lab.page.evaluate(
        """() => {
            const { context, sessionContext } = window.jupyterapp.shell.currentWidget;
            return [context.path, sessionContext.session.kernel.id];
        }"""
    )
    second = f"{tmp_path.name}-second.ipynb"
    lab.page.evaluate(
        "([path, id]) => window.jupyterapp.serviceManager.sessions.startNew("
        "{ path, name: path, type: 'notebook', kernel: { id } })",
        [second, kernel],
    )
    notebook("%sandbox tree shop", name=second)
    expect(lab.panel.locator(".jp-Sandbox-kernel")).to_contain_text("second")
    lab.wait_until_idle()
    shown = lab.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
    lab.run_cell()
    expect(shown.locator(".jsb-state")).to_have_text("● live")
    lab.page.evaluate(
        """path => { for (const widget of Array.from(window.jupyterapp.shell.widgets('main'))) {
            if (widget.context?.path === path) widget.dispose();
        } }""",
        before,
    )
    expect(shown.locator(".jsb-state")).to_contain_text("no longer live")


def test_after_a_restart_the_panel_shows_nothing_of_the_os_process_before(notebook: Open) -> None:
    lab = started(notebook, "%sandbox pause shop", "%sandbox back shop")
    lab.run_cell()
    expect(lab.row("shop")).to_contain_text("paused")
    lab.press("Step")
    steps = lab.panel.locator(".jp-Sandbox-step")
    expect(steps).to_have_count(1)
    step = steps.text_content() or ""
    lab.run_cell()
    expect(steps).not_to_have_text(step)
    expect(steps).to_have_count(1)
    lab.panel.get_by_role("toolbar", name="Sandbox", exact=True).get_by_role("button", name="Restart").click()
    expect(lab.row("shop")).to_contain_text("running")
    expect(lab.panel.locator(".jp-Sandbox-step")).to_have_count(0)


def test_what_a_process_that_took_the_place_of_another_did_is_looked_at_anew(notebook: Open) -> None:
    lab = started(notebook, '%sandbox call shop front ("add", "x")')
    tree = lab.panel.get_by_role("tree")
    tree.focus()
    tree.press("f")
    tree.press("Enter")
    events = lab.panel.locator(".jp-Sandbox-inspector .jp-Sandbox-lines ol")
    expect(events.last).to_contain_text("process_spawn")
    before = events.last.text_content() or ""
    lab.run_cell()
    expect(events.last).not_to_have_text(before)
    expect(events.last).to_contain_text("process_spawn")  # nothing is told of who is gone, until it is looked at anew


def test_why_something_could_not_be_done_to_a_process_is_said_and_stays(notebook: Open) -> None:
    lab = started(notebook)
    lab.press("Pause")
    expect(lab.row("shop")).to_contain_text("paused")
    tree = lab.panel.get_by_role("tree")
    tree.focus()
    tree.press("f")
    tree.press("Enter")
    lab.panel.locator(".jp-Sandbox-inspector").get_by_role("button", name="Suspend", exact=True).click()
    expect(lab.panel.locator(".jp-Sandbox-remark")).to_contain_text("%sandbox resume shop")
    lab.page.wait_for_timeout(500)
    expect(lab.panel.locator(".jp-Sandbox-remark")).to_contain_text("%sandbox resume shop")


BUSY = """%%sandbox exec shop
import os, time
print("busy in", os.getcwd(), flush=True)
while not os.path.exists("let go"): time.sleep(0.01)
"""


def test_a_sandbox_that_is_busy_with_a_callback_is_said_to_answer_later(notebook: Open) -> None:
    lab = started(notebook, "%sandbox limits shop --handler-budget 100000", BUSY)
    lab.run_cell()
    lab.run_cell()
    printed = lab.page.locator(".jp-OutputArea-output", has_text="busy in")
    expect(printed).to_be_attached()
    folder = (printed.text_content() or "").removeprefix("busy in").strip()
    lab.press("Pause")
    remark = lab.panel.locator(".jp-Sandbox-remark")
    expect(remark).to_contain_text("answers when the callback that runs now is done")
    (Path(folder) / "let go").touch()
    expect(lab.row("shop")).to_contain_text("paused")
    expect(remark).to_be_hidden()


def test_unloading_the_extension_empties_the_panel_and_loading_it_again_fills_it(notebook: Open) -> None:
    lab = started(notebook, "%unload_ext jupyter_sandbox", "%load_ext jupyter_sandbox\n%sandbox create mill")
    lab.run_cell()
    expect(lab.panel.locator(".jp-Sandbox-empty")).to_contain_text("%load_ext jupyter_sandbox")
    lab.run_cell()
    expect(lab.row("mill")).to_be_visible()


TRICKY = """%%sandbox module shop tricky
from jupyter_sandbox.otp import Child, GenServer, Supervisor

class Price(GenServer):
    def init(self, price):
        return price

class Shop(Supervisor):
    strategy = "one_for_one"

    def init(self, _):
        return [Child(Price, "$\\\\frac{5}{6}$", name="txt\\u202eexe")]
"""
FORMULA = "from IPython.display import HTML\nHTML('$x^2$')"


def test_names_are_not_turned_round_and_prices_are_no_formulas(notebook: Open) -> None:
    lab = notebook(LOAD, TRICKY, "%sandbox start shop tricky.Shop", "%sandbox ps shop", FORMULA)
    for _ in range(5):
        lab.run_cell()
    expect(lab.item("txt")).to_contain_text("txt\\u202eexe")
    # Lab sets one output after the other: when the formula stands, what came before has been looked at.
    expect(lab.page.locator("mjx-container")).to_have_count(1)
    expect(lab.page.locator(".jp-OutputArea-output table", has_text="Price")).to_contain_text("frac{5}{6}$")
    tree = lab.panel.get_by_role("tree")
    tree.focus()
    tree.press("End")
    tree.press("Enter")
    inspector = lab.panel.locator(".jp-Sandbox-inspector")
    expect(inspector).to_contain_text("txt\\u202eexe")
    inspector.get_by_role("button", name="Kill").click()
    expect(lab.item("txt")).to_contain_text("1 restart")


def test_what_the_readme_shows(notebook: Open, screenshots: Path) -> None:
    cells = [LOAD, BUSY_CELL, START, '%sandbox call shop front "next"', '%sandbox call shop front ("add", "x")',
             "%sandbox why shop front", '%sandbox pause shop\n%sandbox send shop walker "hurry"',
             "%sandbox step shop 3", SPIN]  # fmt: skip
    lab = notebook(*cells, name="01-first-sandbox.ipynb")
    for number in range(1, len(cells)):
        lab.run_cell()
        # One after the other: a cell that fails takes those with it that wait behind it.
        expect(lab.page.locator(".jp-InputArea-prompt", has_text=f"[{number}]:")).to_be_attached()
    expect(lab.panel.locator(".jp-Sandbox-step").first).to_be_visible()
    lab.widen(420)
    lab.run_cell()
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        lab.theme(theme)
        lab.page.screenshot(path=screenshots / f"lab-{theme.split()[1].lower()}.png")
