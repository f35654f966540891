"""Attacks on pages and terminals by names, labels and shapes of trees: whatever is drawn is text and bounded."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from dataclasses import fields, replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from jupyter_sandbox.magics.commands.life import SANDBOXES, card_of
from jupyter_sandbox.magics.commands.looking import EVENTS, PROCESSES
from jupyter_sandbox.magics.errors import shown
from jupyter_sandbox.model.errors import CodeRaised, CompileError, Diagnostic
from jupyter_sandbox.model.limits import Limits
from jupyter_sandbox.model.protection import Layer, Protection
from jupyter_sandbox.model.sandbox import SandboxInfo, SandboxStatus
from jupyter_sandbox.model.views import Event, Inspection, ProcessView, StepView, TreeDiff, TreeView, WhyView
from jupyter_sandbox.widgets.figure import figure_of
from jupyter_sandbox.widgets.graph import graph_of
from jupyter_sandbox.widgets.patch import apply, merge
from jupyter_sandbox.widgets.picture import TreePicture
from jupyter_sandbox.widgets.result import Result
from jupyter_sandbox.widgets.story import Lines, Portrait, Steps, Story
from jupyter_sandbox.widgets.svg import svg_tree
from jupyter_sandbox.widgets.table import Table
from jupyter_sandbox.widgets.text import text_tree
from jupyter_sandbox.widgets.told import diff_data, tree_data

TRICKS = {
    "a script": "<script>alert(1)</script>",
    "an image": "<img src=x onerror=alert(1)>",
    "an end of a text area": "</pre></td></title></svg></style><svg onload=alert(1)>",
    "an end of an attribute": "\" onmouseover=\"alert(1)\" x='",
    "a link": "<a href=\"javascript:alert(1)\">click</a>",
    "an entity": "&lt;script&gt;&#x3c;script&#x3e;",
    "a comment": "--><script>alert(1)</script><!--",
    "a character data section": "]]><script>alert(1)</script>",
    "a template": "%{x} {{constructor.constructor('alert(1)')()}} ${alert(1)}",
    "mathematics": "$\\href{javascript:alert(1)}{x}$ \\(\\unicode{x3c}\\)",
    "markdown": "[x](javascript:alert(1)) ![y](http://evil/z.png)",
    "escapes": "\x1b]0;owned\x07\x1b[2J\x9b31m\r\x08\x00",
    "a hyperlink of a terminal": "\x1b]8;;http://evil\x1b\\good\x1b]8;;\x1b\\",
    "another direction": "\u202egpj.exe\u202c\u2066x\u2069\u200f",
    "halves of characters": "\ud800\udfff",
    "many marks on one letter": "Z" + "\u0336\u0489" * 5_000,
    "a very long name": "x" * 1_000_000,
    "many lines": "line\n" * 100_000,
}  # fmt: skip
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
PASSIVE = {
    "div",
    "style",
    "svg",
    "title",
    "desc",
    "text",
    "rect",
    "path",
    "circle",
    "line",
    "g",
    "img",
    "table",
    "caption",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "pre",
    "p",
    "strong",
    "span",
    "b",
    "br",
    "tspan",
    "polyline",
    "ul",
    "li",
    "details",
    "summary",
}
LONGEST = 2_000_000


class Reader(HTMLParser):
    """What a browser would find in a page: elements that act, attributes that act, addresses."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.active: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in PASSIVE:
            self.active.append(tag)
        for name, value in attrs:
            if name.startswith("on") or (name in ("href", "src") and not str(value).startswith("data:image/")):
                self.active.append(f"{tag} {name}")


def active(page: str) -> list[str]:
    return Reader(page).active


def process(trick: str, **changes: object) -> ProcessView:
    view = ProcessView(
        trick, trick, trick, "worker", trick, trick, registered=trick, state=trick, strategy=trick, links=(trick,),
        monitors=(trick,), last_exit=trick,
    )  # fmt: skip
    return replace(view, **changes)  # type: ignore[arg-type]


def info(trick: str) -> SandboxInfo:
    layer = Layer(trick, True, False, False, trick)
    return SandboxInfo(
        1, trick, trick, SandboxStatus.CRASHED, trick, 0.0, 7, trick, Limits(), Protection(trick, (layer,), (trick,)),
        modules=(trick,), alerts=(trick,),
    )  # fmt: skip


def why(trick: str) -> WhyView:
    return WhyView(trick, trick, 1, 1, trick, trick, trick, (trick,), trick, trick, (trick,), (trick,), trick)


def step(trick: str) -> StepView:
    return StepView(1, trick, trick, trick, trick, trick, trick, trick, (trick,))


def event(trick: str) -> Event:
    return Event(1, 1, trick, trick, trick, trick, {trick: trick})


def tree(trick: str) -> TreeView:
    return TreeView(trick, 1, 1, (process(trick), process(trick, key="child", parent=trick)))


DRAWN: dict[str, Callable[[str], object]] = {
    "the picture of a tree": lambda trick: TreePicture(tree(trick), None, trick),
    "the table of processes": lambda trick: Table((process(trick),), PROCESSES, caption=trick, empty=trick),
    "the table of events": lambda trick: Table((event(trick),), EVENTS, empty=trick),
    "the table of sandboxes": lambda trick: Table((info(trick),), SANDBOXES, empty=trick),
    "steps": lambda trick: Steps([step(trick)], 1, trick, trick),
    "reasons": lambda trick: Story([why(trick)], trick),
    "lines": lambda trick: Lines([trick]),
    "one process": lambda trick: Portrait(Inspection(process(trick), (trick,), 0, trick, (trick,), (trick,), (trick,))),
    "facts": lambda trick: card_of(info(trick)),
}  # fmt: skip


