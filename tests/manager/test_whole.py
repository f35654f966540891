"""What is asked for from Python comes whole or is an error; what a notebook shows may be cut, and says so."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from jupyter_sandbox.manager.manager import SandboxManager
from jupyter_sandbox.manager.sandbox import Sandbox
from jupyter_sandbox.model.data import Opaque
from jupyter_sandbox.model.errors import LimitExceeded
from jupyter_sandbox.model.picture import Drawn
from jupyter_sandbox.wire.values import PICTURED_BYTES

from ..images import png

KEEP = """
from jupyter_sandbox.otp import GenServer

class Keep(GenServer):
    def init(self, source):
        return eval(source)
"""
WAYS: dict[str, Callable[[Sandbox, bool], object]] = {
    "the state": lambda sandbox, cut: sandbox.state("Keep", cut=cut),
    "the value": lambda sandbox, cut: sandbox.exec(
        "from jupyter_sandbox.otp import sys\nawait sys.get_state(self, self.whereis('Keep'))", cut=cut
    ),
}
WHOLE = {
    "many numbers": "list(range(20_000))", "a long text": "'x' * 500_000",
    "many keys": "dict.fromkeys(range(9_000), 'v')",
    "long bytes in a tuple": "(b'x' * 300_000, [1])",
}  # fmt: skip
TOO_MUCH = {
    "more than a message has": ("'x' * 1_500_000", "it has 15000.. bytes, max_message is 1048576: %sandbox"),
    "too many things": ("[0] * 100_001", "it has more than the 100000 items that a reply can have"),
    "too many keys": ("dict.fromkeys(range(10_001))", "more than the 10000 keys that are no texts"),
}  # fmt: skip


@pytest.fixture
def make(manager: SandboxManager) -> Callable[[str], Sandbox]:
    def keeping(source: str) -> Sandbox:
        sandbox = manager.create("whole", code={"keep.py": KEEP}, limits={"max_memory": 200_000_000})
        sandbox.start("keep.Keep", source)
        return sandbox

    return keeping


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", WHOLE)
def test_a_state_or_a_value_comes_whole_and_goes_back_as_it_was(
    make: Callable[[str], Sandbox], name: str, way: str
) -> None:
    sandbox = make(WHOLE[name])
    found = WAYS[way](sandbox, False)
    assert found == eval(WHOLE[name])
    sandbox.set_state("Keep", found)
    assert sandbox.state("Keep") == found


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", TOO_MUCH)
def test_one_that_is_too_much_is_an_error_of_who_asks_and_an_alert(
    make: Callable[[str], Sandbox], name: str, way: str
) -> None:
    source, words = TOO_MUCH[name]
    sandbox = make(source)
    with pytest.raises(LimitExceeded, match=f"^{way}: .*{words}") as caught:
        WAYS[way](sandbox, False)
    assert caught.value.limit == "message_limit"
    (alert,) = sandbox.info().alerts
    assert re.search(words, alert) and alert.startswith(f"{way} was refused: ")
    assert WAYS[way](sandbox, True), "it can be looked at all the same"


@pytest.mark.parametrize("way", WAYS)
def test_one_that_is_cut_says_so_and_is_no_alert(make: Callable[[str], Sandbox], way: str) -> None:
    sandbox = make("[0] * 100_001")
    found = WAYS[way](sandbox, True)
    assert isinstance(found, list) and isinstance(found[-1], Opaque)
    assert repr(found[-1]) == f"… {100_001 - (len(found) - 1)} more" and not sandbox.info().alerts


def test_a_value_comes_whole_beside_its_picture_or_is_an_error(make: Callable[[str], Sandbox]) -> None:
    sandbox = make("0")
    sandbox.limits(max_message=10_000_000)
    drawn = f"class Dots(list):\n    def _repr_png_(self):\n        return {png()!r}\nDots([b'x' * SIZE])"
    found = sandbox.exec(drawn.replace("SIZE", "2_000_000"))
    assert isinstance(found, Drawn) and found.value == [b"x" * 2_000_000] and found.picture is not None
    with pytest.raises(LimitExceeded, match=f"no reply can have more than {PICTURED_BYTES} beside a picture; ask for"):
        sandbox.exec(drawn.replace("SIZE", "5_000_000"))
    assert sandbox.exec("b'x' * 5_000_000") == b"x" * 5_000_000
