"""What Tab puts into a cell runs in the kernel: a sandbox that chooses its names chooses no code."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from IPython.core.inputtransformer2 import TransformerManager

from jupyter_sandbox.magics.complete import Known, complete
from jupyter_sandbox.magics.parse import parse
from jupyter_sandbox.model.typed import quoted, typable

NAMES = [
    "front", "shop/front", "<0.9.0>", "counter.Shop", "Pool/0", "größe", "a-b", "x@y:1", "Camp/a~b", "_x", "a#1",
]  # fmt: skip
CODE = [
    "front\nprint('owned')", "front\r!id", "front\x0bprint(1)", "front\x85print(1)", "front\u2028print(1)",
    "front {__import__('os')}", "{x}", "$HOME", "a$x", "front; !id", "!id", "front?", "front??", "a\\", "a b", "'a'",
    '"a', "(a", "a)", "[", "#x", "--force", "-h", "", "a\u202eb", "a\u200bb", "a\ufeffb", "a\u3164b", "a\x1b[2J",
    "a\ud800", "a\x00", "%ls", "`id`", "=1", "x" * 300,
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_plain_name_is_offered(name: str) -> None:
    assert complete("kill shop ", {"shop": Known((name,))}).words == (name,)


@pytest.mark.parametrize("name", CODE)
@pytest.mark.parametrize(
    ("line", "field"),
    [("kill shop ", "processes"), ("start shop ", "modules"), ("start shop ", "mains"), ("restore shop ", "snapshots"),
     ("until shop --process ", "processes"), ("until --process ", "processes")],
)  # fmt: skip
def test_a_name_that_is_more_than_one_plain_word_is_not_offered(line: str, field: str, name: str) -> None:
    known = {"shop": Known(**{field: (name,)})}
    for typed in {line, line + name[:1].strip()}:
        assert name not in complete(typed, known).words


@given(st.text(st.sampled_from("ab/.<>0- \t\n\r\\'\"`([{}])$?!%#;=\u2028\u202e\x00é") | st.characters(), max_size=8))
def test_what_is_offered_is_read_back_as_one_word_of_one_line(name: str) -> None:
    if not typable(name):
        return
    assert name.isprintable() and len(name.split()) == 1
    assert parse(f"kill shop {name}", ["shop"]).values == {"TARGET": name}
    cell = TransformerManager().transform_cell(f"%sandbox kill shop {name}")  # type: ignore[no-untyped-call]
    assert cell == f"get_ipython().run_line_magic('sandbox', {f'kill shop {name}'!r})\n"


@given(st.text(st.sampled_from("ab/.<>0- \t\n\r\\'\"`([{}])$?!%#;=\u2028\u202e\x00é"), min_size=1, max_size=8))
@example("-3").via("an option")
@example("a\nb").via("a line end")
def test_a_name_in_a_hint_is_one_word_of_one_line(name: str) -> None:
    line = f"restore shop {quoted(name)}"
    assert line.isprintable()
    assert parse(line, ["shop"]).values == {"SNAPSHOT": name}