@pytest.mark.parametrize("trick", TRICKS)
@pytest.mark.parametrize("name", DRAWN)
def test_what_is_drawn_of_a_sandbox_is_text(name: str, trick: str) -> None:
    result = DRAWN[name](TRICKS[trick])
    page, text = result.html(), result.text()  # type: ignore[attr-defined]
    assert active(page) == []
    assert CONTROL.search(page.replace("\t", "")) is None and CONTROL.search(text.replace("\t", "")) is None
    assert len(page) < LONGEST and len(text) < LONGEST


class Mathematics(HTMLParser):
    """Finds text that a page would look through for formulas."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self._open: list[bool] = []
        self.found: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "img":
            self._open.append({"mathjax_ignore", "tex2jax_ignore"} <= {*(dict(attrs).get("class") or "").split()})

    def handle_endtag(self, tag: str) -> None:
        self._open.pop()

    def handle_data(self, data: str) -> None:
        if not any(self._open):
            self.found.append(data)


@pytest.mark.parametrize("name", DRAWN)
def test_nothing_of_a_sandbox_is_set_as_mathematics(name: str) -> None:
    result = DRAWN[name](TRICKS["mathematics"])
    assert isinstance(result, Result)
    page = result._repr_mimebundle_()["text/html"]
    assert Mathematics(page).found == []
    assert "$" in page


@pytest.mark.parametrize("trick", TRICKS)
def test_what_a_page_is_told_of_a_tree_is_harmless_and_each_process_keeps_its_key(trick: str) -> None:
    view = tree(TRICKS[trick])
    for told in (tree_data(view)["processes"], diff_data(TreeDiff(trick, 1, 1, view.processes))["changed"]):
        for was, one in zip(view.processes, told, strict=True):
            assert (one.pop("key"), one.pop("parent")) == (was.key, was.parent)
            assert CONTROL.search(json.dumps(one, ensure_ascii=False).replace("\t", "")) is None


@pytest.mark.parametrize("trick", TRICKS)
def test_a_picture_in_a_file_of_its_own_is_well_formed_and_passive(trick: str) -> None:
    picture = svg_tree(tree(TRICKS[trick]), standalone=True)
    tags = {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(picture).iter()}
    assert tags <= {"svg", "title", "desc", "style", "text", "rect", "path", "line", "circle", "g", "tspan", "polyline"}
    assert active(picture) == []


@pytest.mark.parametrize("trick", TRICKS)
def test_labels_of_a_figure_hold_no_markup_of_the_sandbox(trick: str) -> None:
    figure = figure_of(tree(TRICKS[trick]))
    told = json.loads(figure.to_json())
    texts = [*told["data"][1]["text"], *told["data"][1]["hovertext"], told["layout"]["title"]["text"]]
    assert all(active(text) == [] and CONTROL.search(text) is None for text in texts)
    assert all(len(text) < 10_000 for text in texts)


@pytest.mark.parametrize("trick", TRICKS)
def test_errors_are_shown_as_text(trick: str) -> None:
    class Cells:
        def label(self, text: str) -> str:
            return text

        def labels(self, lines: tuple[str, ...]) -> tuple[str, ...]:
            return lines

    text = TRICKS[trick]
    diagnostic = Diagnostic(*[text if field.type == "str" else 1 for field in fields(Diagnostic)])  # type: ignore[arg-type]
    diagnostic = replace(diagnostic, column=10**12, line=10**12)
    for error in (CodeRaised(text, (text, text)), CompileError(text, text, (diagnostic,), (text,))):
        given = shown(error, Cells(), colour=False)  # type: ignore[arg-type]
        lines = given._render_traceback_() if hasattr(given, "_render_traceback_") else []
        assert CONTROL.search("".join([*lines, str(given)]).replace("\n", "")) is None
        assert sum(map(len, lines)) < 100_000


SHAPES = {
    "its own parent": (("a", "a"),),
    "a ring": (("a", "b"), ("b", "c"), ("c", "a")),
    "the same key many times": tuple(("a", None) for _ in range(1_000)),
    "a parent that is not there": (("a", "ghost"), ("b", "a")),
    "children before parents": tuple((str(n), str(n + 1)) for n in range(1_000)),
    "deep": tuple((str(n), str(n - 1)) for n in range(1_000)),
    "wide": (("root", None), *((str(n), "root") for n in range(1_000))),
    "no names": (("", None), ("", "")),
    "names like paths": (("../../etc/passwd", None), ("/", "../../etc/passwd")),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_tree_of_any_shape_is_drawn(shape: str) -> None:
    view = TreeView("x", 1, 1, tuple(process("p", key=key, parent=parent) for key, parent in SHAPES[shape]))
    picture = TreePicture(view, None)
    assert len(picture.text()) < LONGEST and len(picture.html()) < LONGEST
    assert text_tree(view) and len(figure_of(view).data) == 2
    graph_of(view, links=True)
    keys = tuple(key for key, _ in SHAPES[shape])
    diff = TreeDiff("x", 2, 2, view.processes, keys, keys * 2)
    assert len(apply(apply(view, diff), merge(diff, diff)).processes) <= len(view.processes)


NUMBERS = (0, -1, 2**63 - 1, -(2**63), 2**64 - 1)


@pytest.mark.parametrize("number", NUMBERS)
def test_numbers_of_any_size_are_drawn(number: int) -> None:
    view = process(
        "p", queue=number, restarts=number, steps=number, budget=number, budget_left=number, period_s=number,
        code_version=number,
    )  # fmt: skip
    told = TreeView("x", number, number, (view,))
    for page in (
        TreePicture(told, None).html(),
        Table((view,), PROCESSES, empty="").html(),
        Portrait(Inspection(view)).html(),
    ):
        assert html.unescape(page) and len(page) < 100_000
    figure_of(told)
