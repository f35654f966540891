"""Tables, steps, stories and cards: text and HTML from the same views, bounded and escaped."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_sandbox.model.errors import Diagnostic
from jupyter_sandbox.model.views import Event, Inspection, ModuleVersion, ProcessView, StepView, WhyView
from jupyter_sandbox.widgets.loading import Loaded
from jupyter_sandbox.widgets.result import Result
from jupyter_sandbox.widgets.safe import block, clean, escape, line
from jupyter_sandbox.widgets.story import Card, Lines, Portrait, Steps, Story
from jupyter_sandbox.widgets.table import Column, Table

STEP = StepView(5, "<0.6.0>", "front", "call", "'next'", "<0.9.0>", "1", "2")
WHY = WhyView(
    "shop/front", "front", 9, 120, "boom", "TypeError in handle_call", "('add', 'x')", ("line one\n  line two",),
    "shop", "one_for_one restart 1 of 3 in 5 s", ("front",), ("front",), "0",
)  # fmt: skip


def table(items: list[str]) -> Table[str]:
    return Table(items, [Column("text", str), Column("length", len, right=True)], caption="words", empty="no word")


# --- safety -----------------------------------------------------------------------------------------------------------


@given(st.text())
def test_cleaned_text_has_no_control_characters(text: str) -> None:
    assert not any(ord(char) < 32 and char not in "\n\t" for char in clean(text))
    assert not any(char in "\u202e\u2066\x9b\ufeff" for char in clean(text))
    assert len(line(text).split("\n")) == 1


@given(st.text())
def test_escaped_text_opens_no_tag_and_ends_no_attribute(text: str) -> None:
    assert not set("<>\"'") & set(escape(text) + block(text))


def test_text_is_cut_where_it_is_too_long() -> None:
    assert clean("x" * 1_000, 10) == "x" * 9 + "…"


# --- tables -----------------------------------------------------------------------------------------------------------


def test_a_table_is_a_sequence_of_its_views() -> None:
    words = table(["one", "three"])
    assert (words[1], len(words), list(words), words[:1]) == ("three", 2, ["one", "three"], ("one",))


def test_a_table_is_aligned_in_text() -> None:
    assert str(table(["one", "three"])) == "words\ntext   length\none         3\nthree       5"


def test_a_table_has_header_cells_and_escaped_cells() -> None:
    html = table(["<i>"]).html()
    assert '<th scope="col"' in html
    assert "<i>" not in html and "&lt;i&gt;" in html


def test_an_empty_table_says_what_is_missing() -> None:
    assert str(table([])) == "words\nno word"
    assert "no word" in table([]).html()


def test_a_long_table_is_cut_and_counted() -> None:
    long = table([str(number) for number in range(1_500)])
    assert str(long).endswith("… and 500 more")
    assert long.html().count("<tr>") == 1_001


# --- stories ----------------------------------------------------------------------------------------------------------


def test_steps_are_one_line_each() -> None:
    told = Steps([STEP], 5)
    assert list(told) == ["#5 front handled call 'next' from <0.9.0> · state 1 → 2"]
    assert told.steps == (STEP,)


@pytest.mark.parametrize(
    ("waiting", "words"), [("idle", "nothing more to do"), ("limit", "step limit"), ("odd", "odd")]
)
def test_fewer_steps_than_asked_are_explained(waiting: str, words: str) -> None:
    assert words in str(Steps([], 5, waiting))


def test_a_reason_is_one_line_and_then_its_story() -> None:
    lines = str(Story([WHY], "front")).split("\n")
    assert lines[0] == "TypeError in handle_call → exit → one_for_one restart 1 of 3 in 5 s → state back to 0"
    assert lines[1] == "  step 9, t = 0.120 s: front handled ('add', 'x')"
    assert lines[-2:] == ["  line one", "    line two"]


def test_a_restart_that_has_not_come_yet_is_not_told_as_done() -> None:
    delayed = replace(WHY, decision="one_for_one restart 1 of 3 in 5 s, after 100 ms", started=("front",))
    assert "  started: front" in str(Story([delayed], "front"))
    assert "  to be started: front" in str(Story([replace(delayed, state_after="")], "front"))


def test_without_a_reason_nothing_happened() -> None:
    assert str(Story([], "front")) == "front has not exited or restarted"


def test_a_card_leaves_out_what_is_not_known() -> None:
    assert str(Card("thing", [("a", 1), ("b", None), ("long name", "")])) == "thing\n  a  1"


def test_a_portrait_tells_state_queue_and_events() -> None:
    process = ProcessView("shop/front", "<0.6.0>", "front", "worker", "m.Counter", "waiting", state="3", queue=1)
    seen = Inspection(process, ("'next'",), events=(Event(4, 0, "crash", "<0.6.0>", "front", "boom"),))
    text = str(Portrait(seen))
    assert "state  3" in text and "queue  1, 'next'" in text and "#4 boom" in text


def test_a_load_tells_what_moved_and_what_changed() -> None:
    report = SimpleNamespace(
        versions=(ModuleVersion("counter", 2, "d", True, "f", 0),), moved=3, diff="-a\n+<b>", elapsed_ms=11.6,
        modules=("counter",), kept=("bag still <holds>",),
    )  # fmt: skip
    report.warnings = (Diagnostic("/tmp/1.py", 7, 1, "it <never> ends", "", "warning"),)
    loaded = Loaded(report, "shop", label=lambda text: text.replace("/tmp/1.py", "In[2]"))
    assert "warning: bag still <holds>" in loaded.text() and "bag still &lt;holds&gt;" in loaded.html()
    assert "warning: In[2] line 7: it <never> ends" in loaded.text() and "it &lt;never&gt; ends" in loaded.html()
    assert (
        loaded.summary()
        == "loaded counter version 2 into shop · 3 processes went on in the new code with their state · 12 ms"
    )
    assert "&lt;b&gt;" in loaded.html() and "<b>" not in loaded.html()


@pytest.mark.parametrize("result", [table(["a"]), Steps([STEP], 5), Story([WHY], "front"), Card("c", []), Lines(["x"])])
def test_every_result_has_a_text_and_a_static_form(result: Result) -> None:
    bundle = result._repr_mimebundle_()
    assert bundle.keys() == {"text/plain", "text/html"}
    assert bundle["text/plain"] == repr(result) == str(result)
    assert "<script" not in bundle["text/html"]
