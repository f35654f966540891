"""The magics in a real kernel with real sandboxes: what a notebook and the Lab panel see, also while a cell runs."""

from __future__ import annotations

import base64
import os
import queue
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from ..images import chunk, png
from ..shop import CELL

DEADLINE_S = 60.0
pytestmark = pytest.mark.xdist_group("kernel")

LATE = """%%sandbox exec shop
async def late(self):
    await self.sleep(200)
    print("late")
self.spawn(late)
None
"""


class Notebook:
    """A kernel and the messages it sends."""

    def __init__(self, client: BlockingKernelClient) -> None:
        self.client = client
        self.events: list[dict[str, Any]] = []
        self._outputs: dict[str, list[dict[str, Any]]] = {}
        self._idle: set[str] = set()

    def start(self, code: str) -> str:
        """Run a cell; does not wait for it. An error in it makes the kernel drop none that follows."""
        return str(self.client.execute(code, stop_on_error=False))

    def run(self, code: str) -> list[dict[str, Any]]:
        """Run a cell to its end; its outputs."""
        return self.finish(self.start(code))

    def finish(self, cell: str) -> list[dict[str, Any]]:
        """The outputs of a cell that was started."""
        if cell not in self._idle:
            self.wait(lambda _: cell in self._idle)
        self.reply(cell)
        return self._outputs.pop(cell, [])

    def reply(self, request: str) -> dict[str, Any]:
        """The shell's reply to a request; replies to others are passed over."""
        while True:
            message = self.client.get_shell_msg(timeout=DEADLINE_S)
            if message["parent_header"]["msg_id"] == request:
                return dict(message["content"])

    def wait(self, reached: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Read iopub until a message fits; nothing that is read on the way is lost."""
        end = time.monotonic() + DEADLINE_S
        while True:
            try:
                message = self.client.get_iopub_msg(timeout=max(0.01, end - time.monotonic()))
            except queue.Empty:
                raise AssertionError("the message did not come in time") from None
            self._keep(message)
            if reached(message):
                return dict(message)

    def _keep(self, message: dict[str, Any]) -> None:
        kind, content, cell = message["msg_type"], message["content"], message["parent_header"].get("msg_id", "")
        if kind == "sandbox_event":
            self.events.append(content)
        elif kind in ("execute_result", "display_data", "stream", "error"):
            self._outputs.setdefault(cell, []).append({"type": kind, **content})
        elif kind == "status" and content["execution_state"] == "idle":
            self._idle.add(cell)

    def event(self, kind: str, fits: Callable[[dict[str, Any]], bool] = lambda event: True) -> dict[str, Any]:
        """The next event of this kind that fits."""
        found = self.wait(
            lambda message: (
                message["msg_type"] == "sandbox_event"
                and message["content"]["type"] == kind
                and fits(message["content"])
            )
        )
        return dict(found["content"])

    def ask(self, verb: str, sandbox: str | None = None, **args: object) -> dict[str, Any]:
        """A request as the Lab panel makes it: on the control channel, answered by an event."""
        content = {"id": f"{verb}-{time.monotonic_ns()}", "verb": verb, "sandbox": sandbox, "args": args}
        self.client.control_channel.send(self.client.session.msg("sandbox_request", content))
        reply = self.client.get_control_msg(timeout=DEADLINE_S)
        assert (reply["msg_type"], reply["content"]["status"]) == ("sandbox_reply", "ok")
        return self.event("result", lambda event: event["id"] == content["id"])

    def text(self, code: str) -> str:
        """The text of the only output of a cell."""
        (output,) = self.run(code)
        return plain(output)


OURS = "[name for name in sys.modules if name.partition('.')[0] == 'jupyter_sandbox']"
STAYS = "jupyter_sandbox is in use and stays the version that it is: restart the kernel to take another"
CHILDREN = "from pathlib import Path\n''.join(one.read_text() for one in Path('/proc/self/task').glob('*/children'))"


def plain(output: dict[str, Any]) -> str:
    text = (
        "\n".join(output["traceback"])
        if output["type"] == "error"
        else output.get("text") or output["data"]["text/plain"]
    )
    return re.sub(r"\x1b\[[\d;]*m", "", text)


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory, project: Path) -> Iterator[Notebook]:
    with notebook_in(tmp_path_factory.mktemp("k"), project) as found:
        yield found


@contextmanager
def notebook_in(folder: Path, project: Path) -> Iterator[Notebook]:
    environment = {**os.environ, "PYTHONPATH": str(project), "IPYTHONDIR": str(folder), "XDG_DATA_HOME": str(folder)}
    manager = KernelManager(kernel_name="python3", transport="ipc", ip=str(folder / "k"))
    manager.start_kernel(env=environment)
    client = manager.blocking_client()
    client.start_channels()
    client.wait_for_ready(timeout=DEADLINE_S)
    try:
        yield Notebook(client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()


@pytest.fixture
def shop(notebook: Notebook) -> Iterator[Notebook]:
    """The extension is loaded and a shop runs."""
    notebook.run("%load_ext jupyter_sandbox")
    notebook.run(CELL)
    notebook.run("%sandbox start shop counter.Shop")
    yield notebook
    notebook.run("%unload_ext jupyter_sandbox")


def test_loading_says_hello_and_unloading_says_bye(notebook: Notebook) -> None:
    cell = notebook.start("%load_ext jupyter_sandbox")
    assert notebook.event("hello")["sandboxes"] == []
    notebook.finish(cell)
    cell = notebook.start("%unload_ext jupyter_sandbox")
    notebook.event("bye")
    notebook.finish(cell)


def test_a_kernel_that_ends_says_bye_and_nothing_after_it(tmp_path: Path, project: Path) -> None:
    """A page whose kernel another one restarts may hear of nothing else."""
    with notebook_in(tmp_path, project) as ending:
        ending.run("%load_ext jupyter_sandbox")
        ending.run(CELL)
        ending.run("%sandbox start shop counter.Shop")
        ending.client.shutdown()
        ending.event("bye")
        with suppress(queue.Empty):
            while True:
                ending._keep(ending.client.get_iopub_msg(timeout=2))
        assert ending.events[-1]["type"] == "bye"


def test_a_tree_is_saved_as_text_and_picture_and_not_as_a_widget(shop: Notebook) -> None:
    (output,) = shop.run("%sandbox tree shop")
    assert output["data"].keys() == {"text/plain", "text/html"}
    assert "data-jupyter-sandbox" in output["data"]["text/html"]
    assert "◌ front" in output["data"]["text/plain"]


def test_a_call_answers_and_a_crash_points_into_the_cell(shop: Notebook) -> None:
    assert shop.text('%sandbox call shop front "next"') == "0"
    error = shop.text('%sandbox call shop front ("add", "x")')
    assert re.search(r"Cell In\[\d+\], line 10, in handle_call\n +case \(\"add\", k\):", error)
    assert "CallExit: front exited before it answered" in error
    assert "jupyter_sandbox/" not in error
    why = shop.text("%sandbox why shop front").split("\n")[0]
    expected = (
        r"TypeError in handle_call at In\[\d+\] line 10 → exit → one_for_one restart 1 of 3 in 5 s → state back to 0"
    )
    assert re.fullmatch(expected, why)


def test_a_mistake_is_one_line(shop: Notebook) -> None:
    (output,) = shop.run('%sandbox call shop frnt "next"')
    assert output["text"].startswith("UsageError: there is no process 'frnt'")
    assert output["text"].count("\n") == 1


def test_an_edited_cell_takes_the_running_processes_along(shop: Notebook) -> None:
    shop.run('%sandbox call shop front ("add", 5)')
    told = shop.text(CELL.replace("n + 1)", "n + 10)"))
    assert "3 processes went on in the new code with their state" in told
    assert '+            case "next":      return Reply(n, n + 10)' in told
    assert shop.text('%sandbox call shop front "next"') == "5"
    assert shop.text("%sandbox state shop front") == "15"


def test_an_exec_cell_prints_and_shows_its_value(shop: Notebook) -> None:
    printed, value = shop.run("%%sandbox exec shop\nprint('inside')\n2 + 3")
    assert (printed["text"], value["data"]["text/plain"]) == ("inside\n", "5")


def test_what_is_printed_little_by_little_appears_under_its_own_cell(shop: Notebook) -> None:
    outputs = shop.run("%%sandbox exec shop\nfor n in range(3):\n    print(n)\n    await self.sleep(100)")
    assert "".join(output["text"] for output in outputs) == "0\n1\n2\n"


def test_what_is_printed_later_appears_under_the_cell_that_caused_it(shop: Notebook) -> None:
    cause = shop.start(LATE)
    texts = [output["text"] for output in shop.finish(cause)]  # there already when the machine is slow
    other = shop.start("%sandbox list")
    if not texts:
        printed = shop.wait(lambda message: message["msg_type"] == "stream")
        assert printed["parent_header"]["msg_id"] == cause
        texts = [printed["content"]["text"]]
    assert texts == ["late\n"]
    shop.finish(other)


def test_an_error_in_an_exec_cell_points_at_its_line(shop: Notebook) -> None:
    assert re.search(r"Cell In\[\d+\], line 3, in <module>\n +1 / 0", shop.text("%%sandbox exec shop\n\n1 / 0"))


def test_steps_are_told_one_line_each(shop: Notebook) -> None:
    shop.run("%sandbox pause shop")
    shop.run('%sandbox send shop front "hello"')
    shop.run('%sandbox send shop back "you too"')
    lines = shop.text("%sandbox step shop 2").split("\n")
    assert len(lines) == 2
    assert re.match(r"#\d+ front handled info 'hello' from outside · state 0", lines[0])


def test_the_panel_is_answered_while_a_cell_is_running(shop: Notebook) -> None:
    shop.run("import time, threading; go_on = False")
    cell = shop.start("while get_ipython()._jupyter_sandbox.manager.get('shop').status != 'paused': pass")
    assert shop.ask("hello")["ok"]
    front = shop.ask("inspect", "shop", target="front")["value"]
    assert front["process"]["state"] == "0"
    assert shop.ask("kill_process", "shop", target="front")["ok"]
    assert shop.ask("pause", "shop")["ok"]
    assert shop.finish(cell) == []


def test_a_live_tree_follows_while_a_cell_is_running(shop: Notebook) -> None:
    shop.run("%sandbox tree shop")
    spin = "shop = get_ipython()._jupyter_sandbox.manager.get('shop')\nwhile shop.call('front', 'next') < 300: pass"
    cell = shop.start(spin)
    seen: list[str] = []

    def moved(message: dict[str, Any]) -> bool:
        if message["msg_type"] == "comm_msg":
            data = message["content"]["data"]
            if data.get("method") == "custom" and data["content"].get("type") == "diff":
                seen.extend(process["state"] for process in data["content"]["diff"]["changed"])
        return bool(seen)

    shop.wait(moved)
    assert shop.finish(cell) == []
    assert seen


def test_a_live_tree_says_that_its_sandbox_is_paused(shop: Notebook) -> None:
    shop.run("%sandbox tree shop")
    cell = shop.start("%sandbox pause shop")

    def paused(message: dict[str, Any]) -> bool:
        data = message["content"].get("data", {})
        return message["msg_type"] == "comm_msg" and data.get("state", {}).get("status") == "paused"

    shop.wait(paused)
    shop.finish(cell)


def test_a_tree_is_told_first_and_then_its_changes(shop: Notebook) -> None:
    hello = shop.ask("hello")
    assert hello["ok"]
    told = next(event for event in reversed(shop.events) if event["type"] == "hello")
    assert [process["name"] for process in told["trees"]["shop"]["processes"]][1:] == ["front", "back"]
    cell = shop.start('%sandbox call shop back "next"')
    diff = shop.event("diff", lambda event: any(p["state"] == "101" for p in event["diff"]["changed"]))
    assert diff["name"] == "shop"
    shop.finish(cell)


def test_tab_completes_in_the_kernel(shop: Notebook) -> None:
    request = shop.client.complete("%sandbox state shop fr", 22)
    assert shop.reply(request)["matches"] == ["front"]
    for line in ("%sandbox tree shop ", "%sandbox create ", "%sandbox nosuch pri"):
        assert shop.reply(shop.client.complete(line, len(line)))["matches"] == [], "no files and no names of Python"


def test_reloading_the_extension_begins_anew(shop: Notebook) -> None:
    shop.run("%sandbox snapshot shop before")
    assert shop.text("%reload_ext jupyter_sandbox") == "ended: shop; the snapshots that were taken are kept\n"
    assert shop.text("%sandbox list").startswith("no sandbox yet")
    shop.run("%sandbox create shop")
    shop.run("%sandbox restore shop before")
    assert shop.text('%sandbox call shop front "next"') == "0"
    assert shop.text("%unload_ext jupyter_sandbox").startswith("ended: shop;")
    assert shop.run("%load_ext jupyter_sandbox\n%unload_ext jupyter_sandbox") == [], "of nothing nothing is told"


def test_reloading_every_module_is_refused_in_a_sentence_and_harms_no_sandbox(shop: Notebook) -> None:
    error = shop.text(f"import importlib, sys\nfor name in {OURS}[1:]: importlib.reload(sys.modules[name])")
    assert error.endswith(
        "jupyter_sandbox is in use and stays the version that it is: restart the kernel to take another"
    )
    assert shop.text('%sandbox call shop front "next"') == "0"


def test_who_purges_the_modules_can_go_on_and_unload(shop: Notebook) -> None:
    purge = f"import sys\nfor name in {OURS}: del sys.modules[name]"
    shop.run(purge)
    (told, value) = shop.run('%sandbox call shop front "next"')
    assert (
        told["text"]
        == "jupyter_sandbox is in use and stays the version that it is: restart the kernel to take another\n"
    )
    assert plain(value) == "0"
    shop.run(purge)
    shop.run("%unload_ext jupyter_sandbox")
    assert shop.text(CHILDREN) == "''"
    shop.run(purge)
    shop.run("%load_ext jupyter_sandbox")
    assert "running" in shop.text("%sandbox create other")


def test_the_magic_after_unload_is_one_line(shop: Notebook) -> None:
    shop.run("%unload_ext jupyter_sandbox")
    assert shop.text("%sandbox list") == "UsageError: Line magic function `%sandbox` not found.\n"
    shop.run("%load_ext jupyter_sandbox")


PICTURED = """%%sandbox exec {name} {options}
class Figure:
    def _repr_png_(self):
        return {body}
    def _repr_html_(self):
        return "<script>alert(1)</script>"
print(Figure())
Figure()
"""


def test_a_value_that_draws_itself_is_shown_as_its_checked_picture(notebook: Notebook) -> None:
    notebook.run("%load_ext jupyter_sandbox")
    notebook.run("%sandbox create drawn")
    file = png(40, 30, chunk(b"tEXt", b"<script>"))
    printed, shown = notebook.run(PICTURED.format(name="drawn", options="--out figure", body=file))
    assert printed["type"] == "stream" and "Figure object" in printed["text"]
    written = base64.b64encode(png(40, 30)).decode()
    text = f"<__cell__.Figure>\n<image/png, 40 × 30, {len(png(40, 30))} bytes>"
    assert (shown["type"], shown["data"]) == ("execute_result", {"image/png": written, "text/plain": text})
    (again,) = notebook.run("figure")
    assert again["data"] == shown["data"]
    assert notebook.text("figure.picture.body[:4], figure.value") == r"(b'\x89PNG', <__cell__.Figure>)"
    _, refused = notebook.run(PICTURED.format(name="drawn", options="", body=file + b"<script>"))
    told = "<__cell__.Figure>\n(no picture: image/png was refused: there is something behind its end)"
    assert refused["data"] == {"text/plain": told}
    notebook.run("%sandbox destroy drawn")
