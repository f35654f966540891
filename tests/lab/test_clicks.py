"""What is clicked is done to what is meant, once, whatever a cell does meanwhile; and nothing is put off."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from .test_panel import Open, loaded


def test_what_a_dialog_names_is_what_is_killed_whatever_a_cell_makes_until_it_is_answered(notebook: Open) -> None:
    lab = loaded(notebook, "fake.create('mill')", "fake.destroy('shop'); fake.create('shop')")
    lab.press("Kill")
    dialog = lab.page.get_by_role("dialog")
    expect(dialog).to_contain_text("Kill sandbox shop?")
    lab.run_cell()
    expect(lab.row("mill")).to_have_attribute("aria-selected", "true")
    dialog.get_by_role("button", name="Kill").click()
    expect(lab.row("shop")).to_have_count(0)
    expect(lab.row("mill")).to_be_visible()


def test_a_sandbox_that_took_the_name_of_another_is_not_killed_for_it(notebook: Open) -> None:
    lab = loaded(notebook, "fake.create('mill'); fake.destroy('shop'); fake.create('shop')", "print(fake.requests)")
    lab.press("Kill")
    lab.run_cell()
    expect(lab.row("mill")).to_be_visible()
    lab.page.get_by_role("dialog").get_by_role("button", name="Kill").click()
    expect(lab.panel.get_by_role("alert")).to_have_text("shop: this sandbox is gone, nothing was done.")
    lab.run_cell()
    expect(lab.page.locator(".jp-OutputArea-output", has_text="[]")).to_be_visible()


def test_a_snapshot_is_taken_of_the_sandbox_that_the_dialog_names(notebook: Open) -> None:
    lab = loaded(notebook, "fake.create('mill')", "while not fake.snapshots: pass\nprint('taken', fake.snapshots)")
    lab.press("Snapshot")
    dialog = lab.page.get_by_role("dialog")
    lab.run_cell()
    expect(lab.row("mill")).to_have_attribute("aria-selected", "true")
    dialog.get_by_role("textbox").fill("before")
    dialog.get_by_role("button", name="Take Snapshot").click()
    expect(lab.row("shop")).to_have_attribute("aria-selected", "true")
    lab.run_cell()
    expect(lab.page.locator(".jp-OutputArea-output", has_text="taken [('shop', 'before')]")).to_be_visible()


def test_whoever_acts_on_a_sandbox_has_chosen_it(notebook: Open) -> None:
    lab = loaded(notebook, "fake.create('mill')")
    lab.press("Pause")
    expect(lab.row("shop")).to_contain_text("paused")
    lab.run_cell()
    expect(lab.row("mill")).to_be_visible()
    lab.press("Resume")
    expect(lab.row("shop")).to_contain_text("running")


def test_two_clicks_kill_one_process(notebook: Open) -> None:
    lab = loaded(
        notebook, "fake.gate.clear()", "fake.gate.set()", "print('asked', fake.requests.count('kill_process'), 'time')"
    )
    expect(lab.item("front")).to_be_attached()
    lab.panel.locator(".jp-Sandbox-tree").click(position={"x": 100, "y": 36})
    inspector = lab.panel.locator(".jp-Sandbox-inspector")
    expect(inspector).to_contain_text("any message")
    lab.run_cell()
    expect(lab.page.locator(".jp-InputArea-prompt", has_text="[2]:")).to_be_attached()
    inspector.get_by_role("button", name="Kill").dblclick()
    lab.run_cell()
    expect(lab.item("front")).to_contain_text("1 restart")
    expect(inspector).to_contain_text("any message")
    lab.run_cell()
    expect(lab.page.locator(".jp-OutputArea-output", has_text="asked 1 time")).to_be_visible()


def test_without_a_connection_the_panel_says_so_and_nothing_is_put_off(notebook: Open) -> None:
    lab = loaded(notebook, "print('asked', fake.requests)")
    said = lab.panel.get_by_text("No connection to the kernel: this is how it was when there was one.")
    pause = lab.panel.get_by_role("button", name="Pause", exact=True)
    expect(said).to_be_hidden()
    lab.altered = True  # Lab itself tells that it has no connection
    lab.page.context.set_offline(True)
    try:
        lab.page.evaluate(
            "() => { void window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.reconnect(); }"
        )
        expect(said).to_be_visible()
        expect(pause).to_have_attribute("aria-disabled", "true")
    finally:
        lab.page.context.set_offline(False)
    expect(said).to_be_hidden()
    expect(pause).to_have_attribute("aria-disabled", "false")
    lab.run_cell()
    expect(lab.page.locator(".jp-OutputArea-output", has_text="asked ['hello']")).to_be_visible()
    lab.errors.clear()


CRASH = """def crash(*numbers):
    for n in numbers:
        facts = {"level": "error", "process": "shop/front", "traceback": ["Error"] * 3}
        fake.tell("notice", name="shop", text=f"crash {n}", **facts)
