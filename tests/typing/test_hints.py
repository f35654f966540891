"""The type hints are of use to a checker, and at run time they are nothing."""

from __future__ import annotations

import pickle
import re
import runpy
from pathlib import Path
from typing import Any

import pytest
from mypy import api

from jupyter_sandbox.otp import (
    CallResult,
    GenServer,
    GenStatem,
    NextState,
    Node,
    NoReply,
    Ok,
    OtpContext,
    Reply,
    Stop,
    Supervisor,
)

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
ERROR = re.compile(r"(?P<file>[^:]+):(?P<line>\d+): error: (?P<text>.*)  \[(?P<code>[\w-]+)\]")
EXPECTED = re.compile(r" +# expected: \[(?P<code>[\w-]+)\] (?P<text>.*)")


@pytest.fixture(scope="module")
def found() -> list[tuple[str, int, str, str]]:
    """What mypy says of the two files, with the package's own strict settings: file, line, code, text."""
    files = [str(HERE / "accepted.py"), str(HERE / "refused.py")]
    output, problem, _ = api.run(["--config-file", str(ROOT / "pyproject.toml"), *files])
    assert problem == ""
    matches = [ERROR.fullmatch(line) for line in output.splitlines() if ": error: " in line]
    return [(Path(m["file"]).name, int(m["line"]), m["code"], m["text"]) for m in matches if m is not None]


def test_a_checker_accepts_the_hints_in_use_and_code_without_any(found: list[tuple[str, int, str, str]]) -> None:
    assert [error for error in found if error[0] != "refused.py"] == []


def test_a_checker_refuses_every_line_that_is_wrong_and_no_other(found: list[tuple[str, int, str, str]]) -> None:
    lines = (HERE / "refused.py").read_text().splitlines()
    expected = {above + 1: m for above, line in enumerate(lines, 1) if (m := EXPECTED.fullmatch(line)) is not None}
    refused = {line: (code, text) for file, line, code, text in found if file == "refused.py"}

    assert len(expected) >= 20
    assert refused.keys() == expected.keys()
    for line, (code, text) in refused.items():
        assert code == expected[line]["code"] and expected[line]["text"] in text, (line, code, text)


@pytest.mark.parametrize("kind", [GenServer, GenStatem, Reply, NoReply, Stop, Ok, NextState, CallResult])
def test_at_run_time_parameters_are_nothing(kind: Any) -> None:
    assert kind[int] is kind
    assert kind[int, str, "a name that does not exist"] is kind


def test_a_server_with_parameters_is_one_like_any_other() -> None:
    class Typed(GenServer[int, str, int, str]):
        def init(self, argument: int) -> int:
            return argument

        def handle_call(self, request: str, caller: Any, n: int) -> Reply[int, int] | NoReply[int]:
            return Reply(n, n + 1)

    async def main(self: OtpContext) -> Any:
        pid = await self.start(Typed, 4, name="typed")
        assert pid is not None
        kept = self._process.node.processes[pid].context
        assert not hasattr(kept, "__dict__")
        with pytest.raises(AttributeError, match="keeps its state in what its callbacks return"):
            kept.n = 1
        return [await self.call("typed", "next"), await self.call("typed", "next")]

    assert Node().run_function(main) == [4, 5]
    assert Typed.__mro__[:2] == (Typed, GenServer)
    assert not hasattr(Typed, "__orig_bases__")


def test_values_with_parameters_pickle_and_have_no_attributes_of_their_own() -> None:
    reply = Reply[int, str](1, "state")

    assert type(reply) is Reply and pickle.loads(pickle.dumps(reply)) == reply
    assert not hasattr(reply, "__dict__")


def test_a_behaviour_without_parameters_stays_as_it_is() -> None:
    class Top(Supervisor):
        def init(self, _):  # type: ignore[no-untyped-def]
            return []

    assert Node().run_function(lambda self: self.start(Top)) is not None


def test_the_example_of_the_documents_is_accepted_and_runs(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "from-erlang.md").read_text()
    example = text.split("```python\n", 1)[1].split("```", 1)[0]
    file = tmp_path / "example.py"
    file.write_text(example)
    output, problem, status = api.run(["--config-file", str(ROOT / "pyproject.toml"), str(file)])
    assert (output.startswith("Success"), problem, status) == (True, "", 0), output

    names = runpy.run_path(str(file))

    async def main(self: OtpContext) -> Any:
        counter = await self.start(names["Counter"], 3)
        return [await self.call(counter, names["Next"]()), await self.call(counter, names["Add"](5))]

    assert Node().run_function(main) == [3, 9]
