"""A real JupyterLab, a real Chromium, and a notebook in it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from ..chromium import MISSING, PATIENCE_MS, WHY, chromium

HERE = Path(__file__).parent
TOKEN = "panel"


@pytest.hookimpl(tryfirst=True)  # before xdist looks for groups, also when these tests alone are asked for
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All browser tests on one worker: they share one server. Without Chromium they are skipped, but never in CI."""
    skip = pytest.mark.skip(reason=WHY)
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.lab)
            item.add_marker(pytest.mark.xdist_group("lab"))
            item.add_marker(pytest.mark.timeout(300))  # a page of Lab alone takes half a minute on a busy machine
            if MISSING:
                item.add_marker(skip)


@pytest.fixture(scope="session")
def lab_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the server and its kernels say."""
    return tmp_path_factory.mktemp("lab") / "lab.log"


@pytest.fixture(scope="session")
def lab_url(lab_log: Path, project: Path) -> Iterator[str]:
    """The address of a JupyterLab that serves an empty folder, with a user's settings of its own."""
    root, log = lab_log.parent, lab_log
    (root / "notebooks").mkdir()
    shutil.copy(HERE / "fake_panel_kernel.py", root / "notebooks")
    settings = root / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text(json.dumps({"fetchNews": "false"}))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command, environment = lab_command(root, port), lab_environment(root, project)
    with log.open("wb") as output:
        server = subprocess.Popen(
            command, cwd=root, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        wait_for_server(server, port, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        try:
            server.wait(60)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def lab_command(root: Path, port: int) -> list[str]:
    return [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}",
        "--ServerApp.port_retries=0", f"--IdentityProvider.token={TOKEN}", "--expose-app-in-browser",
        f"--ServerApp.root_dir={root / 'notebooks'}", "--ServerApp.allow_origin=*",
    ]  # fmt: skip


def lab_environment(root: Path, project: Path) -> dict[str, str]:
    """Nothing of the user's own set-up: no settings, no kernels, no history."""
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(project), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "PYTHONWARNINGS": "default",
        "IPYTHONDIR": str(root / "ipython"),
        "JUPYTER_CONFIG_DIR": str(root / "config"),
        "JUPYTER_DATA_DIR": str(root / "data"),
        "JUPYTER_RUNTIME_DIR": str(root / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(root / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(root / "workspaces"),
    }


def wait_for_server(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api?token={TOKEN}", timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"JupyterLab did not come up:\n{log.read_text()}")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, closed after each module."""
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A user's profile: what one page of Lab has loaded and compiled, the next one need not."""
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    yield context
    context.close()


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures of the panel go: SCREENSHOTS, or a temporary folder."""
    folder = Path(os.environ.get("SCREENSHOTS") or tmp_path_factory.mktemp("screenshots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


class Lab:
    """One page of JupyterLab with one notebook open, and what it must not do: talk to others, or log an error.

    Loading it takes three times as long as opening a notebook, so the next test goes on in it unless it was altered.
    """

    def __init__(self, page: Page, url: str) -> None:
        page.set_default_timeout(PATIENCE_MS)
        self.page = page
        self.url = url
        self.altered = True
        """Whether the next notebook is to be opened in a page that is loaded anew."""
        self.strangers: list[str] = []
        self.errors: list[str] = []
        page.on("request", self._on_request)
        page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def _on_request(self, request: Any) -> None:
        if not request.url.startswith((self.url, "data:", "blob:", self.url.replace("http", "ws"))):
            self.strangers.append(request.url)

    def open(self, name: str) -> None:
        """Open a notebook and the panel, and wait until the kernel is idle."""
        if self.altered:
            self.page.goto(f"{self.url}/lab/tree/{name}?token={TOKEN}&reset")
            self.altered = False
        else:
            self.execute("docmanager:open", path=name)
        self.wait_until_idle()
        self.open_panel()

    def leave(self) -> None:
        """Close everything. Lab may complain meanwhile: its debugger is still asking kernels that are taken away."""
        if self.altered:
            self.page.goto("about:blank")
        else:
            self.page.evaluate(LEAVE)
        shut_down_kernels(self.url)
        self.strangers.clear()
        self.errors.clear()

    def reload(self) -> None:
        self.altered = True
        self.page.reload()
        self.open_panel()

    def open_panel(self) -> None:
        """Show the panel, once Lab has restored its layout: before that it would be hidden again."""
        self.page.wait_for_function("() => window.jupyterapp?.commands?.hasCommand('jupyter-sandbox:open')")
        self.page.evaluate("() => window.jupyterapp.restored")
        self.execute("jupyter-sandbox:open")
        self.panel.wait_for()

    def wait_until_idle(self) -> None:
        self.page.wait_for_function(
            """() => {
                const context = window.jupyterapp?.shell?.currentWidget?.sessionContext;
                const kernel = context?.session?.kernel;
                return kernel?.status === 'idle' && kernel.connectionStatus === 'connected';
            }"""
        )

    def execute(self, command: str, **arguments: Any) -> None:
        """Run a command of Lab, without waiting for what it starts."""
        self.page.evaluate(
            "([command, options]) => { void window.jupyterapp.commands.execute(command, options); }",
            [command, arguments],
        )

    def run_cell(self) -> None:
        """Run the selected cell and select the next one."""
        self.execute("notebook:run-cell-and-select-next")

    def select_cell(self, index: int) -> None:
        self.page.evaluate("n => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = n; }", index)

    def cell(self, source: str) -> None:
        """Run another cell, at the end."""
        self.page.evaluate(
            """source => {
                const book = window.jupyterapp.shell.currentWidget.content;
                book.model.sharedModel.insertCell(book.widgets.length, { cell_type: 'code', source });
                book.activeCellIndex = book.widgets.length - 1;
            }""",
            source,
        )
        self.execute("notebook:run-cell")

    @property
    def panel(self) -> Any:
        return self.page.locator("#jupyter-sandbox-panel")

    def press(self, name: str) -> None:
        self.panel.get_by_role("button", name=name, exact=True).click()

    def row(self, name: str) -> Any:
        return self.panel.locator(f'.jp-Sandbox-row[data-name="{name}"]')

    def item(self, name: str) -> Any:
        return self.panel.get_by_role("treeitem").filter(has_text=name).first

    def widen(self, width: int) -> None:
        """Drag the edge of the sidebar."""
        self.altered = True
        box = self.panel.bounding_box()
        edge, middle = box["x"] + box["width"] + 2, box["y"] + box["height"] / 2
        self.page.mouse.move(edge, middle)
        self.page.mouse.down()
        self.page.mouse.move(box["x"] + width, middle, steps=4)
        self.page.mouse.up()

    def set_setting(self, key: str, value: Any) -> None:
        """Save a setting of the panel and load the page again."""
        body = json.dumps({"raw": json.dumps({key: value})}).encode()
        address = f"{self.url}/lab/api/settings/jupyter-sandbox:plugin?token={TOKEN}"
        urllib.request.urlopen(urllib.request.Request(address, data=body, method="PUT")).close()
        self.reload()

    def theme(self, name: str) -> None:
        self.altered = True
        self.page.evaluate("name => window.jupyterapp.commands.execute('apputils:change-theme', {theme: name})", name)
        light = "true" if name.endswith("Light") else "false"
        self.page.locator(f'body[data-jp-theme-light="{light}"]').wait_for(state="attached")
        self.page.locator("#jupyterlab-splash").wait_for(state="detached")


OF_LAB = ("Canceled future for create_subshell_request message", "Canceled future for debug_request message")
"""Said by Lab when a kernel is killed or restarted that it has just asked for a place of its own for a comm, or whose
debugger it was asking: how often that is depends on how long the kernel takes to answer."""


LEAVE = """async () => {
    for (const widget of Array.from(window.jupyterapp.shell.widgets('main'))) {
        const kernel = widget.context?.sessionContext;
        await widget.context?.save();  // what is not saved is asked about
        await kernel?.shutdown();
        widget.dispose();
    }
}"""


FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """A page in which a test failed is in nobody knows which state, also for its second try."""
    if call.excinfo is not None:
        item.stash[FAILED] = True
    return (yield)


@pytest.fixture(scope="module")
def visited(context: BrowserContext, lab_url: str) -> Lab:
    """The page that the tests of a module share."""
    return Lab(context.new_page(), lab_url)


@pytest.fixture
def lab(visited: Lab, lab_log: Path, request: pytest.FixtureRequest) -> Iterator[Lab]:
    """A page with nothing open; afterwards it must have talked to nobody else, and nobody must have logged an error."""
    before = lab_log.stat().st_size
    yield visited
    strangers = list(visited.strangers)
    errors = [one for one in visited.errors if not any(said in one for said in OF_LAB)]
    visited.altered = visited.altered or FAILED in request.node.stash
    visited.leave()
    assert strangers == []
    assert errors == []
    with lab_log.open() as log:
        log.seek(before)
        assert "sandbox_request" not in log.read(), "a kernel was asked that knows nothing of it"


def shut_down_kernels(url: str) -> None:
    with urllib.request.urlopen(f"{url}/api/sessions?token={TOKEN}") as answer:
        sessions = json.load(answer)
    for session in sessions:
        request = urllib.request.Request(f"{url}/api/sessions/{session['id']}?token={TOKEN}", method="DELETE")
        urllib.request.urlopen(request).close()


@pytest.fixture
def notebook(lab: Lab, lab_url: str, tmp_path: Path) -> Callable[..., Lab]:
    """Opens a notebook with the given cells: ``notebook("%load_ext …", "while True: pass")``."""

    def make(*cells: str, name: str = "") -> Lab:
        name = name or f"{tmp_path.name}.ipynb"
        book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        body = json.dumps({"type": "notebook", "format": "json", "content": book}).encode()
        address = f"{lab_url}/api/contents/{name}?token={TOKEN}"
        urllib.request.urlopen(urllib.request.Request(address, data=body, method="PUT")).close()
        lab.open(name)
        return lab

    return make
