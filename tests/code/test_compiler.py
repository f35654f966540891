"""Compiling: code for every module, or diagnostics that point at the place in the cell."""

from __future__ import annotations

import ast
import gc
import marshal
import re
from collections.abc import Callable
from typing import Any

import pytest

from jupyter_sandbox.code.compiler import compile_bundle, compile_cell, compile_first, compile_module
from jupyter_sandbox.code.faults import FAULTS, WARNINGS
from jupyter_sandbox.code.gather import gather
from jupyter_sandbox.code.sources import CellSource
from jupyter_sandbox.model.code import Bundle, ModuleCode
from jupyter_sandbox.model.errors import CompileError, Diagnostic

CELL = "<ipython-input-3-abc>"


def refused(source: str, first_line: int = 1) -> tuple[Diagnostic, ...]:
    with pytest.raises(CompileError) as caught:
        compile_bundle(gather(CellSource("counter", source, CELL, first_line)))
    assert caught.value.kind == "compilation_failed"
    return caught.value.diagnostics


def warned(source: str) -> list[Diagnostic]:
    return compile_module(gather(CellSource("counter", source, CELL)).modules[0])[1]


def test_a_syntax_error_names_the_cell_the_line_and_the_column() -> None:
    (fault,) = refused("a = 1\nb = = 2\n")
    assert (fault.file, fault.line, fault.column, fault.source_line) == (CELL, 2, 5, "b = = 2")
    assert "SyntaxError" in fault.text


def test_lines_are_counted_as_the_user_sees_them_under_a_cell_magic() -> None:
    (fault,) = refused("a = 1\nb = = 2\n", first_line=2)
    assert (fault.line, fault.source_line) == (3, "b = = 2")


def test_columns_are_counted_in_characters_not_bytes() -> None:
    (fault,) = refused("'äöü'; b = = 2")
    assert fault.column == 12


@pytest.mark.parametrize(
    "source",
    [
        "def f(:\n",
        "  x = 1\n",
        "\tif 1:\n  x\n",
        "return 5\n",
        "'unclosed\n",
        "x = 1\n  y = 2\n",
        "a\0b",
        "(" * 5000,
        "await x",
    ],
)
def test_whatever_is_wrong_becomes_a_diagnostic_and_nothing_else_is_raised(source: str) -> None:
    (fault,) = refused(source)
    assert fault.line >= 1 and fault.column >= 1 and fault.text


def test_every_module_that_is_wrong_is_told() -> None:
    with pytest.raises(CompileError, match="1 more") as caught:
        compile_bundle(gather({"a.py": "x = ", "b.py": "ok = 1", "c.py": "y = "}))
    assert [fault.file for fault in caught.value.diagnostics] == ["a.py", "c.py"]


def test_of_very_many_modules_that_are_wrong_the_first_are_told_and_all_are_counted() -> None:
    with pytest.raises(CompileError, match=r"m0\.py:1:\d+: .* \(and 299 more\)") as caught:
        compile_bundle(gather({f"m{n}.py": "x = " for n in range(300)}))
    assert len(caught.value.diagnostics) == FAULTS


def test_warnings_without_end_are_cut() -> None:
    odd = "\n".join("x is 1" for _ in range(WARNINGS))
    assert len(compile_bundle(gather({"a.py": odd, "b.py": odd})).warnings) == WARNINGS


def test_a_module_that_grows_without_measure_when_it_is_compiled_is_refused() -> None:
    grows = "\n".join(f"x = '{n:04d}' * 1024" for n in range(5_000))
    (fault,) = refused(grows)
    assert re.search(r"it has \d\d MB when it is compiled, and a module may have 16: divide it", fault.text)


def test_compiling_ends_when_it_is_enough_but_not_before_one_is_done() -> None:
    modules = gather({f"m{n}.py": "n = 1" for n in range(9)}).modules
    clock = iter([False, False, True])
    assert len(compile_first(modules, lambda: next(clock)).codes) == 3
    assert len(compile_first(modules, lambda: True).codes) == 1


def test_the_error_ends_with_what_to_do_next() -> None:
    with pytest.raises(CompileError, match="try again"):
        compile_bundle(gather({"a.py": "x = "}))


def test_compiled_code_carries_the_cells_lines() -> None:
    (module,) = compile_bundle(gather(CellSource("counter", "def f():\n    1/0\n", CELL, 2))).bundle.modules
    code = marshal.loads(module.code)
    assert (code.co_filename, code.co_consts[0].co_firstlineno) == (CELL, 2)


def test_a_module_that_came_compiled_is_left_alone() -> None:
    module = ModuleCode("counter", b"anything")
    assert compile_bundle(Bundle((module,))).bundle.modules == (module,)


def test_an_empty_package_compiles() -> None:
    modules = compile_bundle(gather({"shop/__init__.py": "", "shop/a.py": "n = 1"})).bundle.modules
    assert all(module.code for module in modules)


def test_what_python_warns_of_is_told_with_its_line() -> None:
    (warning,) = warned("a = 1\nb = a is 1\n")
    assert (warning.severity, warning.line) == ("warning", 2)


def test_a_callback_of_the_wrong_shape_is_told() -> None:
    (warning,) = warned("class A(GenServer):\n    def handle_call(self, request, state): ...\n")
    assert "A.handle_call is called with (self, request, caller, state)" in warning.text
    assert (warning.line, warning.column) == (2, 5)


def test_a_callback_with_defaults_or_stars_is_fine_and_other_classes_are_none_of_our_business() -> None:
    assert warned("class A(GenServer):\n    def handle_call(self, *rest): ...\n") == []
    assert warned("class A(otp.GenServer):\n    def handle_cast(self, m, s, more=1): ...\n") == []
    assert warned("class A:\n    def handle_call(self): ...\n") == []


def test_sleeping_in_a_callback_is_told_with_the_way_out() -> None:
    (warning,) = warned("import time\nclass A(GenServer):\n    def handle_cast(self, m, s):\n        time.sleep(1)\n")
    assert "self.sleep" in warning.text and warning.line == 4


def test_a_cell_to_execute_gives_the_value_of_its_last_expression() -> None:
    cell = compile_cell("a = 20\na + 1", CELL)
    scope: dict[str, object] = {}
    exec(cell.body, scope)
    assert cell.last is not None and eval(cell.last, scope) == 21


def test_a_cell_that_ends_with_a_statement_has_no_value() -> None:
    assert compile_cell("a = 20", CELL).last is None
    assert compile_cell("", CELL).last is None


def test_await_is_allowed_at_the_top_of_a_cell_to_execute() -> None:
    assert compile_cell("await f()", CELL).last is not None
    with pytest.raises(CompileError):
        compile_cell("x = = 1", CELL)


class Last:
    """Garbage that only the collector finds, and that parses something as it goes."""

    def __init__(self) -> None:
        self.itself = self

    def __del__(self) -> None:
        def deeper(times: int) -> None:
            deeper(times - 1) if times else ast.parse("a + 1")

        deeper(20)


@pytest.mark.parametrize("compiled", [lambda text: compile_cell(text, CELL), warned])
def test_what_is_collected_meanwhile_and_parses_something_breaks_no_compilation(compiled: Callable[[str], Any]) -> None:
    before = gc.get_threshold()
    gc.set_threshold(50)
    try:
        for _ in range(50):
            garbage = [Last() for _ in range(20)]
            del garbage
            compiled("n = [" + "1 + 2, " * 50 + "]")
    finally:
        gc.set_threshold(*before)
    assert gc.isenabled()
