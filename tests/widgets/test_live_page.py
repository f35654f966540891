"""The live tree in a real page: what is drawn, what the keyboard does, what a screen reader finds, what is left."""

from __future__ import annotations

import functools
import http.server
import json
import shutil
import threading
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
from playwright.sync_api import Page, expect

import jupyter_sandbox.widgets
from jupyter_sandbox.model.views import ProcessView, TreeDiff, TreeView
from jupyter_sandbox.widgets.layout import tidy
from jupyter_sandbox.widgets.live import LiveTree
from jupyter_sandbox.widgets.picture import TreePicture

from ..chromium import MISSING, WHY, chromium
from ..waiting import until

pytestmark = [
    pytest.mark.xdist_group("page"),
    pytest.mark.skipif(MISSING, reason=WHY),
]


def fan(size: int) -> TreeView:
    """A supervisor with so many children."""
    shop = ProcessView("shop", "<0.1.0>", "shop", "supervisor", "counter.Shop", "waiting")
    children = (
        ProcessView(f"shop/{n}", f"<0.{n + 2}.0>", str(n), "worker", "counter.Counter", "waiting", "shop")
        for n in range(size)
    )
    return TreeView("shop", 1, 0, (shop, *children))


# A model as anywidget gives it, and the static picture that the live one is to mount itself over.
PAGE = """<!doctype html><meta charset="utf-8"><body data-jp-theme-light="true">STATIC
<script type="module">
import widget, { tidy } from "./live.js";
const state = TREE, handlers = {};
const on = name => (handlers[name] ??= []);
const signal = name => ({
  connect: f => on(name).push(f),
  disconnect: f => { handlers[name] = on(name).filter(g => g !== f); },
});
const kernel = {
  id: "one", isDisposed: false, connectionStatus: "connected",
  iopubMessage: signal("iopub"), statusChanged: signal("kernel"), connectionStatusChanged: signal("connection"),
};
const model = {
  get: key => state[key],
  set(key, value) { state[key] = value; on(`change:${key}`).slice().forEach(f => f()); },
  on: (name, f) => on(name).push(f),
  off: (name, f) => { handlers[name] = on(name).filter(g => g !== f); },
  send: message => window.sent.push(message),
  widget_manager: { kernel },
};
Object.assign(window, { sent: [], tidy, handlers, model, kernel,
  connection: (status, isDisposed = false) => {
    Object.assign(kernel, { connectionStatus: status, isDisposed });
    on("connection").slice().forEach(f => f(null, status));
  },
  push: message => on("msg:custom").slice().forEach(f => f(message)) });
window.close_ = widget.initialize({ model });
window.again = () => widget.initialize({ model: { ...model, get: key => key === "status" ? "again" : state[key] } });
window.ready = true;
</script>"""


class Files(http.server.SimpleHTTPRequestHandler):
    extensions_map: ClassVar[dict[str, str]] = {".js": "text/javascript", ".html": "text/html"}

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Any, tmp_path: Path, tree: TreeView) -> Iterator[Page]:
    """A page with the live tree; it must not say an error or ask for anything elsewhere."""
    source = Path(jupyter_sandbox.widgets.__file__).with_name("live.js")
    shutil.copy(source, tmp_path)
    static = TreePicture(tree)._html("mark")
    state = json.dumps({"tree": asdict(tree), "frozen": "", "anchor": "mark"}).replace("</", "<\\/")
    (tmp_path / "page.html").write_text(PAGE.replace("STATIC", static).replace("TREE", state))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Files, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    page, problems, asked = browser.new_page(viewport={"width": 900, "height": 700}), [], []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"http://127.0.0.1:{server.server_port}/page.html")
    page.wait_for_function("window.ready && document.querySelector('.jsb-step').textContent")
    yield page
    page.close()
    server.shutdown()
    server.server_close()
    assert [problem for problem in problems if "favicon" not in problem and "404" not in problem] == []
    assert all(url.startswith(("http://127.0.0.1:", "data:", "blob:")) for url in asked)


def told(page: Page, tree: TreeView, *changed: ProcessView, removed: tuple[str, ...] = ()) -> None:
    diff = asdict(TreeDiff(tree.sandbox, tree.step + 1, 0, changed, removed))
    page.evaluate("diff => push({ type: 'diff', diff })", diff)


