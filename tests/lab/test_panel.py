"""The panel against a stand-in of the kernel's side: what it shows, what it asks, and how it is reached."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import expect

LOAD = "%load_ext fake_panel_kernel"
SPIN = "while not fake.requests.count('stop'): pass"
Open = Callable[..., Any]


def loaded(notebook: Open, *cells: str) -> Any:
    """A notebook whose first cell has loaded the stand-in, so that the panel shows its sandbox."""
    lab = notebook(LOAD, *cells)
    lab.run_cell()
    lab.row("shop").wait_for()
    return lab


def test_before_the_extension_is_loaded_the_panel_says_what_to_type(notebook: Open) -> None:
    lab = notebook("1")
    expect(lab.panel.locator(".jp-Sandbox-empty code")).to_have_text("%load_ext jupyter_sandbox")


def test_a_kernel_without_the_extension_is_asked_nothing(notebook: Open) -> None:
    lab = notebook("1", "from fake_panel_kernel import FakeKernel", "print('done')")
    for _ in range(3):
        lab.run_cell()
    expect(lab.page.locator(".jp-OutputArea-output", has_text="done")).to_be_visible()
    assert "sandbox_request" not in "".join(lab.errors)


def test_the_panel_goes_live_when_the_extension_is_loaded_and_draws_the_tree(notebook: Open) -> None:
    lab = notebook(LOAD)
    lab.run_cell()
    expect(lab.row("shop")).to_contain_text("running")
    expect(lab.panel.get_by_role("tree")).to_be_attached()
    expect(lab.panel.get_by_role("treeitem")).to_have_count(7)
    expect(lab.item("front")).to_have_attribute("aria-level", "2")
    expect(lab.panel.get_by_role("meter", name="Memory")).to_have_attribute("aria-valuetext", "12.4 MB of 50 MB")
    lab.page.wait_for_function(
        """() => { const canvas = document.querySelector('.jp-Sandbox-tree canvas');
                   const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
                   return data.filter((value, index) => index % 4 === 3 && value > 0).length > 1000; }"""
    )


def test_pause_step_resume_and_stop_work_while_a_cell_spins(notebook: Open) -> None:
    lab = loaded(notebook, SPIN)
    lab.run_cell()
    lab.press("Pause")
    expect(lab.row("shop")).to_contain_text("paused")
    lab.press("Step")
    step = lab.panel.locator(".jp-Sandbox-step")
    expect(step).to_contain_text("front handled call 'next' from <0.9.0>")
    expect(step).to_contain_text("state 0 → 1")
    expect(lab.item("front")).to_contain_text("state 1")
    lab.press("Resume")
    expect(lab.row("shop")).to_contain_text("running")
    lab.press("Stop")
    expect(lab.row("shop")).to_contain_text("stopped")


def test_kill_asks_first_and_then_forgets_the_sandbox(notebook: Open) -> None:
    lab = notebook(LOAD)
    lab.run_cell()
    lab.press("Kill")
    lab.page.get_by_role("dialog").get_by_role("button", name="Kill").click()
    expect(lab.row("shop")).to_have_count(0)
    expect(lab.panel.locator(".jp-Sandbox-empty")).to_contain_text("No sandbox yet")


def test_the_tree_is_walked_with_the_keyboard_and_a_process_looked_at(notebook: Open) -> None:
    lab = notebook(LOAD)
    lab.run_cell()
    tree = lab.panel.get_by_role("tree")
    expect(lab.item("front")).to_be_attached()
    tree.focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowDown", "ArrowLeft"):
        tree.press(key)
    expect(lab.item("stock")).to_have_attribute("aria-expanded", "false")
    expect(lab.panel.get_by_role("treeitem")).to_have_count(4)
    tree.press("ArrowRight")
    expect(lab.panel.get_by_role("treeitem")).to_have_count(7)
    tree.press("f")
    tree.press("Enter")
    inspector = lab.panel.locator(".jp-Sandbox-inspector")
    expect(inspector).to_contain_text("front")
    expect(inspector).to_contain_text("('add', 1)")
    expect(inspector).to_contain_text("and 5 more")
    expect(lab.item("front")).to_have_attribute("aria-selected", "true")


def test_a_process_that_is_picked_is_told_of_in_sight(notebook: Open) -> None:
    lab = loaded(notebook, "fake.fan(12)")
    lab.run_cell()
    expect(lab.item("c11")).to_be_attached()
    detail, inspector = lab.panel.locator(".jp-Sandbox-detail"), lab.panel.locator(".jp-Sandbox-inspector")
    lab.panel.locator(".jp-Sandbox-isolation summary").click()
    tree = lab.panel.get_by_role("tree")
    tree.focus()
    tree.press("c")
    tree.press("Enter")
    expect(inspector).to_contain_text("any message")
    lab.page.wait_for_function(
        """() => {
            const bottom = name => document.querySelector(name).getBoundingClientRect().bottom;
            return bottom('.jp-Sandbox-facts') <= bottom('.jp-Sandbox-detail') + 1;
        }"""
    )
    assert lab.panel.locator(".jp-mod-processes").bounding_box()["y"] >= detail.bounding_box()["y"] - 1


def test_whoever_opens_the_panel_is_in_it_with_the_keyboard(notebook: Open) -> None:
    lab = notebook(LOAD)
    lab.run_cell()
    expect(lab.row("shop")).to_contain_text("running")
    lab.execute("jupyter-sandbox:open")
    expect(lab.row("shop")).to_be_focused()
    lab.page.keyboard.press("Tab")
    lab.page.keyboard.press("Space")
    expect(lab.row("shop")).to_contain_text("paused")


def test_a_process_is_suspended_unsuspended_and_killed_from_the_inspector(notebook: Open) -> None:
    lab = notebook(LOAD)
    lab.run_cell()
    expect(lab.item("front")).to_be_attached()
    lab.panel.locator(".jp-Sandbox-tree").click(position={"x": 100, "y": 36})
    inspector = lab.panel.locator(".jp-Sandbox-inspector")
    expect(inspector).to_contain_text("front")
    inspector.get_by_role("button", name="Suspend", exact=True).click()
    expect(lab.item("front")).to_contain_text("suspended")
    inspector.get_by_role("button", name="Unsuspend").click()
    expect(lab.item("front")).to_contain_text("waiting")
    inspector.get_by_role("button", name="Kill").click()
    expect(lab.item("front")).to_contain_text("1 restart")
    expect(lab.panel.locator(".jp-Sandbox-alert")).to_contain_text("killed, restarted 1 of 3 in 5 s")


def test_the_panel_is_live_again_after_a_reload_while_a_cell_spins(notebook: Open) -> None:
    lab = loaded(notebook, SPIN)
    lab.run_cell()
    lab.reload()
    expect(lab.row("shop")).to_contain_text("running")
    lab.press("Stop")
    expect(lab.row("shop")).to_contain_text("stopped")


def test_the_panel_never_polls(notebook: Open) -> None:
    lab = loaded(notebook, "fake.churn(2)", "print('asked', fake.requests)")
    lab.run_cell()
    lab.run_cell()
    expect(lab.page.locator(".jp-OutputArea-output", has_text="asked []")).to_be_visible()


def test_missed_events_are_asked_for_again_once(notebook: Open) -> None:
    lab = loaded(notebook, "fake.seq += 5; fake.set_status('shop', 'paused')", "print('asked', fake.requests)")
    lab.run_cell()
    expect(lab.row("shop")).to_contain_text("paused")
    # Cells take another channel than requests do: when a later request has come, so has every earlier one.
    lab.press("Resume")
    expect(lab.row("shop")).to_contain_text("running")
    lab.run_cell()
    expect(lab.page.locator(".jp-OutputArea-output", has_text="asked ['hello', 'resume']")).to_be_visible()


FLOOD = """import time
for _ in range(1_000):
    print("x" * 20_000)
    time.sleep(0.003)
