"""What a value's class draws of it: taken as bytes, within the cell, and never in place of the value."""

from __future__ import annotations

import io
import sys
import types
from typing import Any

import pytest

from jupyter_sandbox.guest.drawing import Drawing, draw
from jupyter_sandbox.model.picture import JPEG, MOST_BYTES, PNG
from jupyter_sandbox.wire import messages as m
from jupyter_sandbox.wire.values import decode_value


def of(**methods: Any) -> Any:
    """An object of a class with these methods."""
    return type("Figure", (), {name: returning(held) for name, held in methods.items()})()


def returning(held: Any) -> Any:
    return lambda self, **_: held


def raising(error: BaseException) -> Any:
    def method(self: Any, **_: Any) -> None:
        raise error

    return method


@pytest.mark.parametrize(
    ("methods", "drawing"),
    [
        ({"_repr_png_": b"1"}, Drawing(PNG, b"1")),
        ({"_repr_jpeg_": b"2"}, Drawing(JPEG, b"2")),
        ({"_repr_jpeg_": b"2", "_repr_png_": b"1"}, Drawing(PNG, b"1")),
        ({"_repr_png_": bytearray(b"1")}, Drawing(PNG, b"1")),
        ({"_repr_png_": "MQ=="}, Drawing(PNG, b"1")),
        ({"_repr_png_": (b"1", {"width": 3})}, Drawing(PNG, b"1")),
        ({"_repr_mimebundle_": {PNG: b"1", "text/html": "<b>"}}, Drawing(PNG, b"1")),
        ({"_repr_mimebundle_": ({JPEG: "Mg=="}, {})}, Drawing(JPEG, b"2")),
        ({"_repr_mimebundle_": {"text/html": "<b>"}, "_repr_png_": b"1"}, Drawing(PNG, b"1")),
        ({"_repr_mimebundle_": 5, "_repr_png_": b"1"}, Drawing(PNG, b"1")),
        ({"_repr_png_": bytes(MOST_BYTES)}, Drawing(PNG, bytes(MOST_BYTES))),
        ({"_repr_mimebundle_": {"text/html": "<b>", "image/svg+xml": "<svg>"}}, None),
        ({"_repr_mimebundle_": None, "_repr_png_": None, "_repr_jpeg_": None}, None),
        ({"_repr_html_": "<b>", "_repr_svg_": "<svg>"}, None),
        ({"_repr_png_": 5}, "_repr_png_ returned int and not bytes"),
        ({"_repr_png_": "!"}, "_repr_png_ returned nothing"),
        ({"_repr_png_": "abcde"}, "_repr_png_ returned text that is no base64; return bytes"),
        ({"_repr_png_": b""}, "_repr_png_ returned nothing"),
        (
            {"_repr_jpeg_": bytes(MOST_BYTES + 1)},
            "_repr_jpeg_ returned 1,048,577 bytes and 1,048,576 are allowed; draw",
        ),
        ({"_repr_mimebundle_": [1]}, "_repr_mimebundle_ returned list and not a dict"),
    ],
)
def test_a_picture_is_what_jupyters_methods_return(methods: dict[str, Any], drawing: Drawing | str | None) -> None:
    found = draw(of(**methods))
    if isinstance(drawing, str):
        assert found is not None and not found.image and found.why.startswith(drawing)
    else:
        assert found == drawing


@pytest.mark.parametrize(
    "error", [ValueError("no"), SystemExit(3), KeyboardInterrupt(), GeneratorExit(), MemoryError()]
)
def test_whatever_a_method_raises_is_the_reason_and_the_next_one_is_asked(error: BaseException) -> None:
    kind = type("Figure", (), {"_repr_png_": raising(error)})
    assert draw(kind()) == Drawing(why=f"_repr_png_ raised {type(error).__name__}{f': {error}' if str(error) else ''}")
    assert draw(type("Other", (kind,), {"_repr_jpeg_": lambda self: b"2"})()) == Drawing(JPEG, b"2")
    assert draw(type("Figure", (), {"_repr_png_": raising(NotImplementedError())})()) is None


@pytest.mark.parametrize(
    "value", [None, 7, "text", [1], {"_repr_png_": 1}, object(), sys, of(_repr_png_=b"1").__class__]
)
def test_what_has_no_such_method_draws_nothing(value: object) -> None:
    assert draw(value) is None


def test_an_answer_to_every_name_is_no_method() -> None:
    class Anything:
        def __getattr__(self, name: str) -> Any:
            raise AssertionError(f"asked for {name}")

    assert draw(Anything()) is None


def test_lengths_and_copies_of_bytes_are_their_own_and_not_what_their_class_says() -> None:
    class Lying(bytes):
        __class__ = property(lambda self: dict)  # type: ignore[assignment]

        def __len__(self) -> int:
            return 1

        def __bytes__(self) -> bytes:
            return b"other"

    assert draw(of(_repr_png_=Lying(b"true"))) == Drawing(PNG, b"true")
    found = draw(of(_repr_png_=Lying(bytes(MOST_BYTES + 1))))
    assert found is not None and "1,048,577 bytes" in found.why


def test_a_figure_of_matplotlib_is_drawn_as_its_users_expect(monkeypatch: pytest.MonkeyPatch) -> None:
    class Figure:
        def savefig(self, file: io.BytesIO, **options: object) -> None:
            file.write(repr(sorted(options.items())).encode())

    module = types.ModuleType("matplotlib.figure")
    module.Figure = Figure  # type: ignore[attr-defined]
    assert draw(Figure()) is None
    monkeypatch.setitem(sys.modules, "matplotlib.figure", module)
    assert draw(Figure()) == Drawing(PNG, b"[('bbox_inches', 'tight'), ('format', 'png')]")
    assert draw(module) is None and draw(Figure) is None


CELL = "class F:\n    n = 3\n    def _repr_png_(self):\n        {}\nF()"


@pytest.mark.parametrize(
    ("body", "image", "why"),
    [
        ("return b'1'", b"1", ""),
        ("self.n = 4; return None", None, None),
        ("raise KeyError('k')", b"", "_repr_png_ raised KeyError: 'k'"),
        ("import random; return b'%d' % random.randrange(10**9)", ..., ""),
    ],
)
def test_the_answer_of_a_cell_has_the_value_and_the_picture(bench: Any, body: str, image: Any, why: str | None) -> None:
    answer = bench.ask(m.Execute, source=CELL.format(body), file="<c>")
    assert repr(decode_value(answer.data)) in ("<__cell__.F>", "F(n=4)")
    if why is None:
        assert type(answer) is m.Value
    else:
        assert type(answer) is m.Pictured and answer.why == why
        assert answer.image == image if image is not ... else answer.image.isdigit()


def test_a_value_that_ends_its_process_while_it_is_drawn_is_a_value(bench: Any) -> None:
    source = "me = self\n" + CELL.format("me.exit('bye')")
    answer = bench.ask(m.Execute, source=source, file="<c>")
    assert type(answer) is m.Pictured and repr(decode_value(answer.data)) == "<__cell__.F>"
    assert answer.image == b"" and answer.why.startswith("_repr_png_ raised")


def test_only_the_last_value_is_drawn_and_what_is_printed_is_not(bench: Any, capsys: Any) -> None:
    answer = bench.ask(m.Execute, source=CELL.format("return b'1'") + "\nprint(F())\n1", file="<c>")
    assert type(answer) is m.Value and decode_value(answer.data) == 1
    assert "F object" in capsys.readouterr().out
