"""Whatever passes the decoder can be shown: every view of every frame, with any text, number and choice in it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, fields, is_dataclass
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from jupyter_sandbox.magics.commands.code import VERSIONS
from jupyter_sandbox.magics.commands.looking import EVENTS, PROCESSES
from jupyter_sandbox.magics.lab_bridge import step_data
from jupyter_sandbox.manager.answers import error_of
from jupyter_sandbox.manager.control import _nested, _process
from jupyter_sandbox.manager.news import bounded
from jupyter_sandbox.model import views
from jupyter_sandbox.model.code import Bundle, ClassInfo
from jupyter_sandbox.model.errors import Diagnostic
from jupyter_sandbox.model.protection import Protection
from jupyter_sandbox.widgets.figure import figure_of
from jupyter_sandbox.widgets.graph import graph_of
from jupyter_sandbox.widgets.patch import apply, merge
from jupyter_sandbox.widgets.picture import TreePicture
from jupyter_sandbox.widgets.result import Result
from jupyter_sandbox.widgets.story import Lines, Portrait, Steps, Story
from jupyter_sandbox.widgets.svg import svg_tree
from jupyter_sandbox.widgets.table import Table
from jupyter_sandbox.widgets.text import text_tree
from jupyter_sandbox.wire import messages as m

FRAMES = get_args(m.GuestFrame)
NEWS = get_args(m.Pushed)
LONGEST = 2_000_000
TREE = views.TreeView("shop", 0, 0, (views.ProcessView("shop", "<0.1.0>", "shop", "worker", "m.C", "waiting"),))


def drawn(view: views.TreeView) -> Iterator[object]:
    yield TreePicture(view, None)
    yield from (text_tree(view), svg_tree(view), svg_tree(view, standalone=True), figure_of(view), graph_of(view))
    yield Table(view.processes, PROCESSES, empty="none", caption=view.sandbox)
    yield json.dumps([_nested(view), [_process(one) for one in view.processes]])


def changed(diff: views.TreeDiff) -> Iterator[object]:
    yield from drawn(apply(TREE, diff))
    yield from drawn(apply(apply(TREE, diff), merge(diff, diff)))


SHOWN: dict[type, Callable[[Any], Iterator[object]]] = {
    views.TreeView: drawn,
    views.TreeDiff: changed,
    views.ProcessView: lambda view: drawn(views.TreeView("shop", 1, 1, (view, *TREE.processes, view))),
    views.StepView: lambda view: iter([view.line(), step_data(view), Steps([view], view.step, view.name, view.kind)]),
    views.Event: lambda view: iter([Table([view], EVENTS, empty="none")]),
    views.WhyView: lambda view: iter([view.line(), Story([view], view.key, view.name), Story([], view.key)]),
    views.WaitView: lambda view: iter([view.line(), Lines([view.line()])]),
    views.Inspection: lambda view: iter([Portrait(view)]),
    views.ModuleVersion: lambda view: iter([Table([view], VERSIONS, empty="none")]),
    views.Counters: lambda view: iter([view]),
    Protection: lambda view: iter([view.line(), view.has("seccomp")]),
    Diagnostic: lambda view: iter([str(view)]),
    ClassInfo: lambda view: iter([view]),
    Bundle: lambda view: iter([view]),
}


def test_every_view_of_a_frame_is_shown_here() -> None:
    named = {one for one in vars(views).values() if is_dataclass(one) and isinstance(one, type)}
    assert named <= set(SHOWN)


def found(held: object) -> Iterator[object]:
    """All views in a frame, those in views and lists included."""
    if isinstance(held, list | tuple):
        for item in held:
            yield from found(item)
    elif is_dataclass(held) and not isinstance(held, type):
        if type(held) in SHOWN:
            yield held
        for field in fields(held):
            yield from found(getattr(held, field.name))


def shown(view: object) -> None:
    """As each of its forms, none of which may raise or grow without end."""
    forms = [repr(view), json.dumps(asdict(view), default=repr)]  # type: ignore[call-overload]
    for one in SHOWN[type(view)](view):
        forms.append(str(one))
        if isinstance(one, Result):
            forms += [one.text(), one.html(), repr(one)]
            bundle = one._repr_mimebundle_()
            forms += [str(bundle[kind]) for kind in bundle]
    assert all(len(form) < LONGEST for form in forms)


MEANT = ["", "shop", "<0.1.0>", "nonsense", "call", "\n", "\x1b[2J", "$x$", "\u202e"]
words = st.text(max_size=12) | st.sampled_from(MEANT)
numbers = st.integers(-(2**63), 2**64 - 1) | st.sampled_from([-(2**63), 2**64 - 1, 0, -1])


def built(kind: type) -> st.SearchStrategy[Any]:
    """A frame as it comes out of the decoder."""

    def decoded(told: object) -> Any:
        return msgspec.msgpack.decode(msgspec.msgpack.encode(told), type=kind)

    return st.from_type(kind).filter(lambda told: _passes(told, decoded)).map(decoded)


def _passes(told: object, decoded: Callable[[object], Any]) -> bool:
    """Neither what cannot be written nor what is longer than may be read."""
    try:
        decoded(told)
    except (UnicodeEncodeError, msgspec.MsgspecError, OverflowError, TypeError, ValueError):
        return False
    return True


PATIENT = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("kind", FRAMES, ids=lambda kind: kind.__name__)
def test_every_view_in_any_frame_that_the_decoder_lets_pass_can_be_shown(kind: type) -> None:
    @PATIENT
    @given(built(kind))
    def look(told: Any) -> None:
        told = bounded(told) if isinstance(told, NEWS) else told
        if isinstance(told, m.Failed):
            assert str(error_of(told, "shop")) is not None
        for name in told.__struct_fields__:
            for view in found(getattr(told, name)):
                shown(view)

    look()


def filled(kind: type) -> st.SearchStrategy[Any]:
    """A view by its annotations, with words and numbers that mean something somewhere."""
    return st.builds(kind, **{field.name: _strategy(str(field.type)) for field in fields(kind)})


def _strategy(named: str) -> st.SearchStrategy[Any]:
    for view in (views.ProcessView, views.Event):
        if view.__name__ in named:
            return filled(view) if named == view.__name__ else st.lists(filled(view), max_size=3).map(tuple)
    if named.endswith(" | None"):
        return st.none() | _strategy(named.removesuffix(" | None"))
    plain: dict[str, st.SearchStrategy[Any]] = {
        "str": words, "ProcessStatus": words, "int": numbers, "bool": st.booleans(),
        **dict.fromkeys(("Many[str]", "Deeds[str]"), st.lists(words, max_size=3).map(tuple)),
        "Facts": st.dictionaries(words, words | numbers, max_size=3),
    }  # fmt: skip
    return plain[named]


VIEWS = [kind for kind in SHOWN if kind.__module__ == views.__name__]


@pytest.mark.parametrize("kind", VIEWS, ids=lambda kind: kind.__name__)
def test_a_view_of_words_and_numbers_that_mean_something_elsewhere_can_be_shown(kind: type) -> None:
    @PATIENT
    @given(filled(kind))
    def look(view: Any) -> None:
        shown(view)

    look()


@example("nonsense")
@given(words)
def test_a_wait_for_what_nobody_knows_is_told_as_such(what: str) -> None:
    told = views.WaitView("<0.1.0>", "front", what, "back", "<0.2.0>", "", 1).line()
    assert told.startswith("front waits for ") and told.endswith(" since t = 0.001 s")
    if what == "nonsense":
        assert told == "front waits for something unknown (nonsense) since t = 0.001 s"
