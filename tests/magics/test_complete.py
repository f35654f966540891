"""What Tab offers, from names that are already known."""

from __future__ import annotations

import pytest

from jupyter_sandbox.magics.cells import Cell
from jupyter_sandbox.magics.complete import Known, complete
from jupyter_sandbox.magics.verbs import VERBS

SHOP = Known(("front", "shop/front"), ("counter",), ("counter.Shop",), ("before",))
ONE, TWO = {"shop": SHOP}, {"shop": SHOP, "bank": Known(("teller",))}


def offered(text: str, sandboxes: dict[str, Known], *, cell: bool = False) -> tuple[str, ...]:
    return complete(text, sandboxes, cell=cell).words


def test_an_empty_line_offers_every_verb() -> None:
    assert offered("", {}) == tuple(VERBS)


def test_a_cell_offers_cell_verbs_only() -> None:
    assert offered("", {}, cell=True) == ("module", "exec")


def test_after_the_verb_come_sandboxes_and_what_the_only_one_holds() -> None:
    assert offered("state ", TWO) == ("shop", "bank")
    assert offered("state ", ONE) == ("shop", "front", "shop/front")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("state shop ", ("front", "shop/front")),
        ("state bank t", ("teller",)),
        ("start shop ", ("counter.Shop", "counter")),
        ("restore shop ", ("before",)),
        ("events shop --k", ("--kind",)),
        ("call shop front --", ("--timeout", "--help")),
        ("call shop front --timeout 5 --", ("--help",)),
        ("create shop --po", ("--ports",)),
        ("create shop --ports 443 --po", ("--ports",)),
        ("create shop --clock ", ("real", "virtual")),
        ("until shop --process ", ("front", "shop/front")),
        ("help st", ("start", "stop", "state", "step")),
        ("tree shop ", ()),
        ("call shop front ", ()),
        ("nosuch ", ()),
    ],
)
def test_each_place_offers_what_fits_there(text: str, words: tuple[str, ...]) -> None:
    assert offered(text, TWO) == words


def test_every_offer_says_what_it_is() -> None:
    found = complete("state ", ONE)
    assert (found.kinds["shop"], found.kinds["front"]) == ("sandbox", "process")


@pytest.mark.parametrize(
    ("source", "main"),
    [
        ("class Shop(Supervisor):\n    pass\nclass Sessions(DynamicSupervisor):\n    pass\n", "Shop"),
        ("class Site(application.Application):\n    x: int\nclass Top(Supervisor):\n    pass\n", "Site"),
        ("class Top(Supervisor):\n    pass\nclass Counter(GenServer[int, str]):\n    pass\n", "Top"),
        ("class Counter(GenServer):\n    pass\nclass Other(GenServer):\n    pass\nclass Plain:\n    pass\n", "Other"),
    ],
)
def test_the_likeliest_main_of_a_cell_is_proposed(source: str, main: str) -> None:
    assert Cell(source, "In[1]", 1).classes()[-1] == main
