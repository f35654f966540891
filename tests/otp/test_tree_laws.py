"""Laws of whole trees in a real node: the order of starts and stops on every path, and nothing left at the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_sandbox.otp import (
    KEEP,
    After,
    Child,
    GenServer,
    GenStatem,
    NextState,
    Node,
    NoReply,
    Ok,
    OtpContext,
    ProcessExit,
    Registry,
    Reply,
    SetEventTimeout,
    SetStateTimeout,
    SetTimeout,
    Spec,
    StartError,
    Supervisor,
    Task,
    TaskSupervisor,
)

from .chance import Shuffled

seeds = st.integers(0, 2**16)


# --- the order of starts and stops ------------------------------------------------------------------------------------


@dataclass
class Plan:
    """A server, or a supervisor with children; ``fails`` says which of its starts fail, the last one first."""

    strategy: str = ""
    intensity: int = 3
    restart: str = "permanent"
    children: list[Plan] = field(default_factory=list)
    fails: list[bool] = field(default_factory=list)


class Witness:
    """Sees every start and stop, and says what is wrong with it."""

    def __init__(self) -> None:
        self.wrong: list[str] = []
        self.booting: dict[str, int] = {}
        """How many children a supervisor that is being started has begun to start."""
        self.plans: dict[str, Plan] = {}
        self.seen: set[str] = set()
        """What kinds of paths were taken, to know that the law was tried."""

    def begins(self, node: Node, path: str) -> None:
        parent, number = path.rsplit(".", 1)
        if parent in self.booting:
            if int(number) != self.booting[parent]:
                self.wrong.append(f"{path} was started out of turn")
            self.booting[parent] += 1
            if self.booting[parent] == len(self.plans[parent].children):
                del self.booting[parent]
            return
        self.seen.add("restart")
        if self.plans[parent].strategy != "one_for_one":
            self._nobody_later_runs(node, parent, int(number), "started")

    def ends(self, node: Node, path: str, reason: Any) -> None:
        if reason == "shutdown":
            parent, number = path.rsplit(".", 1)
            self.seen.add("stop")
            self._nobody_later_runs(node, parent, int(number), "stopped")

    def _nobody_later_runs(self, node: Node, parent: str, number: int, what: str) -> None:
        for later in range(number + 1, len(self.plans[parent].children)):
            if f"{parent}.{later}" in node.names:
                self.wrong.append(f"{parent}.{number} was {what} while {later} ran")


class Leaf(GenServer):
    def init(self, argument: tuple[str, Plan, Witness]) -> Any:
        path, plan, witness = argument
        witness.begins(self._process.node, path)  # type: ignore[arg-type]
        if plan.fails and plan.fails.pop():
            raise RuntimeError("does not start")
        self.trap_exit()
        return argument

    def handle_cast(self, request: Any, argument: Any) -> Any:
        raise RuntimeError("crash")

    def terminate(self, reason: Any, argument: tuple[str, Plan, Witness]) -> None:
        path, _, witness = argument
        witness.ends(self._process.node, path, reason)  # type: ignore[arg-type]


class Inner(Supervisor):
    def init(self, argument: tuple[str, Plan, Witness]) -> Any:
        path, plan, witness = argument
        if "." in path:
            witness.begins(self._process.node, path)  # type: ignore[arg-type]
        witness.plans[path] = plan
        if plan.children:
            witness.booting[path] = 0
        return Spec(
            [_child(f"{path}.{number}", child, witness) for number, child in enumerate(plan.children)],
            plan.strategy, plan.intensity, 5,
        )  # fmt: skip


def _child(path: str, plan: Plan, witness: Witness) -> Child:
    module: Any = Inner if plan.strategy else Leaf
    return Child(module, (path, plan, witness), name=path, restart=plan.restart)


restarts = st.sampled_from(["permanent", "permanent", "transient", "temporary"])
leaves = st.builds(Plan, restart=restarts, fails=st.lists(st.sampled_from([False, False, True]), max_size=4))


def _supervisor(children: st.SearchStrategy[Plan]) -> st.SearchStrategy[Plan]:
    return st.builds(
        Plan,
        strategy=st.sampled_from(["one_for_one", "one_for_all", "rest_for_one"]),
        intensity=st.integers(0, 4),
        restart=restarts,
        children=st.lists(children, max_size=4),
    )


trees = _supervisor(st.recursive(leaves, _supervisor, max_leaves=8))


async def _live(self: OtpContext, tree: Plan, crashes: list[int], witness: Witness) -> None:
    """Start the tree, crash servers one after the other, stop what is left."""
    self.trap_exit()
    try:
        top = await self.start_link(Inner, ("top", tree, witness), name="top")
    except StartError:
        witness.seen.add("failed start")
        return
    for number in crashes:
        servers = sorted(name for name in self._process.node.names if self._process.node.names[name] != top)
        if servers:
            self.cast(servers[number % len(servers)], "crash")
        await self.sleep(number % 3 * 700)
    if self.is_alive(top):  # type: ignore[arg-type]
        self.exit_signal(top, "shutdown")
        await self.receive()


@given(seed=seeds, tree=trees, crashes=st.lists(st.integers(0, 30), max_size=8))
@settings(max_examples=200, deadline=None)
def test_start_order_is_kept_and_stop_order_reversed_on_every_path_in_a_node(
    seed: int, tree: Plan, crashes: list[int]
) -> None:
    witness = Witness()
    node = Node(policy=Shuffled(seed), isolation="share")

    async def main(self: OtpContext) -> None:
        await _live(self, tree, crashes, witness)

    node.run_function(main)
    node.run(node.now_ms)

    assert witness.wrong == []
    assert not node.names and not node.processes


def test_the_law_of_orders_has_seen_every_path() -> None:
    def run(tree: Plan, crashes: list[int]) -> set[str]:
        witness = Witness()
        node = Node(isolation="share")
        node.run_function(lambda self: _live(self, tree, crashes, witness))
        assert witness.wrong == []
        return witness.seen

    two = [Plan(), Plan()]
    assert run(Plan("one_for_all", children=two), [0]) == {"restart", "stop"}
    assert run(Plan("one_for_one", children=[Plan(), Plan(), Plan(fails=[True])]), []) == {"stop", "failed start"}


# --- nothing is left --------------------------------------------------------------------------------------------------


class Busy(GenServer):
    """Has a timeout, timers, a table, an alias, a monitor and a key; it waits in a call when told to."""

    def init(self, friend: str) -> Any:
        self.send_after(5_000, self.pid, "late")
        self.send_interval(700, self.pid, "again")
        self.ets.fix(self.ets.new(f"of {self.pid}", named=True))
        self.monitor(friend)
        self.alias()
        Registry.register(self, "keys", self.pid)
        return Ok(friend, After(3_000))

    async def handle_cast(self, request: Any, friend: str) -> Any:
        match request:
            case "call":
                await self.call(friend, "never", 400)
            case "receive":
                await self.receive(lambda m: m == "never", timeout_ms=9_000, default=None)
            case "task":
                await Task.await_(self, Task.async_(self, lambda self: self.sleep(50)))
            case "crash":
                self.exit("crash")
        return NoReply(friend, After(2_000))

    def handle_call(self, request: Any, caller: Any, friend: str) -> Any:
        return NoReply(friend) if request == "never" else Reply(request, friend)

    def handle_info(self, message: Any, friend: str) -> Any:
        return NoReply(friend)


class Ticking(GenStatem):
    """Has all three kinds of timeouts."""

    mode = "handle_event_function"

    def init(self, argument: Any) -> Any:
        return NextState("on", None, [SetStateTimeout(4_000), SetEventTimeout(3_000), SetTimeout("own", 6_000)])

    def handle_event(self, event: Any, state: Any, data: Any) -> Any:
        return KEEP


class System(Supervisor):
    intensity = 100

    def init(self, argument: Any) -> Any:
        return [
            Registry.child("keys"), (TaskSupervisor, None),
            *[Child(Busy, f"busy {1 - n}", name=f"busy {n}") for n in (0, 1)],
            Child(Ticking, name="ticking"),
        ]  # fmt: skip


@given(
    seed=seeds,
    orders=st.lists(
        st.tuples(st.integers(0, 1), st.sampled_from(["call", "receive", "task", "crash"]), st.integers(0, 900)),
        max_size=12,
    ),
    reason=st.sampled_from(["shutdown", "kill"]),
)
@settings(max_examples=100, deadline=None)
def test_no_process_timer_monitor_alias_or_table_is_left_after_a_tree(
    seed: int, orders: list[tuple[int, str, int]], reason: str
) -> None:
    async def main(self: OtpContext) -> None:
        self.trap_exit()
        top = await self.start_link(System)
        for number, order, pause in orders:
            self.cast(f"busy {number}", order)
            await self.sleep(pause)
        self.exit_signal(top, reason)
        await self.receive()

    node = Node(policy=Shuffled(seed))
    node.run_function(main)
    node.run(node.now_ms)

    assert not node.processes and not node.names and not node.aliases
    assert not node.tables.by_id and not node.tables.names and not node.tables.owned and not node.tables.fixing
    assert node.next_deadline() is None and not node.timers and not node.young


# --- the order of what is heard of a death ----------------------------------------------------------------------------


@given(
    seed=seeds,
    owned=st.lists(st.sampled_from(["named", "inherited", "plain"]), max_size=4),
    relations=st.lists(st.sampled_from(["link", "monitor", "name", "tag"]), min_size=1, max_size=4),
    reason=st.sampled_from(["kill", "boom", "normal"]),
)
@settings(max_examples=100, deadline=None)
def test_names_and_tables_are_free_before_links_and_monitors_tell(
    seed: int, owned: list[str], relations: list[str], reason: str
) -> None:
    heard: list[tuple[str, Any, Any]] = []

    async def owner(self: OtpContext, watcher: Any) -> None:
        self.register("owner")
        for number, kind in enumerate(owned):
            self.ets.new(f"t{number}", named=kind != "plain", heir=watcher if kind == "inherited" else None)
        await self.receive()
        raise ProcessExit(reason)

    async def main(self: OtpContext) -> None:
        self.trap_exit()
        pid = self.spawn(owner, self.pid)
        await self.sleep(1)
        for relation in relations:
            if relation == "link":
                self.link(pid)
            else:
                self.monitor("owner" if relation == "name" else pid, **({"tag": "t"} if relation == "tag" else {}))
        if reason == "kill":
            self.exit_signal(pid, "kill")
        else:
            self.send(pid, "end")
        ends = len(relations) - max(0, relations.count("link") - 1)  # several links are one
        for _ in range(owned.count("inherited") + ends):
            message = await self.receive()
            gone = [number for number, kind in enumerate(owned) if kind == "named" and self.ets.whereis(f"t{number}")]
            heard.append((type(message).__name__, self.whereis("owner"), gone))
        mine = [self.ets.info(f"t{number}") for number, kind in enumerate(owned) if kind == "inherited"]
        assert all(info is not None and info["owner"] == self.pid for info in mine)

    Node(policy=Shuffled(seed)).run_function(main)

    assert [(name, gone) for _, name, gone in heard] == [(None, [])] * len(heard)
    kinds = [kind == "Transfer" for kind, _, _ in heard]
    assert kinds == sorted(kinds, reverse=True), "what was inherited comes before any word of the death"
