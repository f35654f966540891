"""Starts a kernel as a server of Jupyter does, and does with it what it is told: a line of JSON in, a line out.

A program of its own, because what Jupyter's client opens and starts stays as long as its OS process. ``jupyter.py
FOLDER`` tells the connection file and the kernel's number first, and ends the kernel with its standard input.
"""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path
from typing import Any

from jupyter_client.manager import KernelManager

DEADLINE_S = 60


class Served:
    """The kernel and its client."""

    def __init__(self, folder: Path) -> None:
        self.manager = KernelManager(kernel_name="python3", connection_file=str(folder / "kernel-attacked.json"))
        self.manager.start_kernel()
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=DEADLINE_S)
        self._cell = ""

    def run(self, source: str) -> str:
        """Run a cell to its end: ``ok``, or the name of its error, which makes the kernel drop no cell that follows."""
        content = self.client.execute(source, reply=True, timeout=DEADLINE_S, stop_on_error=False)["content"]
        return str(content.get("ename", content["status"]))

    def value(self, expression: str) -> Any:
        """What it comes to there, or the name of its error."""
        asked = {"answer": expression}
        reply = self.client.execute("None", user_expressions=asked, reply=True, timeout=DEADLINE_S)
        told = reply["content"]["user_expressions"]["answer"]
        return ast.literal_eval(told["data"]["text/plain"]) if told["status"] == "ok" else told["ename"]

    def begin(self, source: str) -> None:
        """Start a cell, and wait until it has printed something."""
        self._cell = self.client.execute(source, stop_on_error=False)
        while self.client.get_iopub_msg(timeout=DEADLINE_S)["msg_type"] != "stream":
            pass

    def interrupt(self) -> str:
        """Interrupt the cell that was started: ``ok``, or the name of its error."""
        self.manager.interrupt_kernel()
        while (reply := self.client.get_shell_msg(timeout=DEADLINE_S))["parent_header"]["msg_id"] != self._cell:
            pass
        return str(reply["content"].get("ename", "ok"))

    def debug(self) -> list[bool]:
        """Switch the debugger on and off again, as JupyterLab does: whether each step worked."""
        common = {"clientID": "attacks", "adapterID": "attacks", "pathFormat": "path"}
        steps = {"initialize": common, "attach": {}, "disconnect": {"restart": False, "terminateDebuggee": False}}
        return [self._debug(command, arguments) for command, arguments in steps.items()]

    def _debug(self, command: str, arguments: dict[str, Any]) -> bool:
        content = {"type": "request", "seq": 1, "command": command, "arguments": arguments}
        asked = self.client.session.msg("debug_request", content)
        self.client.control_channel.send(asked)
        while (reply := self.client.get_control_msg(timeout=DEADLINE_S))["parent_header"]["msg_id"] != asked["msg_id"]:
            pass
        return bool(reply["content"]["success"])

    def restart(self, now: bool) -> None:
        """As the button does it, or by killing the kernel; the new one is not ready yet."""
        self.manager.restart_kernel(now=now)

    def ready(self) -> None:
        """Wait until the kernel answers."""
        self.client.wait_for_ready(timeout=DEADLINE_S)

    def close(self) -> None:
        """End the kernel."""
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


def main(folder: Path) -> None:
    """Until standard input ends."""
    served = Served(folder)
    try:
        print(json.dumps([served.manager.connection_file, served.manager.provisioner.pid]), flush=True)
        for line in sys.stdin:
            verb, *words = json.loads(line)
            print(json.dumps(getattr(served, verb)(*words)), flush=True)
    finally:
        served.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
