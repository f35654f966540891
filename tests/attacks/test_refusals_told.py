"""Who meets the walls by mistake is told which they are and how they are opened, wherever the error is shown."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_sandbox.model.errors import SandboxError

from ..waiting import until
from .conftest import Arena

MISTAKES = {
    "a file elsewhere": ("open('/etc/hostname')", "--read or --write PATH"),
    "a new folder elsewhere": ("import os; os.mkdir('/var/sandbox')", "--read or --write PATH"),
    "a connection": ("import socket; socket.create_connection(('127.0.0.1', 9))", "create it with --net"),
    "a page": ("import urllib.request; urllib.request.urlopen('http://localhost.invalid')", "create it with --net"),
    "a program": ("import subprocess; subprocess.run(['true'])", "create it with --subprocess"),
    "a fork": ("import os; os.fork()", "create it with --subprocess"),
    "a server": ("import socket; socket.socket().bind(('', 0))", "no sandbox of its profile may do this"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_cell_that_is_refused_something_says_how_it_is_opened(strict: Arena, name: str) -> None:
    source, words = MISTAKES[name]
    with pytest.raises(SandboxError, match=words):
        strict.attacker().exec(source)


OPENED: dict[str, tuple[str, dict[str, Any], str]] = {
    "a program": ("import subprocess; subprocess.run(['true'])", {"net": True}, "create it with --subprocess"),
    "a signal": (
        "import os; os.kill(1, 9)", {"net": True, "subprocess": True}, "no sandbox of its profile may do this",
    ),
    "a server": ("import socket; socket.socket().bind(('', 0))", {"net": True}, "no sandbox of its profile may do"),
    "a signal beside the network": ("import os; os.kill(1, 9)", {"net": True}, "no sandbox of its profile may do this"),
    "another user": ("import os; os.setuid(1)", {"net": True}, "no sandbox of its profile may do this"),
}  # fmt: skip


@pytest.mark.parametrize("name", OPENED)
def test_what_is_open_already_is_not_advised(strict: Arena, name: str) -> None:
    source, allow, words = OPENED[name]
    with pytest.raises(SandboxError, match=words):
        strict.attacker(allow=allow).exec(source)


def test_what_may_be_done_is_not_blamed_on_the_profile(strict: Arena) -> None:
    with pytest.raises(SandboxError, match=r"No such file or directory: 'nothing'$"):
        strict.attacker().exec("open('nothing')")


CLERK = """
from jupyter_sandbox.otp import Child, GenServer, Reply, Supervisor

class Clerk(GenServer):
    def handle_call(self, path, caller, state):
        return Reply(open(path).read(), state)

class Office(Supervisor):
    def init(self, _):
        return [Child(Clerk, name="clerk")]
"""


def test_a_server_that_crashes_of_it_says_so_to_its_caller_and_to_who_looks(strict: Arena) -> None:
    sandbox = strict.manager.create(code={"office.py": CLERK}, main="Office")
    strict.attackers.append(sandbox)
    told: list[str] = []
    stop = strict.manager.subscribe(lambda update: told.append(str(update)))
    with pytest.raises(SandboxError, match=r"Permission denied: '/etc/hostname'.*--read or --write PATH"):
        sandbox.call("clerk", "/etc/hostname")
    until(lambda: any("/etc/hostname" in text for text in told))
    stop()
    assert any("--read or --write PATH" in text for text in told)
    assert sandbox.call("clerk", "/dev/null") == ""