def test_the_live_tree_takes_the_place_of_the_static_one(page: Page) -> None:
    assert page.locator(".jsb-live canvas").is_visible()
    assert not page.locator(".jsb-inline").is_visible()


def test_a_screen_reader_finds_every_process(page: Page, tree: TreeView) -> None:
    items = page.locator("[role=treeitem]")
    assert items.count() == len(tree.processes)
    assert items.nth(1).inner_text() == "front, running, Counter · 42, queue 3 · ↻ 1"
    assert items.nth(1).get_attribute("aria-level") == "2"


def test_a_diff_changes_what_is_shown(page: Page, tree: TreeView) -> None:
    told(page, tree, replace(tree.processes[1], state="99", restarts=2), removed=("shop/out",))
    page.wait_for_function("document.querySelector('.jsb-step').textContent === 'step 13'")
    assert page.locator("[data-key='shop/front']").inner_text() == "front, running, Counter · 99, queue 3 · ↻ 2"
    assert page.locator("[data-key='shop/out']").count() == 0
    assert page.locator("[aria-live=polite]").inner_text() == "front was restarted"


def test_a_click_shows_a_process_and_asks_for_more(page: Page, tree: TreeView) -> None:
    place = tidy((process.key, process.parent) for process in tree.processes)["shop/front"]
    page.locator("canvas").click(position={"x": 30 + place.depth * 264, "y": 20 + place.across * 52})
    assert page.locator(".jsb-panel h3").inner_text() == "● shop/front · running"
    assert page.evaluate("sent") == [{"type": "inspect", "key": "shop/front"}]
    page.evaluate("push({ type: 'inspection', key: 'shop/front', mailbox: ['<b>one</b>'], events: ['#3 boom'] })")
    assert "<b>one</b>" in page.locator(".jsb-panel dl").inner_text()


