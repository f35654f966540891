"""What a trial claims, made into what the kernel goes by."""

from __future__ import annotations

import pytest

from jupyter_sandbox.manager.bringing import Compiled
from jupyter_sandbox.manager.tried import LONGEST_NAME, MOST_CLASSES, told
from jupyter_sandbox.model.code import Bundle, ClassInfo, ModuleCode
from jupyter_sandbox.model.errors import CompileError
from jupyter_sandbox.wire.messages import Tried

BASE, SHOP = ModuleCode("base", b"code", "n = 1", "base.py"), ModuleCode("shop", b"code", "import base", "shop.py")
GIVEN = Compiled((SHOP, BASE), ())


def classes_of(*classes: ClassInfo) -> tuple[ClassInfo, ...]:
    return told(GIVEN, "files", Tried(id=1, classes=list(classes), order=["base", "shop"])).classes


def test_of_what_a_trial_says_the_order_alone_is_taken() -> None:
    claimed = Tried(id=1, classes=[], order=["base", "os", "shop", "base"])
    assert told(GIVEN, "files", claimed).bundle == Bundle((BASE, SHOP), "files")


def test_classes_that_nobody_can_name_are_left_out() -> None:
    kept = [ClassInfo("shop", name, "server") for name in ("Front", "Shop.Front", "make.<locals>.Front", "Überfluss")]
    odd = [
        ClassInfo("shop", name, "server") for name in ("", "a b", "x\x1b[2J", "\u202eF", "F" * (LONGEST_NAME + 1), "F,")
    ]
    other = [ClassInfo("os", "Front", "server"), ClassInfo("shop", "Front", "<b>")]
    assert classes_of(*kept, *odd, *other) == tuple(kept)


def test_more_classes_than_a_program_has_are_refused_with_what_to_do() -> None:
    one = ClassInfo("shop", "Front", "server")
    assert len(classes_of(*[one] * MOST_CLASSES)) == MOST_CLASSES
    with pytest.raises(CompileError, match=r"5001 classes that can be started, and 5000 are taken.*Load it in parts"):
        classes_of(*[one] * (MOST_CLASSES + 1))
