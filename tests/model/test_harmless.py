"""The one class of characters that no text of a sandbox may bring anywhere."""

from __future__ import annotations

import sys
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_sandbox.manager.output import harmless
from jupyter_sandbox.model.harmless import UNSAFE, name, on_one_line, plain, visible
from jupyter_sandbox.widgets.safe import clean

LAID_OUT = {"\n", "\t"}
JOINING = {"\u200c", "\u200d"}
SEEN = ("ARABIC NUMBER", "ARABIC SIGN", "ARABIC FOOTNOTE", "ARABIC POUND", "ARABIC PIASTRE", "ARABIC END OF AYAH",
        "ARABIC DISPUTED", "SYRIAC ABBREVIATION", "KAITHI NUMBER")  # fmt: skip
"""Format characters of Unicode with a picture of their own."""


def test_every_control_and_every_format_character_that_is_not_seen_is_escaped() -> None:
    kinds = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    every = [chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)) in kinds]
    meant = [one for one in every if one not in LAID_OUT | JOINING and not unicodedata.name(one, "").startswith(SEEN)]
    assert [f"{ord(one):x}" for one in meant if UNSAFE.fullmatch(one) is None] == []
    assert [f"{ord(one):x}" for one in sorted({*every} - {*meant}) if UNSAFE.fullmatch(one)] == []


UNSEEN = (
    "\u034f", "\u115f", "\u1160", "\u17b4", "\u17b5", "\u180b", "\u180c", "\u180d", "\u180f", "\u200c", "\u200d",
    "\u2065", "\u3164", "\ufe00", "\ufe0e", "\ufe0f", "\uffa0", "\ufff0", "\ufff8", "\U00013430", "\U0001343f",
    "\U000e0100", "\U000e01ef", "\u1039", "\u17d2", "\u1a60", "\u1bab", "\u2d7f", "\uaaf6", "\U00010a3f", "\U0001107f",
    "\U00011133", "\U000113d0", "\U0001193e", "\U00011a47", "\U00011a99", "\U00011d45", "\U00011d97", "\U00011f42",
    "\U00016fe4", "\U0001d159",
)  # fmt: skip
"""Letters and marks, says Unicode of most."""


@pytest.mark.parametrize("mark", UNSEEN, ids=lambda mark: f"{ord(mark):x}")
def test_no_name_looks_like_another_one_by_a_mark_that_nobody_sees(mark: str) -> None:
    escaped = f"\\u{ord(mark):04x}" if ord(mark) < 0x10000 else f"\\U{ord(mark):08x}"
    for text in (f"front{mark}", f"fr{mark}ont", f"{mark}front"):
        assert name(text, 100) == visible(text) == on_one_line(text, 100) == text.replace(mark, escaped)
        assert not plain(text)


def test_text_carries_no_other_text_in_marks_that_nobody_sees() -> None:
    hidden = "".join(chr(0xE0100 + byte) for byte in b"run this")
    for carrier in ("a", "❤", "می", "葛", "\ufe0f"):
        assert "\U000e0100" not in visible(carrier + hidden) and not {*hidden} & {*visible(carrier + hidden)}
    for chosen in (
        "❤\ufe0f\ufe0f",
        "❤\ufe0f\ufe0e",
        "می\u200c\u200c",
        "👩\u200d\u200d👧",
        "1\ufe0f",
        "👩\u200d",
        "\u200d👧",
    ):
        assert "\\u" in visible(chosen), "one of them is seen to do nothing"


def test_letters_emoji_and_what_joins_them_stay() -> None:
    for text in (
        "naïve 日本語 عربى", "👩\u200d👧", "می\u200cخواهم", "❤\ufe0f", "a\n\tb", "🏳\ufe0f\u200d🌈", "👩🏽\u200d🚒",
        "1\ufe0f\u20e3", "☎\ufe0e", "©\ufe0f", "क्\u200dष", "ශ්\u200dරී", "🧔🏻\u200d♂\ufe0f", "ه\u200d", "⠀⠇",
        "é e\u0301 한글", "မန\u1039တလေး", "က္ရ".replace("က္", "က\u1039"), "ក\u17d2រុម", "ᨠ\u1a60ᨠ", "ⴰ\u2d7fⴰ",
    ):  # fmt: skip
        assert visible(text) == text == on_one_line(text.replace("\n", ""), 100).replace("a\tb", "a\n\tb")


def test_what_puts_letters_under_each_other_stays_between_two_of_them_only() -> None:
    """Of a name, too, for there it is seen."""
    assert name("ក\u17d2រុម", 100) == "ក\u17d2រុម" and plain("ក\u17d2រុម")
    for text in ("ក\u17d2", "\u17d2រ", "ក\u17d2\u17d2រ", "ក\u17d2a", "ក\u17d2\u17b6"):
        assert "\\u17d2" in visible(text) and not plain(text)


@pytest.mark.parametrize("space", ["\xa0", "\u1680", "\u2003", "\u200a", "\u202f", "\u205f", "\u3000", "\u2800"])
def test_of_a_name_no_space_stays_but_the_one_that_is_typed(space: str) -> None:
    for text in (f"front{space}", f"fr{space}ont", f"{space}front"):
        escaped = f"\\x{ord(space):02x}" if ord(space) < 256 else f"\\u{ord(space):04x}"
        assert name(text, 100) == text.replace(space, escaped)


def test_nor_that_one_at_an_end() -> None:
    assert name("a shop", 100) == "a shop" and name(" a shop  ", 100) == "\\x20a shop\\x20\\x20"
    assert name("  ", 100) == "\\x20\\x20" and name("a shop", 2) == "a"


def test_of_a_name_nothing_that_joins_stays() -> None:
    """After a letter that joins nothing it would not be seen."""
    assert name("می\u200cخواهم", 100) == "می\\u200cخواهم" and name("❤\ufe0f", 100) == "❤\\ufe0f"
    assert (
        name("naïve 日本語", 100) == "naïve 日本語"
        and name("a\nb", 100) == "a\\nb"
        and name("\x1b" * 9, 5) == "\\x1b\\"
    )


@given(st.text(alphabet=st.sampled_from("a1 👩❤مក\u17d2\u200c\u200d\ufe0e\ufe0f\u20e3\u034f\x1b\n")))
def test_what_was_made_harmless_stays_as_it_is(text: str) -> None:
    assert visible(visible(text)) == visible(text)
    assert name(name(text, 500), 500) == name(text, 500) and plain(name(text, 500))


@pytest.mark.parametrize(
    "text", ["\u200d", "\ufe0f", "👩\u200d", "م\u200c", "\u17d2", "ក\u17d2", "\u034f", "\U000e0100", "é"]
)
def test_what_nobody_sees_costs_no_more_than_other_text(text: str) -> None:
    def cost(of: str) -> float:
        began = time.thread_time()
        visible(of)
        return time.thread_time() - began

    assert cost(text * (300_000 // len(text))) < 1.0


@given(st.text())
def test_output_errors_and_pages_are_made_harmless_alike(text: str) -> None:
    text = text.replace("\r\n", "\n")
    assert harmless(text) == visible(text) == clean(text, limit=10 * len(text) + 1)  # an escape is up to ten characters
    assert visible(visible(text)) == visible(text)