def test_everything_can_be_done_from_the_keyboard(page: Page, tree: TreeView) -> None:
    page.keyboard.press("Tab")
    for key in ("ArrowDown", "ArrowDown", "ArrowLeft", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    assert page.evaluate("document.activeElement.textContent") == "Kill"
    page.keyboard.press("Enter")
    act = {"type": "act", "verb": "kill_process", "key": "shop/front", "pid": tree.processes[1].pid}
    assert page.evaluate("sent.at(-1)") == act
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.dataset.key") == "shop/front"
    assert page.locator(".jsb-panel").is_hidden()


def test_the_keyboard_brings_a_process_into_sight(page: Page, tree: TreeView) -> None:
    page.set_viewport_size({"width": 380, "height": 700})
    page.keyboard.press("Tab")
    left = "document.querySelector('.jsb-scroll').scrollLeft"
    assert page.evaluate(left) == 0
    page.keyboard.press("ArrowRight")
    assert page.evaluate(left) > 0
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(left) == 0


def test_a_suspended_process_is_offered_to_go_on(page: Page) -> None:
    page.locator("[data-key='shop/back']").focus()
    page.keyboard.press("Enter")
    labels = page.locator(".jsb-panel button:visible").all_inner_texts()
    assert labels == ["Kill", "Unsuspend", "Restart"]


def test_a_busy_kernel_is_said(page: Page) -> None:
    page.locator("[data-key='shop']").focus()
    page.keyboard.press("Enter")
    page.get_by_text("The kernel answers here when the running cell is done").wait_for()


def test_the_status_of_the_sandbox_is_said(page: Page) -> None:
    page.evaluate("model.set('status', 'crashed: signal 9 (SIGKILL)')")
    page.get_by_text("crashed: signal 9 (SIGKILL)").wait_for()


def test_when_the_server_left_out_messages_the_kernel_is_asked_until_it_tells_everything(page: Page) -> None:
    page.clock.install()
    hear = "([msg_type, session]) => handlers.iopub.forEach(f => f(null, { header: { msg_type, session } }))"
    for kind, session in (("status", "kernel"), ("stream", "kernel"), ("stream", "server"), ("stream", "server")):
        page.evaluate(hear, [kind, session])
    assert page.evaluate("sent") == []  # it has just begun to leave them out
    page.clock.run_for(7_000)
    assert page.evaluate("sent") == [{"type": "tell"}] * 2
    page.evaluate("push({ type: 'told' })")
    page.clock.run_for(100_000)
    assert page.evaluate("sent") == [{"type": "tell"}] * 2
    page.evaluate(hear, ["status", "the next kernel"])
    page.evaluate(hear, ["stream", "the next kernel"])
    page.clock.run_for(100_000)
    assert page.evaluate("sent.length") == 2


def test_a_frozen_tree_says_why_it_stands_still(page: Page) -> None:
    page.evaluate("model.set('frozen', 'the sandbox was destroyed')")
    page.get_by_text("the sandbox was destroyed").wait_for()


@pytest.mark.parametrize("status", ["autorestarting", "starting"])
def test_a_kernel_that_ends_is_said_and_asked_no_more(page: Page, status: str) -> None:
    page.evaluate("handlers.kernel.forEach(f => f(null, 'busy'))")
    assert page.evaluate("model.get('frozen')") == ""
    page.evaluate("status => handlers.kernel.forEach(f => f(null, status))", status)
    page.locator(".jsb-state", has_text="the kernel ended, and the sandbox with it").wait_for()
    page.locator("[data-key='shop/front']").focus()
    page.keyboard.press("Enter")
    assert page.locator(".jsb-note").inner_text() == "the kernel ended, and the sandbox with it"
    assert page.evaluate("sent") == []


def test_without_a_connection_it_says_so_and_nothing_is_put_off(page: Page) -> None:
    state, note = page.locator(".jsb-state"), page.locator(".jsb-note")
    page.locator("[data-key='shop/front']").focus()
    page.keyboard.press("Enter")
    page.evaluate("sent.length = 0")
    page.evaluate("connection('connecting')")
    expect(state).to_have_text("no connection to the kernel: this is how it was")
    page.get_by_role("button", name="Kill").click()
    expect(note).to_have_text("no connection to the kernel: this is how it was")
    page.evaluate("connection('connected')")
    expect(state).to_have_text("● live")
    expect(note).to_have_text("")
    assert page.evaluate("sent") == []
    page.get_by_role("button", name="Kill").click()
    assert [message["verb"] for message in page.evaluate("sent")] == ["kill_process"]


def test_a_model_whose_notebook_is_closed_is_not_called_live(page: Page) -> None:
    page.evaluate("connection('disconnected', true)")
    expect(page.locator(".jsb-state")).to_contain_text("no longer live")
    page.evaluate("""document.body.insertAdjacentHTML("beforeend", '<p id="copy" data-jupyter-sandbox="mark">')""")
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert page.locator("#copy .jsb-live").count() == 0


def test_over_the_picture_in_a_notebook_of_another_kernel_nothing_is_shown_until_it_has_this_one(page: Page) -> None:
    for kernel in ("", "two", "one"):
        inside = f'<div data-jupyter-sandbox-kernel="{kernel}"><p id="k{kernel}" data-jupyter-sandbox="mark">'
        page.evaluate("html => document.body.insertAdjacentHTML('beforeend', html)", inside)
    page.locator("#kone .jsb-live").wait_for()
    assert page.locator("#k .jsb-live, #ktwo .jsb-live").count() == 0
    page.evaluate("document.querySelector('#k').parentNode.dataset.jupyterSandboxKernel = 'one'")
    page.locator("#k .jsb-live").wait_for()
    assert page.locator("#ktwo .jsb-live").count() == 0


def test_a_later_model_takes_the_place_and_an_earlier_one_never_takes_it_back(page: Page) -> None:
    page.evaluate("void again()")
    page.locator(".jsb-state", has_text="again").wait_for()
    page.evaluate("""document.body.insertAdjacentHTML("beforeend", '<p id="copy" data-jupyter-sandbox="mark">')""")
    page.locator("#copy .jsb-state", has_text="again").wait_for()
    assert page.locator(".jsb-live").count() == 2
    page.evaluate("close_()")
    assert page.locator(".jsb-live").count() == 2 and not page.locator(".jsb-inline").is_visible()


def test_texts_of_a_sandbox_never_become_markup(page: Page) -> None:
    assert page.evaluate("document.querySelectorAll('.jsb-live script, .jsb-live b').length") == 0


def test_a_second_copy_of_the_output_is_live_too(page: Page) -> None:
    page.evaluate("""document.body.insertAdjacentHTML("beforeend", '<p id="copy" data-jupyter-sandbox="mark">')""")
    page.locator("#copy .jsb-live").wait_for()


def test_the_page_and_python_lay_trees_out_alike(page: Page) -> None:
    nodes = [(str(n), None if n < 2 else str((n * 7) % (n - 1))) for n in range(200)]
    there = page.evaluate("nodes => [...tidy(nodes.map(([key, parent]) => ({ key, parent })))]", nodes)
    here = tidy(nodes)
    assert dict(there).keys() == here.keys()
    for key, place in there:
        assert (place["depth"], place["across"]) == (here[key].depth, pytest.approx(here[key].across))


def test_thousands_of_processes_stay_smooth(page: Page, tree: TreeView) -> None:
    many = tuple(ProcessView(f"shop/w{n}", "<0.1.0>", f"w{n}", "worker", "m.W", "waiting", "shop") for n in range(3000))
    page.evaluate("tree => push({ type: 'tree', tree })", asdict(replace(tree, processes=tree.processes + many)))
    frame = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
    page.evaluate(frame)
    diff = asdict(TreeDiff("shop", 50, 0, (replace(many[0], state="1"),)))
    script = f"async diff => {{ const t = performance.now(); push({{ type: 'diff', diff }}); await {frame}; "
    script += "return performance.now() - t; }"
    # On a busy machine some take longer; one that is slow by itself always does.
    until(lambda: page.evaluate(script, diff) < 500, "no change is drawn within half a second")


@pytest.mark.parametrize("beside", [0, 1], ids=["a chain", "a comb"])
def test_a_tree_of_thousands_of_levels_keeps_the_page_for_a_moment(page: Page, tree: TreeView, beside: int) -> None:
    """Nobody but a hostile sandbox tells of one, again and again, and its page is where it is destroyed."""
    keys = [(f"{n}", f"{n - 1}") for n in range(12_000)] + [(f"{n}b", f"{n}") for n in range(8_000 * beside)]
    deep = tuple(ProcessView(key, "<0.1.0>", key, "worker", "m.W", "waiting", above) for key, above in keys)
    told = asdict(replace(tree, processes=deep))
    frame = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
    script = f"async tree => {{ const t = performance.now(); push({{ type: 'tree', tree }}); await {frame}; "
    script += "push({ type: 'tree', tree: { ...tree, processes: tree.processes.slice(1) } }); "
    script += f"await {frame}; return performance.now() - t; }}"
    until(lambda: page.evaluate(script, told) < 2_000, "it takes more than a second to draw one", within_s=20)


def test_closing_leaves_nothing(page: Page) -> None:
    page.evaluate("close_()")
    assert page.locator(".jsb-live").count() == 0
    assert page.locator(".jsb-inline").is_visible()
    assert page.evaluate("Object.values(handlers).flat().length") == 0


def test_a_tree_without_processes_says_so(page: Page, tree: TreeView) -> None:
    assert not page.locator(".jsb-empty").is_visible()
    page.evaluate("tree => push({type: 'tree', tree})", asdict(replace(tree, processes=())))
    page.locator(".jsb-empty").wait_for()
    assert page.locator(".jsb-empty").inner_text() == "no process runs"
    page.evaluate("tree => push({type: 'tree', tree})", asdict(tree))
    page.locator(".jsb-live canvas").wait_for()


@pytest.mark.parametrize("tree", [fan(100)], indirect=True)
def test_a_tall_tree_is_shown_around_its_root_first(page: Page) -> None:
    middle = page.evaluate(
        "() => { const view = document.querySelector('.jsb-scroll'); return view.scrollTop + view.clientHeight / 2; }"
    )
    assert abs(middle - page.evaluate("() => document.querySelector('.jsb-scroll').scrollHeight") / 2) < 30


def beside(page: Page, tree: TreeView) -> None:
    """Changes that a busy sandbox tells: a step and a state, of another process than the one that is looked at."""
    for n in range(3):
        told(page, replace(tree, step=tree.step + n), replace(tree.processes[0], state=str(n)))


def test_what_is_pressed_stays_until_it_is_let_go_however_busy_the_sandbox_is(page: Page, tree: TreeView) -> None:
    front = tree.processes[1]
    page.locator("[data-key='shop/front']").focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Kill").hover()
    page.mouse.down()
    beside(page, tree)
    told(page, tree, replace(front, pid="<0.99.0>", state="\n" * 9))  # another has taken its place, and needs more room
    page.mouse.up()
    kill = {"type": "act", "verb": "kill_process", "key": "shop/front", "pid": front.pid}
    assert page.evaluate("sent.at(-1)") == kill
    expect(page.locator(".jsb-panel dl")).to_contain_text("<0.99.0>")
    page.get_by_role("button", name="Kill").click()
    assert page.evaluate("sent.at(-1)") == {**kill, "pid": "<0.99.0>"}


def test_changes_leave_the_focus_and_what_is_selected_where_they_are(page: Page, tree: TreeView) -> None:
    page.locator("[data-key='shop/front']").focus()
    page.keyboard.press("Enter")
    page.evaluate(
        """() => {
            window.moves = 0;
            document.addEventListener("focusin", () => window.moves++);
            getSelection().selectAllChildren(document.querySelector(".jsb-panel dd"));
        }"""
    )
    chosen = page.evaluate("String(getSelection())")
    assert chosen.startswith("counter.Counter")
    told(page, tree, replace(tree.processes[1], state="99"))
    expect(page.locator(".jsb-panel dl")).to_contain_text("99")
    assert page.evaluate("String(getSelection())") == chosen
    assert page.evaluate("[document.activeElement.dataset.verb, moves]") == ["kill_process", 0]


def test_the_button_that_was_pressed_gives_the_focus_to_the_one_that_takes_its_place(
    page: Page, tree: TreeView
) -> None:
    page.locator("[data-key='shop/front']").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    told(page, tree, replace(tree.processes[1], status="suspended"))
    assert page.evaluate("document.activeElement.textContent") == "Unsuspend"
    told(page, tree, removed=("shop/front",))
    assert page.locator(".jsb-panel h3").inner_text() == "shop/front is gone"
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.dataset.key") == "shop"


def test_the_keyboard_stays_in_the_tree_when_processes_end(page: Page, tree: TreeView) -> None:
    focus = "document.activeElement.dataset.key"
    page.locator("[data-key='shop/back']").focus()
    told(page, tree, removed=("shop/front",))
    assert page.evaluate(focus) == "shop/back"
    told(page, tree, removed=("shop/back",))
    assert page.evaluate(focus) == "shop"


@pytest.mark.parametrize("tree", [fan(2000)], indirect=True)
def test_the_keyboard_reaches_each_of_thousands_of_processes(page: Page) -> None:
    focus = "document.activeElement.dataset.key"
    page.keyboard.press("Tab")
    for key, there in (("End", "shop/1999"), ("ArrowUp", "shop/1998"), ("Home", "shop"), ("ArrowDown", "shop/0")):
        page.keyboard.press(key)
        assert page.evaluate(focus) == there
    assert page.locator("[role=treeitem]").count() <= 500


def test_the_code_of_the_picture_is_loaded_once_for_all_models_of_a_page_and_not_kept_by_them(page: Page) -> None:
    code = """globalThis.loaded = (globalThis.loaded ?? 0) + 1;
              export default { initialize: ({ model }) => { model.set("shown", true); } };"""
    states = page.evaluate(
        """async ([module, code]) => {
            // The first as a notebook may have saved it, the last of another version of the package.
            const states = ["", code, code, code].map((code, n) => ({ code, edition: n < 3 ? "1" : "2" }));
            for (const state of states) {
                // As anywidget does it: a module of its own for each model.
                const url = URL.createObjectURL(new Blob([module], { type: "text/javascript" }));
                const model = { get: key => state[key], set: (key, value) => { state[key] = value; } };
                await (await import(url)).default.initialize({ model });
            }
            return states;
        }""",
        [LiveTree._esm, code],
    )
    assert [state.get("shown", False) for state in states] == [False, True, True, True]
    assert [state["code"] for state in states] == [""] * 4
    assert page.evaluate("loaded") == 2  # once for each version
