"""Attacks by a picture: a cell's value that draws itself as something else, too large, never, or in another's name."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_sandbox.model.picture import Drawn

from .conftest import HANGING, Arena, crash_reason, growing_at_most
from .tools import CHANNEL

MAKER = (Path(__file__).parents[1] / "images.py").read_text()
"""Runs inside, before each attack."""
TRICKS = {
    "a page": "return b'<html><script>alert(1)</script>'",
    "a drawing with a script": 'return b\'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>\'',
    "another type": "return jpeg()",
    "a script behind its end": "return png() + HIDDEN",
    "a page behind its end": "return png() + b'<html>' + HIDDEN",
    "an archive behind its end": "return png() + b'PK\\x05\\x06' + bytes(18)",
    "huge dimensions": "return png_of(header(2**31 - 1, 1), chunk(b'IDAT', zlib.compress(b'')), chunk(b'IEND'))",
    "a bomb": "return png(4, 3, pixels=bytes(30_000_000))",
    "a name with tricks": "return png(4, 3, chunk(b'\\x1b[2J'))",
    "half a file": "return png()[:-5]",
    "a gigabyte": "return b'x' * 10**9",
    "a gigabyte of bytes that lie": "class B(bytes): __len__ = lambda self: 3\n        return B(10**9)",
    "ten megabytes": "return bytes(10_000_000)",
    "text": "return 'data:text/html,' + HIDDEN.decode()",
    "a number": "return 5",
    "itself": "return self",
    "an error with tricks": "raise ValueError('\\x1b]0;owned\\x07\\u202e<script>' * 1000)",
    "an error that lies": "class E(Exception):\n            __str__ = lambda self: 1 / 0\n        raise E",
    "an exit": "raise SystemExit",
    "no end": "while True: pass",
    "no stack": "return self._repr_png_()",
    "a coroutine": "async def later(): pass\n        later().close(); return later",
}


def cell(body: str, name: str = "_repr_png_") -> str:
    return f"{MAKER}\nclass P:\n    def {name}(self, **_):\n        {body}\nP()"


@pytest.mark.parametrize("name", TRICKS)
def test_what_is_no_picture_is_shown_as_text_with_one_line_that_says_why(arena: Arena, name: str) -> None:
    sandbox = arena.attacker(limits=HANGING if "while True" in TRICKS[name] else None)
    with growing_at_most(20_000_000):
        outcome = arena.watch(lambda: sandbox.exec(cell(TRICKS[name])))
    drawn = outcome.value
    assert isinstance(drawn, Drawn) and drawn.picture is None and repr(drawn.value) == "<__cell__.P>"
    assert drawn.why.isprintable() and 0 < len(drawn.why) < 1_000
    assert drawn._repr_mimebundle_() == {"text/plain": f"<__cell__.P>\n(no picture: {drawn.why})"}
    assert arena.alive(sandbox)


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("_repr_png_", "return png(4, 3, chunk(b'tEXt', HIDDEN), chunk(b'iCCP', HIDDEN))"),
        ("_repr_jpeg_", "return jpeg(8, 8, segment(0xFE, HIDDEN), segment(0xE1, HIDDEN), segment(0xE2, HIDDEN))"),
        ("_repr_mimebundle_", "return {'image/png': png(4, 3, chunk(b'zTXt', HIDDEN)), 'text/html': HIDDEN.decode()}"),
        ("_repr_mimebundle_", "return {'image/jpeg': jpeg(8, 8, segment(0xFE, HIDDEN)), 'text/plain': '\\x1b[2J'}"),
    ],
)
def test_nothing_travels_with_a_picture(arena: Arena, name: str, body: str) -> None:
    drawn = arena.watch(lambda: arena.attacker().exec(cell(body, name))).value
    assert drawn.picture is not None and b"script" not in drawn.picture.body
    shown = drawn._repr_mimebundle_()
    assert shown.keys() == {"text/plain", drawn.picture.mime} and "\x1b" not in shown["text/plain"]


def test_a_value_that_cannot_be_broken_while_it_draws_ends_its_own_sandbox(arena: Arena) -> None:
    sandbox = arena.attacker(limits=HANGING)
    spin = "def spin():\n            while True: pass\n"
    body = f"{spin}        while True:\n            try: spin()\n            except BaseException: pass"
    outcome = arena.watch(lambda: sandbox.exec(cell(body)))
    assert outcome.killed and "in spin" in crash_reason(sandbox)
    assert arena.works_again(sandbox)


FORGER = f"""{CHANNEL}
import sys
from jupyter_sandbox.wire.values import encode_value
at = sys._getframe()
while type(at.f_locals.get("self")).__name__ != "Guest":
    at = at.f_back
request = max(at.f_locals["self"].cells._clients)
def forge(**fields):
    told = dict(type="Pictured", id=request, data=encode_value(1), mime="image/png", image=b"", why="")
    channel.sendall(frame(pack(told | fields)))
    time.sleep(20)
"""
"""Answers in place of its guest."""
FORGED = {
    "a reason of markup": "forge(why='\\x1b[2J\\u202e\\n<script>' * 10_000)",
    "three megabytes": "forge(image=bytes(3_000_000))",
    "a page": "forge(image=HIDDEN)",
    "a page in another's name": "forge(mime='image/jpeg', image=b'\\xff\\xd8\\xff' + HIDDEN)",
    "a reason and a picture that is none": "forge(why='<script>', image=png() + HIDDEN)",
}
BROKEN = {
    "a type that is no image": "forge(mime='text/html', image=HIDDEN)",
    "a drawing": "forge(mime='image/svg+xml', image=HIDDEN)",
    "an image of numbers": "forge(image=[1, 2, 3])",
    "nine megabytes": "forge(image=bytes(9_000_000))",
    "a value that is none": "forge(data=b'\\xc1')",
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_picture_is_shown_as_text(arena: Arena, name: str) -> None:
    sandbox = arena.attacker(limits={"handler_budget": 5_000})
    with growing_at_most(30_000_000):
        drawn = arena.watch(lambda: sandbox.exec(f"{MAKER}{FORGER}{FORGED[name]}")).value
    assert isinstance(drawn, Drawn) and (drawn.value, drawn.picture) == (1, None)
    assert drawn.why.isprintable() and 0 < len(drawn.why) < 4_000


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_not_even_a_picture_by_its_type_is_an_error(arena: Arena, name: str) -> None:
    sandbox = arena.attacker(limits={"handler_budget": 5_000})
    with growing_at_most(50_000_000):
        outcome = arena.watch(lambda: sandbox.exec(f"{MAKER}{FORGER}{BROKEN[name]}"))
    assert outcome.error is not None and "the other side sent" in f"{outcome.error} {crash_reason(sandbox)}"
