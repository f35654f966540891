"""A stand-in for the kernel's side: tells a made-up sandbox by the protocol of the Lab panel, and obeys its verbs.

It is loaded in a kernel with ``%load_ext fake_panel_kernel``, so the panel can be shown any tree, at any speed, and
a test fails for the panel's sake alone.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

MAIN = "counter.Shop"


def process(name: str, parent: str | None, **facts: Any) -> dict[str, Any]:
    key = name if parent is None else f"{parent}/{name}"
    return {
        "key": key, "pid": f"<0.{sum(key.encode())}.0>", "name": name, "kind": "worker", "behaviour": "counter.Counter",
        "status": "waiting", "parent": parent, "registered": name, "state": "0", "queue": 0, "restarts": 0, "steps": 2,
        "strategy": None, "budget_left": None, "budget": None, "period_s": None, "links": ["<0.2.0>"], "monitors": [],
        "last_exit": None, "code_version": 1, **facts,
    }  # fmt: skip


def shop() -> dict[str, dict[str, Any]]:
    supervisor = {"kind": "supervisor", "strategy": "one_for_one", "budget_left": 3, "budget": 3, "period_s": 5}
    stock = {**supervisor, "strategy": "rest_for_one", "behaviour": "counter.Stock"}
    processes = [
        process("shop", None, behaviour=MAIN, **supervisor),
        process("front", "shop", status="running"),
        process("back", "shop", state="100", queue=3),
        process("stock", "shop", **stock),
        process("shelf", "shop/stock", status="suspended", state="Shelf(items=['tea', 'rice', 'sugar'], full=False)"),
        process("scale", "shop/stock", restarts=1, status="restarting", pid=None, last_exit="ValueError: no weight"),
        process("till", "shop/stock", status="stopped", pid=None),
    ]
    return {one["key"]: one for one in processes}


class FakeKernel:
    """One sandbox named ``shop`` and the channel it is told on."""

    def __init__(self, kernel: Any) -> None:
        self.kernel = kernel
        self.seq = 0
        self.lock = threading.Lock()
        self.requests: list[str] = []
        self.trees = {"shop": shop()}
        self.status = {"shop": "running"}
        self.ids = {"shop": 1}
        self.snapshots: list[tuple[str, str]] = []
        self.gate = threading.Event()
        """Requests are obeyed as long as it is set."""
        self.gate.set()
        self.step = 41

    def tell(self, kind: str, **content: Any) -> None:
        with self.lock:
            self.seq += 1
            told = {"seq": self.seq, "type": kind, **content}
            self.kernel.session.send(self.kernel.iopub_socket, "sandbox_event", told, parent={}, ident=b"sandbox_event")

    def info(self, name: str) -> dict[str, Any]:
        counters = {"processes": len(self.trees[name]), "longest_queue": 3, "steps": self.step}
        return {
            "id": self.ids[name], "name": name, "app_name": "sandbox_1", "status": self.status[name], "reason": "",
            "created_at": 0.0, "os_pid": 4711, "main": MAIN, "memory": 12_400_000, "memory_peak": 14_000_000,
            "runtime_s": 300, "lived_s": 252, "counters": counters, "modules": ["counter"], "alerts": [],
            "limits": {"max_processes": 8, "max_memory": 50_000_000, "max_runtime": 300_000, "max_mailbox": 10_000},
            "protection": {
                "profile": "standard", "layers": [], "not_stopped": ["reading files", "the network"], "opened": ["net"],
            },
            "protection_line": "standard (net) · rlimits ✓ · no_new_privs ✓",
        }  # fmt: skip

    def tree(self, name: str) -> dict[str, Any]:
        return {"sandbox": name, "step": self.step, "now_ms": 0, "processes": list(self.trees[name].values())}

    def hello(self) -> None:
        names = list(self.trees)
        self.tell(
            "hello", version="0.0.fake", sandboxes=[self.info(name) for name in names],
            trees={name: self.tree(name) for name in names},
        )  # fmt: skip

    def change(self, name: str, *keys: str, **facts: Any) -> None:
        """Change processes of a sandbox, told as one diff."""
        self.step += 1
        for key in keys:
            self.trees[name][key] = {**self.trees[name][key], **facts}
        changed = [self.trees[name][key] for key in keys]
        diff = {"sandbox": name, "step": self.step, "now_ms": 0, "changed": changed, "removed": [], "order": None}
        self.tell("diff", name=name, diff=diff)

    def set_status(self, name: str, status: str) -> None:
        self.status[name] = status
        self.tell("sandbox", info=self.info(name))

    def on_request(self, stream: Any, ident: Any, parent: dict[str, Any]) -> None:
        request = parent["content"]
        self.requests.append(request["verb"])
        ack = {"status": "ok", "id": request["id"]}
        self.kernel.session.send(stream, "sandbox_reply", ack, parent, ident)
        threading.Thread(target=self.obey, args=(request,), daemon=True).start()

    def obey(self, request: dict[str, Any]) -> None:
        self.gate.wait()
        verb, name, args = request["verb"], request["sandbox"], request["args"]
        if verb == "hello":
            self.hello()
            return
        try:
            value = self.verbs()[verb](name, **args)
        except KeyError:
            self.tell("result", id=request["id"], ok=False, error=f"verb {verb!r} is not known")
        else:
            self.tell("result", id=request["id"], ok=True, value=value)

    def verbs(self) -> dict[str, Callable[..., Any]]:
        return {
            "pause": lambda name: self.set_status(name, "paused"),
            "resume": lambda name: self.set_status(name, "running"),
            "stop": lambda name: self.set_status(name, "stopped"),
            "start": lambda name: self.set_status(name, "running"),
            "step": self.take_steps,
            "destroy": self.destroy,
            "kill_process": self.kill_process,
            "suspend_process": lambda name, target: self.change(name, self.key(name, target), status="suspended"),
            "unsuspend_process": lambda name, target: self.change(name, self.key(name, target), status="waiting"),
            "inspect": self.inspect,
            "snapshot": lambda name, /, **args: self.snapshots.append((name, args["name"])),
            "tree": lambda name: self.tell("tree", name=name, tree=self.tree(name)),
        }

    def take_steps(self, name: str, count: int) -> None:
        steps = []
        for _ in range(count):
            self.step += 1
            state = int(self.trees[name]["shop/front"]["state"])
            self.change(name, "shop/front", state=str(state + 1))
            told = f"#{self.step} front handled call 'next' from <0.9.0> · state {state} → {state + 1}"
            steps.append({
                "step": self.step, "pid": "<0.4.0>", "name": "front", "kind": "call", "message": "'next'",
                "sender": "<0.9.0>", "state_before": str(state), "state_after": str(state + 1),
                "did": [f"replied {state} to <0.9.0>"], "now_ms": 0, "line": told,
            })  # fmt: skip
        self.tell("steps", name=name, steps=steps, step=self.step)

    def key(self, name: str, pid: str) -> str:
        """Of the process that has this pid now."""
        return {one["pid"]: key for key, one in self.trees[name].items()}[pid]

    def kill_process(self, name: str, target: str) -> None:
        target = self.key(name, target)
        restarts = self.trees[name][target]["restarts"] + 1
        self.change(name, target, restarts=restarts, state="0", pid=f"<0.{self.step + 10_000}.0>")
        self.tell(
            "notice", name=name, level="error", text="killed, restarted 1 of 3 in 5 s", process=target,
            traceback=["Traceback (most recent call last):", "  Cell In[2], line 9", "TypeError: unsupported operand"],
        )  # fmt: skip

    def destroy(self, name: str) -> None:
        del self.trees[name]
        self.tell("removed", name=name, id=self.ids[name])

    def create(self, name: str) -> None:
        """Make another sandbox, or a sandbox of that name anew."""
        self.trees[name], self.ids[name] = shop(), max(self.ids.values()) + 1
        self.set_status(name, "running")

    def inspect(self, name: str, target: str) -> dict[str, Any]:
        event = {
            "step": 40,
            "now_ms": 0,
            "kind": "message_handled",
            "pid": "<0.4.0>",
            "name": "front",
            "text": "'next'",
        }
        return {
            "process": self.trees[name][target], "mailbox": ["('add', 1)", "'next'"], "mailbox_omitted": 5,
            "waiting_for": "any message", "links": ["<0.2.0>"], "monitors": [], "monitored_by": ["<0.9.0>"],
            "events": [event], "initial_call": "", "ancestors": [],
        }  # fmt: skip

    def grow(self, size: int) -> None:
        """Show a tree of many processes, six to a supervisor."""
        keys = ["root"]
        for index in range(1, size):
            keys.append(f"{keys[(index - 1) // 6]}/p{index}")
        self.trees["shop"] = {
            key: {**process(key.rpartition("/")[2], key.rpartition("/")[0] or None), "key": key} for key in keys
        }
        self.tell("tree", name="shop", tree=self.tree("shop"))

    def fan(self, size: int) -> None:
        """Show a supervisor with many children."""
        self.trees["shop"] = {"root": process("root", None, kind="supervisor", strategy="one_for_one")}
        self.trees["shop"] |= {f"root/c{index}": process(f"c{index}", "root") for index in range(size)}
        self.tell("tree", name="shop", tree=self.tree("shop"))

    def churn(self, seconds: float) -> None:
        """Ten diffs a second."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.change("shop", "shop/front", queue=self.step % 5)
            time.sleep(0.1)


def load_ipython_extension(ipython: Any) -> None:
    fake = FakeKernel(ipython.kernel)
    ipython.kernel.control_handlers["sandbox_request"] = fake.on_request
    ipython.user_ns["fake"] = fake
    fake.hello()


def unload_ipython_extension(ipython: Any) -> None:
    del ipython.kernel.control_handlers["sandbox_request"]
    ipython.user_ns.pop("fake").tell("bye")
