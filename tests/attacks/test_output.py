"""Attacks on the eyes of the user: output without end or with tricks in it, and objects that lie about themselves."""

from __future__ import annotations

import re

import pytest

from jupyter_sandbox.widgets.safe import block

from .conftest import HANGING, Arena, growing_at_most
from .tools import CONTROL

PRINTS = {
    "without end": "while True: print('x' * 1000)",
    "one line without end": "import sys\nwhile True: sys.stdout.write('x' * 100_000)",
    "below Python": "import os\nwhile True: os.write(1, b'y' * 65536)",
    "on the stream of errors": "import os\nwhile True: os.write(2, b'z' * 65536)",
}
TRICKS = {
    "the title of the terminal": "\\x1b]0;owned\\x07",
    "the clipboard": "\\x1b]52;c;b3duZWQ=\\x07",
    "moving up and writing over": "\\x1b[5A\\x1b[2Kroot# ",
    "clearing the screen": "\\x1b[2J\\x1b[H",
    "a link that is not what it says": "\\x1b]8;;http://evil\\x07good\\x1b]8;;\\x07",
    "going back to the start of the line": "safe\\rowned",
    "eight bit escapes": "\\x9b31m\\x9d0;x\\x9c",
    "nulls and backspaces": "a\\x00b\\x08\\x08c\\x7f",
    "colours in which nothing is seen": "\\x1b[8mhidden \\x1b[30;40mX",
    "another direction": "\\u202egpj.exe\\u2066",
    "what is not seen at all": "a\\u200bb\\u2060c\\xad\\U000e0041",
}
LIARS = {
    "a repr that hangs": "def __repr__(self):\n        while True: pass",
    "a repr that raises": "def __repr__(self): raise KeyError",
    "a repr that is no text": "def __repr__(self): return 5",
    "a repr of a gigabyte": "def __repr__(self): return 'x' * 10**9",
    "a repr of control characters": "def __repr__(self): return '\\x1b]0;owned\\x07'",
    "a class that lies": "__class__ = property(lambda self: str)\n    def encode(self, *a): raise SystemExit",
    "attributes that lie": "def __getattribute__(self, name): raise MemoryError",
    "a name that is no name": "pass\nEvil.__qualname__ = Evil.__name__ = '<img src=x onerror=alert(1)>'",
    "html of its own": "def _repr_html_(self): return '<script>alert(1)</script>'",
    "any picture of its own": "def _repr_mimebundle_(self, **_): return {'text/html': '<script>alert(1)</script>'}",
    "a hash that hangs": "def __hash__(self):\n        while True: pass",
    "equality that hangs": "def __eq__(self, other):\n        while True: pass\n    __hash__ = None",
    "a pickle that acts": "def __reduce__(self): return (print, ('owned',))",
    "a length that lies": "def __len__(self): return 10**18\n    def __iter__(self):\n        while True: yield self",
}


@pytest.mark.parametrize("name", PRINTS)
def test_output_without_end_is_cut_and_counted(arena: Arena, name: str) -> None:
    sandbox = arena.attacker(limits={"handler_budget": 700, "max_output": 10_000})
    with growing_at_most(20_000_000):
        assert arena.attack(PRINTS[name], sandbox).error is not None
    dropped = r"\[\d+ bytes of std(out|err) dropped\]"
    arena.until(lambda: re.search(dropped, sandbox.output()) is not None, "what was cut is not counted")
    assert len(sandbox.output()) < 300_000


@pytest.mark.parametrize("name", TRICKS)
def test_tricks_with_the_terminal_arrive_as_harmless_text(arena: Arena, name: str) -> None:
    sandbox = arena.attacker()
    arena.attack(f"print('{TRICKS[name]}')", sandbox)
    arena.until(lambda: bool(sandbox.output()), "nothing was printed")
    assert CONTROL.search(sandbox.output()) is None


def test_bytes_that_are_no_text_arrive_as_text(arena: Arena) -> None:
    sandbox = arena.attacker()
    arena.attack("import os; os.write(1, bytes(range(256)) + b'\\xf0\\x9f')", sandbox)
    arena.until(lambda: bool(sandbox.output()), "nothing was printed")
    assert CONTROL.search(sandbox.output()) is None


@pytest.mark.parametrize("name", LIARS)
@pytest.mark.parametrize(
    "way",
    ["answer", "state", "exception", *(pytest.param(way, marks=pytest.mark.slow) for way in ("message", "event"))],
)
def test_an_object_that_lies_about_itself_is_shown_bounded_and_escaped(arena: Arena, name: str, way: str) -> None:
    sandbox = arena.attacker(limits=HANGING if "while True" in LIARS[name] else None)
    send = {
        "answer": "answer = evil",
        "state": "state = evil",
        "message": "self.send('ticker', evil)",
        "exception": "raise ValueError(evil)",
        "event": "self.log('info', evil)",
    }[way]
    outcome = arena.attack(f"class Evil:\n    {LIARS[name]}\nevil = Evil()\n{send}", sandbox)
    shown = (
        f"{outcome.value!r} {outcome.error} {sandbox.info()} {sandbox.tree()} {sandbox.events(20)} {sandbox.log(20)}"
    )
    assert len(shown) < 100_000
    assert CONTROL.search(shown) is None
    assert "<script" not in block(shown) and "<img" not in block(shown)
    assert arena.alive(sandbox)
