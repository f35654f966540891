"""The state of a supervisor is told in words, whatever a sandbox claims it to be."""

from __future__ import annotations

from jupyter_sandbox.model.data import Record
from jupyter_sandbox.model.ids import Pid
from jupyter_sandbox.widgets.supervising import STATE, supervisor_card

FLAGS = Record("Flags", {"strategy": "one_for_one", "intensity": 3, "period_s": 5, "auto_shutdown": "never"})
CHILD = Record("Child", {"modules": ["Counter"], "restart": "permanent"})
FRONT = Record("Entry", {"child": CHILD, "pid": Pid.parse("<0.6.0>"), "restarting": False, "restarts": 2})
BACK = Record("Entry", {"child": CHILD, "pid": None, "restarting": False, "restarts": 0})
LATE = Record("Entry", {"child": CHILD, "pid": None, "restarting": True, "restarts": 1})


def test_flags_and_children_are_told_and_the_record_stays_at_hand() -> None:
    state = Record(STATE, {"flags": FLAGS, "entries": {"front": FRONT, "back": BACK, "late": LATE}})
    card = supervisor_card("shop", state)
    assert str(card).split("\n") == [
        "supervisor shop",
        "  strategy       one_for_one",
        "  restarts       at most 3 in 5 s",
        "  auto_shutdown  never",
        "  children       3",
        "    front        <0.6.0> · Counter · permanent · ↻ 2",
        "    back         stopped · Counter · permanent",
        "    late         being restarted · Counter · permanent · ↻ 1",
    ]
    assert card.subject is state  # type: ignore[attr-defined]


def test_what_only_claims_to_be_a_supervisor_is_shown_as_it_is_or_bounded() -> None:
    for fields in ({}, {"flags": 1, "entries": {}}, {"flags": FLAGS, "entries": [FRONT]}):
        fake = Record(STATE, fields)
        assert supervisor_card("shop", fake) is fake
    odd = {f"{n}\x1b[2J<b>": n for n in range(1_000)}
    text = str(supervisor_card("shop", Record(STATE, {"flags": Record("Flags"), "entries": odd})))
    assert len(text) < 10_000 and "\x1b" not in text and "children" in text
