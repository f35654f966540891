"""What a trial claims, made into what the kernel goes by."""

from __future__ import annotations

import pytest

from jupyter_sandbox.manager.tried import LONGEST_NAME, MOST_CLASSES, MOST_WARNINGS, told
from jupyter_sandbox.model.code import Bundle, ClassInfo, ModuleCode
from jupyter_sandbox.model.errors import CompileError, Diagnostic
from jupyter_sandbox.wire.messages import Tried

GIVEN = Bundle((ModuleCode("shop", b"", "n = 1", "shop.py"),), "files")


def tried(*classes: ClassInfo, modules: tuple[ModuleCode, ...] = (), warnings: int = 0) -> Tried:
    odd = [Diagnostic("shop.py", 1, 1, "odd")] * warnings
    return Tried(id=1, classes=list(classes), bundle=Bundle(modules), warnings=odd)


def test_text_and_names_of_a_module_are_those_that_were_given() -> None:
    forged = ModuleCode("shop", b"code", "n = 2", "elsewhere.py", True, "digest", 9)
    other = ModuleCode("os", b"code")
    (module,) = told(GIVEN, tried(modules=(forged, other, forged))).bundle.modules
    assert module == ModuleCode("shop", b"code", "n = 1", "shop.py")


def test_classes_that_nobody_can_name_are_left_out() -> None:
    kept = [ClassInfo("shop", name, "server") for name in ("Front", "Shop.Front", "make.<locals>.Front", "Überfluss")]
    odd = [
        ClassInfo("shop", name, "server") for name in ("", "a b", "x\x1b[2J", "\u202eF", "F" * (LONGEST_NAME + 1), "F,")
    ]
    other = [ClassInfo("os", "Front", "server"), ClassInfo("shop", "Front", "<b>")]
    assert told(GIVEN, tried(*kept, *odd, *other)).classes == tuple(kept)


def test_more_classes_than_a_program_has_are_refused_with_what_to_do() -> None:
    one = ClassInfo("shop", "Front", "server")
    assert len(told(GIVEN, tried(*[one] * MOST_CLASSES)).classes) == MOST_CLASSES
    with pytest.raises(CompileError, match=r"5001 classes that can be started, and 5000 are taken.*Load it in parts"):
        told(GIVEN, tried(*[one] * (MOST_CLASSES + 1)))


def test_warnings_without_end_are_cut() -> None:
    assert len(told(GIVEN, tried(warnings=MOST_WARNINGS + 5)).warnings) == MOST_WARNINGS
