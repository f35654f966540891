"""The one class of characters that no text of a sandbox may bring anywhere."""

from __future__ import annotations

import sys
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from jupyter_sandbox.manager.output import harmless
from jupyter_sandbox.model.harmless import UNSAFE, visible
from jupyter_sandbox.widgets.safe import clean

LAID_OUT = {"\n", "\t"}
JOINING = {"\u200c", "\u200d"}
SEEN = ("ARABIC NUMBER", "ARABIC SIGN", "ARABIC FOOTNOTE", "ARABIC POUND", "ARABIC PIASTRE", "ARABIC END OF AYAH",
        "ARABIC DISPUTED", "SYRIAC ABBREVIATION", "KAITHI NUMBER", "EGYPTIAN HIEROGLYPH")  # fmt: skip
"""Format characters of Unicode with a picture of their own."""


def test_every_control_and_every_format_character_that_is_not_seen_is_escaped() -> None:
    kinds = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    every = [chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)) in kinds]
    meant = [one for one in every if one not in LAID_OUT | JOINING and not unicodedata.name(one, "").startswith(SEEN)]
    assert [f"{ord(one):x}" for one in meant if UNSAFE.fullmatch(one) is None] == []
    assert [f"{ord(one):x}" for one in sorted({*every} - {*meant}) if UNSAFE.fullmatch(one)] == []


def test_letters_emoji_and_what_joins_them_stay() -> None:
    for text in ("naïve 日本語 عربى", "👩\u200d👧", "می\u200cخواهم", "❤\ufe0f", "a\n\tb"):
        assert visible(text) == text


@given(st.text())
def test_output_errors_and_pages_are_made_harmless_alike(text: str) -> None:
    text = text.replace("\r\n", "\n")
    assert harmless(text) == visible(text) == clean(text, limit=len(text) + 1)
    assert visible(visible(text)) == visible(text)