fake.change("shop", "shop/front", queue=77)
"""


def test_a_cell_that_prints_more_than_the_server_lets_through_leaves_the_panel_true(notebook: Open) -> None:
    lab = loaded(notebook, FLOOD)
    lab.run_cell()
    expect(lab.page.get_by_text("rate exceeded").first).to_be_attached()
    expect(lab.item("front")).to_contain_text("77")
    expect(lab.row("shop")).to_contain_text("running")


def test_the_run_time_goes_on_while_nothing_changes_and_nobody_asks(notebook: Open) -> None:
    lab = notebook(LOAD, "print('asked', fake.requests)", "fake.set_status('shop', 'stopped')")
    lab.run_cell()
    meter = lab.panel.get_by_role("meter", name="Run time")
    expect(meter).to_have_attribute("aria-valuetext", re.compile("^4:.. of 5:00"))
    # Each second is shown for a second only, and may be gone before somebody looks.
    for least_s in (254, 255):
        lab.page.wait_for_function(
            "least => Number(document.querySelector('[role=meter][aria-label=\"Run time\"]').ariaValueNow) >= least",
            arg=least_s,
        )
    lab.run_cell()
    expect(lab.page.locator(".jp-OutputArea-output", has_text="asked []")).to_be_visible()
    lab.run_cell()
    expect(meter).to_have_attribute("aria-valuetext", "4:12 of 5:00")


def test_the_isolation_is_told_in_short_and_unfolds_to_the_whole(notebook: Open) -> None:
    lab = notebook(LOAD)
    lab.run_cell()
    isolation = lab.panel.locator(".jp-Sandbox-isolation")
    whole = isolation.get_by_text("Not stopped: reading files; the network")
    expect(whole).to_be_hidden()
    lab.wait_until_idle()  # until then the panel fills, and what is clicked moves away
    isolation.get_by_text("Isolation: standard (net)", exact=True).click()
    expect(whole).to_be_visible()
    expect(isolation.get_by_text("no_new_privs ✓")).to_be_visible()


def test_a_root_with_a_thousand_children_is_in_sight_until_the_user_scrolls(notebook: Open) -> None:
    lab = notebook(LOAD, "fake.fan(1000)", "fake.fan(1100)")
    lab.run_cell()
    tree = lab.panel.locator(".jp-Sandbox-tree")
    lab.widen(640)
    expect(tree).to_have_attribute("data-shape", "tidy")
    from_middle = """node => node.scrollTop + node.clientHeight / 2
                             - node.querySelector('.jp-Sandbox-treeSpace').offsetHeight / 2"""
    lab.run_cell()
    expect(lab.item("c1")).to_be_attached()
    assert abs(tree.evaluate(from_middle)) < 40
    tree.evaluate("node => node.scrollTo(0, 500)")
    lab.run_cell()
    expect(lab.item("c1")).to_have_attribute("aria-setsize", "1100")
    assert tree.evaluate("node => node.scrollTop") == 500


def test_unloading_the_extension_empties_the_panel(notebook: Open) -> None:
    lab = loaded(notebook, "%unload_ext fake_panel_kernel")
    lab.run_cell()
    expect(lab.panel.locator(".jp-Sandbox-empty code")).to_have_text("%load_ext jupyter_sandbox")


def test_a_failed_request_is_told_in_words(notebook: Open) -> None:
    lab = loaded(notebook)
    lab.press("Restart")
    expect(lab.panel.get_by_role("alert")).to_have_text("restart: verb 'restart' is not known")


def test_every_action_is_a_command_of_the_palette(notebook: Open) -> None:
    lab = loaded(notebook)
    lab.execute("apputils:activate-command-palette")
    palette = lab.page.locator("#modal-command-palette")
    palette.get_by_role("textbox").fill("Pause Sandbox")
    palette.locator(".lm-CommandPalette-item").filter(has_text=re.compile("Pause Sandbox")).first.click()
    expect(lab.row("shop")).to_contain_text("paused")


def test_thousands_of_processes_are_drawn_within_a_frame_or_two(notebook: Open) -> None:
    lab = loaded(notebook, "fake.grow(5000)")
    lab.run_cell()
    expect(lab.item("root")).to_be_attached()
    height = lab.page.evaluate("() => document.querySelector('.jp-Sandbox-treeSpace').offsetHeight")
    assert height > 100_000
    # Whatever the size of the tree, the page holds the items around the active one only.
    assert lab.panel.get_by_role("treeitem").count() <= 201


def test_a_change_of_one_of_thousands_of_processes_measures_no_name_again(notebook: Open) -> None:
    lab = loaded(notebook, "fake.grow(5000)", "fake.change('shop', 'root/p1', queue=77)")
    lab.altered = True
    lab.run_cell()
    expect(lab.item("p1")).to_be_attached()
    lab.page.evaluate(
        """() => {
            const pen = CanvasRenderingContext2D.prototype, { measureText } = pen;
            window.measured = 0;
            pen.measureText = function (text) { window.measured++; return measureText.call(this, text); };
        }"""
    )
    lab.run_cell()
    expect(lab.item("p1")).to_contain_text("77")
    # Only for what is drawn: forty lines at most, each with a text or two that are to be cut.
    assert lab.page.evaluate("measured") < 2_000


def test_a_wide_panel_shows_a_tidy_tree_and_a_narrow_one_an_outline(notebook: Open, screenshots: Path) -> None:
    lab = notebook(LOAD)
    lab.run_cell()
    tree = lab.panel.locator(".jp-Sandbox-tree")
    expect(tree).to_have_attribute("data-shape", "outline")
    lab.widen(640)
    expect(tree).to_have_attribute("data-shape", "tidy")
    lab.page.screenshot(path=screenshots / "panel-wide.png")


def test_settings_hide_sections(notebook: Open) -> None:
    lab = notebook(LOAD)
    lab.run_cell()
    expect(lab.panel.get_by_role("region", name="Limits in use")).to_be_visible()
    lab.set_setting("sections", {"limits": False})
    expect(lab.panel.get_by_role("region", name="Limits in use")).to_be_hidden()
    lab.set_setting("sections", {"limits": True})
    expect(lab.panel.get_by_role("region", name="Limits in use")).to_be_visible()


def test_the_panel_follows_the_notebook_the_user_is_in(notebook: Open) -> None:
    lab = loaded(notebook)
    first = lab.panel.locator(".jp-Sandbox-kernel").text_content()
    lab.page.evaluate("() => window.jupyterapp.commands.execute('notebook:create-new', {kernelName: 'python3'})")
    expect(lab.panel.locator(".jp-Sandbox-kernel")).to_contain_text("Untitled")
    expect(lab.panel.locator(".jp-Sandbox-empty")).to_be_visible()
    lab.page.get_by_role("tab", name=first).first.click()
    expect(lab.row("shop")).to_be_visible()


def test_a_process_looked_at_in_one_notebook_is_not_in_another(notebook: Open) -> None:
    lab = loaded(notebook)
    first = lab.panel.locator(".jp-Sandbox-kernel").text_content()
    expect(lab.item("front")).to_be_attached()
    lab.panel.locator(".jp-Sandbox-tree").click(position={"x": 100, "y": 36})
    inspector = lab.panel.locator(".jp-Sandbox-inspector")
    expect(inspector).to_contain_text("front")
    lab.page.evaluate("() => window.jupyterapp.commands.execute('notebook:create-new', {kernelName: 'python3'})")
    expect(lab.panel.locator(".jp-Sandbox-empty")).to_be_visible()
    lab.wait_until_idle()
    lab.cell(LOAD)
    expect(lab.item("front")).to_be_attached()
    expect(inspector).to_be_hidden()
    lab.page.get_by_role("tab", name=first).first.click()
    expect(inspector).to_contain_text("front")


FAINT = """panel => {
    const pen = new OffscreenCanvas(1, 1).getContext("2d");
    const seen = colours => {  // one over the other, the lowest first
        colours.forEach(one => { pen.fillStyle = one; pen.fillRect(0, 0, 1, 1); });
        const parts = [...pen.getImageData(0, 0, 1, 1).data].map(part => part / 255);
        const [red, green, blue] = parts.map(part => part <= 0.04 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
        return 0.05 + 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const faint = node => {
        const grounds = ["white"];
        for (let above = node; above; above = above.parentElement) {
            grounds.splice(1, 0, getComputedStyle(above).backgroundColor);
        }
        const [text, ground] = [seen([...grounds, getComputedStyle(node).color]), seen(grounds)];
        return Math.max(text, ground) / Math.min(text, ground) < 4.5;
    };
    const words = node => [...node.childNodes].some(one => one.nodeType === Node.TEXT_NODE && one.data.trim());
    const told = [...panel.querySelectorAll(":not([aria-disabled=true], .jp-Sandbox-glyph, [role=treeitem])")];
    return told.filter(node => node.checkVisibility() && words(node) && faint(node)).map(node => node.outerHTML);
}"""
"""Texts that are hard to read, by the measure of WCAG."""


def test_the_panel_in_light_and_dark(notebook: Open, screenshots: Path) -> None:
    lab = notebook(LOAD, SPIN)
    lab.run_cell()
    expect(lab.item("front")).to_be_attached()
    lab.press("Pause")
    lab.press("Step")
    lab.press("Step")
    lab.panel.locator(".jp-Sandbox-tree").click(position={"x": 100, "y": 36})
    inspector = lab.panel.locator(".jp-Sandbox-inspector")
    expect(inspector).to_contain_text("any message")
    inspector.get_by_role("button", name="Kill", exact=True).click()
    expect(lab.panel.locator(".jp-Sandbox-alert")).to_be_attached()
    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        lab.theme(theme)
        lab.page.screenshot(path=screenshots / f"panel-{theme.split()[1].lower()}.png")
        assert lab.panel.evaluate(FAINT) == []
    colours = lab.panel.evaluate("node => [getComputedStyle(node).color, getComputedStyle(node).backgroundColor]")
    assert colours[0] != colours[1]