"""


def looked_at_front(lab: Any) -> Any:
    """The inspector, with ``front`` in it."""
    expect(lab.item("front")).to_be_attached()
    lab.panel.locator(".jp-Sandbox-tree").click(position={"x": 100, "y": 36})
    inspector = lab.panel.locator(".jp-Sandbox-inspector")
    expect(inspector).to_contain_text("any message")
    return inspector


def happens(lab: Any, code: str) -> None:
    """In the kernel, while mouse and focus stay where they are: a cell that is run takes the focus."""
    lab.page.evaluate(
        "code => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute({ code }).done",
        code,
    )


def test_what_is_pressed_stays_where_it_is_until_it_is_let_go(notebook: Open) -> None:
    lab = loaded(notebook)
    isolation = lab.panel.locator(".jp-Sandbox-isolation")
    isolation.locator("summary").hover()
    lab.page.mouse.down()
    happens(lab, CRASH + "crash(1, 2, 3)")
    lab.page.wait_for_timeout(400)  # longer than between two redraws: nothing is to happen
    lab.page.mouse.up()
    expect(isolation.get_by_text("Not stopped:")).to_be_visible()
    expect(lab.panel.locator(".jp-Sandbox-alert")).to_have_count(3)


def test_an_alert_that_is_read_stays_in_sight_and_unfolded_while_others_come(notebook: Open) -> None:
    lab = loaded(notebook)
    happens(lab, CRASH + "crash(*range(60))")
    read = lab.panel.locator(".jp-Sandbox-alert", has_text="crash 59")
    read.locator("summary").click()
    read.locator("pre").evaluate("node => getSelection().selectAllChildren(node)")
    before = read.bounding_box()
    happens(lab, "crash(60, 61, 62)")
    expect(lab.panel.locator(".jp-Sandbox-alert", has_text="crash 62")).to_be_attached()
    assert read.bounding_box()["y"] == pytest.approx(before["y"], abs=2)
    assert read.locator("details").evaluate("node => node.open")
    assert lab.page.evaluate("String(getSelection())") == "Error\nError\nError"
    expect(read.locator("summary")).to_be_focused()


def test_changes_leave_what_is_selected_of_a_process(notebook: Open) -> None:
    lab = loaded(notebook)
    inspector = looked_at_front(lab)
    inspector.locator("dd", has_text="<0.2.0>").evaluate("node => getSelection().selectAllChildren(node)")
    happens(lab, "fake.change('shop', 'shop/front', queue=77)")
    expect(inspector).to_contain_text("77")
    assert lab.page.evaluate("String(getSelection())") == "<0.2.0>"


def test_the_keyboard_stays_in_the_panel_when_what_it_was_at_is_gone(notebook: Open) -> None:
    lab = loaded(notebook)
    inspector = looked_at_front(lab)
    inspector.get_by_role("button", name="Kill").focus()
    happens(lab, "del fake.trees['shop']['shop/front']; fake.tell('tree', name='shop', tree=fake.tree('shop'))")
    expect(inspector).to_be_hidden()
    expect(lab.panel.get_by_role("tree")).to_be_focused()
    lab.panel.get_by_role("button", name="Pause", exact=True).focus()
    happens(lab, "fake.destroy('shop')")
    expect(lab.panel).to_be_focused()
