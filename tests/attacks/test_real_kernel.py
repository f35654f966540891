"""Attacks in a kernel that Jupyter has started: on its connection file and ports, and through a restart of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ..waiting import until
from .conftest import CAMP, Arena
from .test_files import READS, UNREAD
from .tools import REFUSED, attempt

pytest.importorskip("jupyter_client", reason="jupyter_client is not installed")
pytestmark = pytest.mark.xdist_group("real kernel")

SETUP = f"""
import threading
from jupyter_sandbox.manager.manager import SandboxManager
manager = SandboxManager(store=":memory:")
made = [manager.create(code={{"camp.py": {CAMP!r}}}, main="camp.Camp") for _ in range(3)]
for one, how in zip(made, ("while True: pass", "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)")):
    threading.Thread(target=one.call, args=("evil", how), daemon=True).start()
sandbox = made[-1]
"""
PIDS = "[int(str(sandbox.exec('import os; os.getppid()'))), *[one.info().os_pid for one in made]]"
ABOUT_IT = [name for name, source in READS.items() if "answer = open(" in source and "{secret!r}" in source]


class Kernel:
    """One with three sandboxes, two of which are stuck."""

    def __init__(self, driver: subprocess.Popen[str]) -> None:
        self._driver = driver
        connection, self.pid = self._told()
        self.connection = Path(connection)
        assert self.ask("run", SETUP) == "ok"

    def ask(self, verb: str, *words: object) -> Any:
        """Have ``jupyter.py`` do something with it."""
        assert self._driver.stdin is not None
        self._driver.stdin.write(json.dumps([verb, *words]) + "\n")
        self._driver.stdin.flush()
        return self._told()

    def _told(self) -> Any:
        assert self._driver.stdout is not None
        return json.loads(self._driver.stdout.readline())

    def value(self, expression: str) -> Any:
        """What it comes to there."""
        return self.ask("value", expression)

    def attempt(self, source: str) -> Any:
        """Try something in a sandbox of its own."""
        return self.value(f"sandbox.call('evil', {attempt(source)!r})")

    def works(self) -> bool:
        """It answers, and its sandbox does."""
        return bool(self.value("sandbox.call('evil', 'answer = 1')") == 1)


@contextmanager
def started(folder: Path) -> Iterator[Kernel]:
    """A kernel as a server starts it: with a connection file in the folder of those, and ports."""
    for name in ("runtime", "temporary"):
        (folder / name).mkdir()
    environment = {
        **os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]),
        "IPYTHONDIR": str(folder), "JUPYTER_RUNTIME_DIR": str(folder / "runtime"), "TMPDIR": str(folder / "temporary"),
    }  # fmt: skip
    command = [sys.executable, str(Path(__file__).with_name("jupyter.py")), str(folder / "runtime")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as driver:
        yield Kernel(driver)


@pytest.mark.parametrize("now", [False, True], ids=["in order", "at once"])
def test_a_restarted_kernel_has_nothing_left_of_its_sandboxes_and_makes_new_ones(
    arena: Arena, tmp_path: Path, now: bool
) -> None:
    """Stands before the other tests, whose kernel stays open between them."""
    with started(tmp_path) as kernel:
        pids = kernel.value(PIDS)
        assert len(pids) == 4 and all(map(lives, pids))
        arena.watch(lambda: kernel.ask("restart", now))
        until(lambda: not any(map(lives, pids)), "some live on")
        arena.watch(lambda: kernel.ask("ready"))
        assert kernel.ask("run", SETUP) == "ok" and kernel.works()
        assert kernel.value("len(manager.list())") == 3
        assert len(list(tmp_path.glob("temporary/jupyter_sandbox-*"))) == 1, "it does not sweep up"


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory, stage: Arena) -> Iterator[Kernel]:
    """Started after the arena, which counts what there is."""
    with started(tmp_path_factory.mktemp("kernel")) as kernel:
        yield kernel


@pytest.mark.parametrize("name", ABOUT_IT)
def test_the_connection_file_of_its_kernel_cannot_be_read(
    strict_machine: None, standing: Kernel, stage: Arena, name: str
) -> None:
    facts = {"secret": str(standing.connection), "folder": str(standing.connection.parent), "kernel": standing.pid}
    key = json.loads(standing.connection.read_text())["key"]
    answer = stage.watch(lambda: standing.attempt(READS[name].format(**facts))).value
    assert key and key not in str(answer)
    assert answer in UNREAD
    assert standing.works()


@pytest.mark.parametrize("port", ["shell_port", "iopub_port", "stdin_port", "control_port", "hb_port"])
def test_no_port_of_its_kernel_can_be_connected_to(
    strict_machine: None, standing: Kernel, stage: Arena, port: str
) -> None:
    number = json.loads(standing.connection.read_text())[port]
    source = f"import socket; socket.create_connection(('127.0.0.1', {number}), 1)"
    assert stage.watch(lambda: standing.attempt(source)).value in REFUSED
    assert standing.works()


HEAR = """
import socket, struct, time
greeting = b"\\xff" + bytes(8) + b"\\x7f\\x03\\x00" + b"NULL".ljust(20, b"\\0") + bytes(32)
ready = b"\\x05READY\\x0bSocket-Type" + struct.pack(">I", 3) + b"SUB"
line = socket.create_connection(("127.0.0.1", {port}), 5)
line.sendall(greeting)
answer = b""
while b"XPUB" not in answer: answer += line.recv(1_000)
line.sendall(b"\\x04" + bytes([len(ready)]) + ready)
time.sleep(0.2)  # a subscription is a message, and none may come before the end of the greeting
line.sendall(b"\\x00\\x01\\x01")
while b"treasure" not in answer: answer += line.recv(1_000)
answer = "heard"
"""
"""By ZeroMQ's protocol, without its library."""
DEBUG = """
import json, socket
line = socket.create_connection(("127.0.0.1", {port}), 5)
commands = {{
    "initialize": {{"clientID": "evil", "adapterID": "evil"}}, "attach": {{"connect": {{"port": {port}}}}},
    "configurationDone": {{}}, "evaluate": {{"expression": {expression!r}, "context": "repl"}},
}}
for number, (command, arguments) in enumerate(commands.items()):
    said = dict(type="request", seq=number, command=command, arguments=arguments)
    body, heard = json.dumps(said).encode(), b""
    line.sendall(b"Content-Length: %d\\r\\n\\r\\n" % len(body) + body)
    sign = b'"initialized"' if command == "attach" else b'"command": "' + command.encode()
    while sign not in heard: heard += line.recv(10_000)
answer = "worked" if b'"success": true, "command": "evaluate"' in heard else heard.decode()
"""
TOLD = "any('the code and output of all cells' in one for one in spy.info().protection.not_stopped)"


