"""Fuzzing of the command line: any text is an invocation or one clear refusal. ``make campaign`` goes on longer."""

from __future__ import annotations

import os
import time

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from jupyter_sandbox.magics.complete import complete
from jupyter_sandbox.magics.grammar import Naming
from jupyter_sandbox.magics.parse import parse
from jupyter_sandbox.magics.verbs import VERBS
from jupyter_sandbox.model.errors import UsageError

MINUTES = float(os.environ.get("JUPYTER_SANDBOX_CAMPAIGN_MINUTES", "10"))
SANDBOXES = (["shop"], ["shop", "bank"], [], ["call"])
SHORT = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))

options = [f"--{option.name}" for verb in VERBS.values() for option in verb.options]
words = st.sampled_from(
    [*VERBS, *options, "shop", "bank", "front", "shop/front", "<0.7.0>", "counter.Shop", "50MB", "1_000", "-1", "%",
     "%%", "#", "--", "-", "--help", "-h", "=", '"', "'", '"a b"', "'#'", "(", ")", "[1,", "{2: 3}", "lambda: 0", "\\",
     "\\\n", "\n", "\t", "\0", "\ufeff", "\u2028", "é", "\ud800", "9" * 40, "9" * 5_000, "1e999",
     "f'{x}'", "await x", ";"]
)  # fmt: skip
pieces = words | st.text(max_size=12)
lines = st.builds(
    lambda verb, gaps, rest: verb + "".join(gap + word for gap, word in zip(gaps, rest, strict=False)),
    st.sampled_from(["", *VERBS]) | st.text(max_size=8),
    st.lists(st.sampled_from([" ", "  ", "", "=", "\t", " --"]), min_size=12, max_size=12),
    st.lists(pieces, max_size=12),
)
texts = lines | st.text(max_size=80)


NAMED = {
    Naming.NEW: lambda given_line, sandboxes: given_line.sandbox != "",
    Naming.KNOWN: lambda given_line, sandboxes: given_line.sandbox in sandboxes,
    Naming.EITHER: lambda given_line, sandboxes: bool(given_line.sandbox),
}
"""Whom a verb may act on."""


def check(line: str, sandboxes: list[str], cell: bool) -> None:
    try:
        given_line = parse(line, sandboxes, cell=cell)
    except UsageError as refusal:
        assert str(refusal) and len(str(refusal)) < 40_000
        return
    verb = given_line.verb
    assert verb is VERBS[verb.name]
    assert given_line.values.keys() == {argument.name for argument in verb.arguments}
    assert all(given_line.values[argument.name] is not None for argument in verb.arguments if argument.required)
    assert given_line.options.keys() <= {option.name for option in verb.options}
    assert given_line.sandbox is None if verb.naming is Naming.NONE else NAMED[verb.naming](given_line, sandboxes)


@SHORT
@example("limits --max-memory " + "9" * 5_000 + "MB", ["shop"], False)
@example("step " + "9" * 5_000, ["shop"], False)
@example('call front "' + "(" * 3_000, ["shop"], False)
@example("call front " + "-" * 50_000 + "1", ["shop"], False)
@example("call front " + "[" * 90 + "]" * 90 + " --timeout" * 50, ["shop"], False)
@given(texts, st.sampled_from(SANDBOXES), st.booleans())
def test_any_line_is_an_invocation_or_one_refusal(line: str, sandboxes: list[str], cell: bool) -> None:
    check(line, sandboxes, cell)


@SHORT
@given(lines)
def test_a_line_that_is_typed_letter_by_letter_is_never_anything_else(line: str) -> None:
    for end in range(min(len(line), 120)):
        check(line[:end], ["shop"], False)


@SHORT
@given(texts, st.booleans())
def test_completion_takes_any_line(line: str, cell: bool) -> None:
    assert all(isinstance(word, str) for word in complete(line, {}, cell=cell).words)


@pytest.mark.campaign
@pytest.mark.timeout(MINUTES * 60 + 600)
def test_minutes_of_lines() -> None:
    """By the clock: how many lines that are depends on what else the machine does."""

    @settings(SHORT, max_examples=2_000)
    @given(texts, st.sampled_from(SANDBOXES), st.booleans())
    def run(line: str, sandboxes: list[str], cell: bool) -> None:
        check(line, sandboxes, cell)

    end = time.monotonic() + MINUTES * 60
    while time.monotonic() < end:
        run()
