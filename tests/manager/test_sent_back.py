"""What came out of a sandbox and is sent back is the same value there, or is refused and changes nothing."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from jupyter_sandbox.manager.manager import SandboxManager
from jupyter_sandbox.manager.pickles import pack
from jupyter_sandbox.manager.sandbox import Sandbox
from jupyter_sandbox.model.data import Opaque, Record
from jupyter_sandbox.model.errors import UsageError
from jupyter_sandbox.model.picture import Drawn

STOCK = """
import enum
from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple
from jupyter_sandbox.otp import Child, GenServer, NoReply, Reply, Supervisor

class Colour(enum.Enum):
    RED = 1

class Place(NamedTuple):
    row: int

@dataclass(frozen=True)
class Order:
    item: str
    place: Place

def nothing(self, *args):
    pass

class Stock(GenServer):
    def init(self, first):
        return [Order("tea", Place(1))] if first is None else first
    def handle_call(self, request, caller, state):
        match request:
            case "state":
                return Reply(state, state)
            case "total":
                return Reply(sum(isinstance(one, Order) and isinstance(one.place, Place) for one in state), state)
            case "counts":
                return Reply((type(state).__name__, Counter("aa")), state)
            case "colour":
                return Reply({"colours": [Colour.RED]}, state)
            case ("add", Order() as order):
                return Reply("taken", [*state, order])
        return Reply(f"what is {request}?", state)
    def handle_cast(self, order, state):
        return NoReply([*state, order])
    def handle_info(self, order, state):
        return NoReply([*state, order])

class Store(Supervisor):
    def init(self, _):
        return [Child(Stock, None, name="stock")]
"""


@pytest.fixture
def stock(manager: SandboxManager) -> Sandbox:
    sandbox = manager.create("stock", code={"goods.py": STOCK})
    sandbox.start("goods.Store")
    return sandbox


def test_a_record_that_is_sent_back_is_an_object_of_its_class_again(stock: Sandbox) -> None:
    stock.set_state("stock", stock.state("stock"))
    assert stock.call("stock", "total") == 1
    (order,) = stock.call("stock", "state")  # type: ignore[misc]
    assert isinstance(order, Record) and stock.call("stock", ("add", order)) == "taken"
    stock.cast("stock", order)
    stock.send("stock", order)
    assert stock.call("stock", "total") == 4
    stock.spawn("goods.Stock", [order, order], name="second")
    assert stock.call("second", "total") == 2


def test_a_record_whose_class_is_not_there_is_refused_and_nothing_changes(
    stock: Sandbox, manager: SandboxManager
) -> None:
    stock.load({"goods.py": STOCK.replace("    item: str\n", "    item: str\n    price: int\n", 1)})
    other = manager.create("other", code={"goods.py": STOCK.replace("Order", "Request")})
    other.start("goods.Store")
    order = Record("goods.Order", {"item": "tea", "place": Record("goods.Place", {"row": 1})})
    before = [str(other.state("stock")), str(stock.state("stock"))]
    with pytest.raises(UsageError, match=r"^the class goods\.Order of what was sent back is not in this sandbox"):
        other.set_state("stock", [order])
    with pytest.raises(
        UsageError, match=r"^goods\.Order has the fields item, price, place, and what was sent back has"
    ):
        stock.cast("stock", order)
    assert [str(other.state("stock")), str(stock.state("stock"))] == before


WAYS_IN: dict[str, Callable[[Sandbox, SandboxManager, object], object]] = {
    "set_state": lambda stock, manager, value: stock.set_state("stock", value),
    "call": lambda stock, manager, value: stock.call("stock", value),
    "cast": lambda stock, manager, value: stock.cast("stock", value),
    "send": lambda stock, manager, value: stock.send("stock", value),
    "spawn": lambda stock, manager, value: stock.spawn("goods.nothing", value),
    "start": lambda stock, manager, value: (stock.stop(), stock.start("goods.Store", value)),
    "args": lambda stock, manager, value: manager.create("other", args=(value,)),
    "env": lambda stock, manager, value: manager.create("other", env={"first": value}),
}
_NAMES = {"args": "args", "env": "env", "start": "the arguments", "spawn": "the arguments", "call": "the request",
          "set_state": "the state"}  # fmt: skip
_PLACES = {"args": "[0]", "env": "['first']", "start": "[0]", "spawn": "[0]"}


@pytest.mark.parametrize("way", WAYS_IN)
def test_what_came_out_in_words_only_is_refused_on_every_way_in_with_its_place(
    stock: Sandbox, manager: SandboxManager, way: str
) -> None:
    told = stock.call("stock", "colour")
    with pytest.raises(UsageError) as caught:
        WAYS_IN[way](stock, manager, told)
    place = f"{_PLACES.get(way, '')}['colours'][0]"
    assert str(caught.value) == (
        f"{_NAMES.get(way, 'the message')} cannot be sent into a sandbox: at {place} it has Colour.RED, of which only "
        "these words came out of a sandbox; change the value inside: %%sandbox exec"
    )
    if way != "start":
        assert stock.call("stock", "total") == 1


def test_what_came_out_as_a_plain_type_is_that_when_it_is_sent_back(stock: Sandbox) -> None:
    _, counts = stock.call("stock", "counts")  # type: ignore[misc]
    assert type(counts) is dict and stock.set_state("stock", counts) == {"a": 2}
    assert stock.call("stock", "counts") == ("dict", {"a": 2})


@dataclass
class _Mine:
    """An object of the notebook's own."""

    kept: object


FOUND = Opaque("goods.Colour", "Colour.RED")
PLACES: dict[str, tuple[Any, str]] = {
    "alone": (FOUND, "it is Colour.RED, of which"), "in a set": ({FOUND}, "at {} it has"),
    "as a key": ({(1, FOUND): 2}, "at .keys()[1] it has"),
    "in a record": (Record("a.B", {"x": [FOUND]}), "at .x[0] it"),
    "in an object": ((_Mine({"a": FOUND}),), "at [0].kept['a'] it has"),
    "in a list that holds itself": ([FOUND], "at [0] it has"),
    "where nobody looks": (itertools.cycle([FOUND]), "it is Colour.RED, of which"),
}  # fmt: skip
PLACES["in a list that holds itself"][0].append(PLACES["in a list that holds itself"][0])


@pytest.mark.parametrize("name", PLACES)
def test_the_place_of_what_came_out_in_words_is_found_in_any_value(name: str) -> None:
    value, words = PLACES[name]
    with pytest.raises(UsageError) as caught:
        pack(value)
    assert f"the argument cannot be sent into a sandbox: {words}" in str(caught.value)


def test_a_value_with_its_picture_is_refused_with_what_to_send() -> None:
    with pytest.raises(UsageError, match=r"at \[0\] it has a value with its picture; send its \.value$"):
        pack([Drawn([1], None)])


def test_a_want_of_memory_in_the_kernel_is_not_told_as_a_fault_of_the_value() -> None:
    class Short:
        def __reduce__(self) -> str:
            raise MemoryError

    with pytest.raises(UsageError, match="the kernel has no memory to send the argument of type Short: free some"):
        pack(Short())
