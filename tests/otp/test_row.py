"""Children started in a row: whatever is special about one of them, it is as if each were started by itself."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_sandbox.otp import IGNORE, Child, GenServer, Node, Ok, StartError, Stop, Supervisor, which_children
from jupyter_sandbox.runtime import Apply


class Plain(GenServer):
    """Nothing special."""


class Built(GenServer):
    """Has a constructor of its own."""

    def __init__(self, process: Any) -> None:
        super().__init__(process)


class Slow(GenServer):
    """Its init waits, or sends, or does not want, as it is told."""

    async def init(self, argument: Any) -> Any:
        await self.sleep(5)
        return argument


class Odd(GenServer):
    """Its init does what the argument says."""

    def init(self, argument: Any) -> Any:
        match argument:
            case "fail":
                raise ValueError(argument)
            case "stop":
                return Stop("no")
            case "ignore":
                return IGNORE
            case "ok":
                return Ok("state")
            case "to myself":
                self.send(self.pid, "hello")
            case "to my supervisor":
                assert self.parent is not None
                self.send(self.parent, "hello")
            case "kill my supervisor":
                assert self.parent is not None
                self.exit_signal(self.parent, "kill")
            case "spawn":
                self.spawn(idle)
            case "acknowledge":
                self.init_ack("early")
        return argument

    def handle_info(self, message: Any, state: Any) -> Any:
        return self.log("info", message) or Stop("normal", state)


class Below(Supervisor):
    """A supervisor among the children."""

    def init(self, argument: Any) -> Any:
        return [Child(Plain, 1, id=1), Child(Plain, 2, id=2)]


class Top(Supervisor):
    """Its children are between plain ones."""

    def init(self, argument: Any) -> Any:
        return [Child(Plain, n, id=n) for n in range(3)] + CASES[argument] + [Child(Plain, n, id=-n) for n in (1, 2)]


async def idle(self: Any) -> None:
    await self.sleep(1_000)


async def started(self: Any, _: Any) -> Any:
    return self.spawn_link(idle)


CASES: dict[str, list[Any]] = {
    **{what: [Child(Odd, what)] for what in (
        "fail", "stop", "ignore", "ok", "to myself", "to my supervisor", "kill my supervisor", "spawn", "acknowledge",
    )},
    "built": [Child(Built, 1, id="built")],
    "slow": [Child(Slow, 1), Child(Slow, 2, id="slower", timeout_ms=10)],
    "too slow": [Child(Slow, 1, timeout_ms=2)],
    "named": [Child(Plain, 1, name="one"), Child(Plain, 1, name="two")],
    "taken": [Child(Plain, 1, name="one"), Child(Plain, 1, name="one", id="again")],
    "badly named": [Child(Plain, 1, name="undefined")],
    "copied": [Child(Plain, {"a": [1, 2]}, id="copied")],
    "not to be copied": [Child(Plain, (item for item in ()), id="generator")],
    "with a function": [Child(start=started, id="function")],
    "kept": [Child(Plain, 1, id="kept", keep_state=True)],
    "below": [Child(Below, 1)],
    "a class": [Plain, (Built, 2)],
    "many": [Child(Plain, n, id=("many", n)) for n in range(200)],
}  # fmt: skip


async def go(self: Any, case: str) -> Any:
    """Start the supervisor; what it has then, or why it did not start."""
    self.trap_exit()
    try:
        top = await self.start_link(Top, case)
    except StartError as error:
        return repr(error.reason)
    await self.sleep(20)
    return repr([row[:2] for row in await which_children(self, top)]) if self.is_alive(top) else "gone"


def outcome(case: str, at_once: int, **options: Any) -> tuple[Any, int, int, int, int]:
    """What comes of a case in slices of ``at_once`` steps."""
    node = Node(**options)
    node.admit(Apply(1, f"{__name__}:go", (case,)))
    now = 0
    while now < 100:
        result = node.run(now, at_once)
        now = now + 1 if result.idle and result.steps < at_once else now
    (answer,) = node.take_replies()
    assert answer.ok, answer.error
    return answer.value, node.hash, node.step_number, node.messages_sent, node.process_spawns


@pytest.mark.parametrize("case", list(CASES))
def test_a_row_takes_the_steps_of_single_starts(case: str) -> None:
    assert outcome(case, 1_000_000) == outcome(case, 1) == outcome(case, 3)


@pytest.mark.parametrize(("case", "said"), [
    ("fail", "ValueError"), ("stop", "'no'"), ("taken", "already_started"), ("badly named", "undefined"),
    ("not to be copied", "NotCopyable"), ("too slow", "timeout"), ("kill my supervisor", "killed"),
    ("ignore", "'Odd', 'undefined'"), ("built", "'built', <0."), ("below", "'Below', <0."), ("many", "('many', 199)"),
])  # fmt: skip
def test_what_is_special_has_its_usual_outcome(case: str, said: str) -> None:
    assert said in outcome(case, 1_000_000)[0]


def test_a_node_that_is_full_says_so_in_the_middle_of_a_row() -> None:
    whole = outcome("many", 1_000_000, max_processes=50)
    assert whole == outcome("many", 1, max_processes=50) and "SystemLimit" in whole[0]