@contextmanager
def spy(kernel: Kernel, allow: dict[str, object]) -> Iterator[None]:
    """A sandbox of its own with openings, named ``spy`` there."""
    making = f"manager.create(code={{'camp.py': {CAMP!r}}}, main='camp.Still', allow={allow!r}, limits={LIMITS})"
    assert kernel.ask("run", f"spy = {making}") == "ok"
    try:
        yield
    finally:
        assert kernel.ask("run", "spy.destroy()") == "ok"


LIMITS = {"handler_budget": 60_000}
OPENED = {"the network": ({"net": True}, True), "ports": ({"ports": [443]}, False)}


@pytest.mark.parametrize("name", OPENED)
def test_who_has_the_network_hears_what_cells_say_and_that_is_told(
    strict_machine: None, standing: Kernel, name: str
) -> None:
    allow, reached = OPENED[name]
    source = attempt(HEAR.format(port=json.loads(standing.connection.read_text())["iopub_port"]))
    asking = f"answers = []\nasking = threading.Thread(target=lambda: answers.append(spy.call('evil', {source!r}, "
    with spy(standing, allow):
        assert standing.value(TOLD) is reached
        assert standing.ask("run", f"{asking}timeout_ms=60_000)))\nasking.start()") == "ok"
        for _ in range(600):
            if standing.value("answers") or standing.ask("run", "print('trea' + 'sure')") != "ok":
                break
        answer = standing.value("[asking.join(60), answers[0]][1]")
    assert (answer == "heard") if reached else (answer in REFUSED)
    assert standing.works()


@pytest.mark.parametrize("name", OPENED)
def test_who_has_the_network_runs_code_by_a_debugger_that_was_used_and_that_is_told(
    strict_machine: None, tmp_path: Path, name: str
) -> None:
    pytest.importorskip("debugpy", reason="debugpy is not installed")
    allow, reached = OPENED[name]
    with started(tmp_path) as kernel:
        assert kernel.ask("debug") == [True, True, True]
        port = int(kernel.value("get_ipython().kernel.debugger.debugpy_client.debugpy_port"))
        expression = "__import__('builtins').__dict__.__setitem__('owned', 1)"
        source = attempt(DEBUG.format(port=port, expression=expression))
        with spy(kernel, allow):
            assert kernel.value(TOLD) is reached
            answer = kernel.value(f"spy.call('evil', {source!r}, timeout_ms=60_000)")
        assert (answer == "worked") if reached else (answer in REFUSED)
        assert (kernel.value("owned") == 1) is reached


def test_an_interrupted_cell_leaves_its_sandbox_working(stage: Arena, standing: Kernel) -> None:
    """Interrupted as Jupyter does it: the cell ends within a second, the process that it asked goes on."""
    before = standing.value("sandbox.call('ticker', 'count')")
    folder = standing.value("[str(sandbox.exec('import os; os.getcwd()')), sandbox.limits(handler_budget=80_000)][0]")
    wait = "import os, time\nwhile not os.path.exists('let go'): time.sleep(0.01)\nanswer = 1"
    standing.ask("begin", f"print('in', flush=True); sandbox.call('evil', {wait!r}, timeout_ms=80_000)")
    outcome = stage.watch(lambda: standing.ask("interrupt"))
    Path(folder, "let go").touch()
    assert outcome.value == "KeyboardInterrupt" and stage.in_time(outcome.span, 1.0)
    assert standing.value("[one.status.name for one in made]")[-1] == "RUNNING" and standing.works()
    assert standing.value("sandbox.call('ticker', 'count')") > before


def lives(pid: int) -> bool:
    """Whether it is there, and more than its number."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
