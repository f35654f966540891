"""Imports between a sandbox's modules: on demand, in any order, from memory."""

from __future__ import annotations

import importlib
import linecache
import sys
import traceback
from collections.abc import Iterator

import pytest

from jupyter_sandbox.code.compiler import compile_bundle
from jupyter_sandbox.code.finder import ModuleFinder, imports_of, take_out
from jupyter_sandbox.code.gather import gather
from jupyter_sandbox.code.sources import CellSource
from jupyter_sandbox.model.code import ModuleCode


@pytest.fixture
def finder() -> Iterator[ModuleFinder]:
    found = ModuleFinder()
    sys.meta_path.insert(0, found)
    yield found
    sys.meta_path.remove(found)
    found.forget()


def hold(finder: ModuleFinder, source: object) -> None:
    finder.hold(compile_bundle(gather(source)).bundle.modules)


def test_a_module_imports_another_that_comes_later_in_the_map(finder: ModuleFinder) -> None:
    hold(finder, {"aa_user.py": "from bb_base import n\nm = n + 1", "bb_base.py": "n = 1"})
    assert importlib.import_module("aa_user").m == 2
    assert finder.finished == ["bb_base", "aa_user"]


def test_packages_and_relative_imports_work(finder: ModuleFinder) -> None:
    hold(finder, {"tshop/__init__.py": "from .front import n", "tshop/front.py": "from . import back\nn = back.n",
                  "tshop/back.py": "n = 3"})  # fmt: skip
    assert importlib.import_module("tshop").n == 3
    assert importlib.import_module("tshop.front").__package__ == "tshop"


def test_a_folder_without_init_is_a_package_until_it_gets_one(finder: ModuleFinder) -> None:
    hold(finder, {"tbare/deep/front.py": "n = 3"})
    assert importlib.import_module("tbare.deep.front").n == 3
    hold(finder, {"tbare/__init__.py": "k = 4"})
    finder_modules = [sys.modules.pop(name) for name in ("tbare", "tbare.deep", "tbare.deep.front")]
    assert importlib.import_module("tbare").k == 4 and len(finder_modules) == 3


def test_a_circular_import_behaves_as_in_ordinary_python(finder: ModuleFinder) -> None:
    hold(finder, {"cc_a.py": "import cc_b\nn = 1", "cc_b.py": "import cc_a\nm = 2"})
    assert importlib.import_module("cc_a").n == 1


def test_what_ran_is_listed_as_it_began_where_there_may_be_a_circle_and_else_as_it_ended(finder: ModuleFinder) -> None:
    hold(finder, {"cc_a.py": "from cc_b import m\nn = m", "cc_b.py": "import cc_a\nm = 2", "cc_c.py": "import cc_a"})
    importlib.import_module("cc_a")
    assert (finder.finished, finder.ran()) == (["cc_b", "cc_a"], ["cc_a", "cc_b"])
    finder.note_anew()
    take_out("cc_a")
    importlib.import_module("cc_c")
    assert finder.ran() == finder.finished == ["cc_a", "cc_c"]


def test_what_is_taken_out_is_run_again_by_whoever_takes_it_from_its_package(finder: ModuleFinder) -> None:
    hold(finder, {"tshop/__init__.py": "", "tshop/back.py": "n = []", "cc_a.py": "from tshop import back"})
    first = importlib.import_module("tshop.back")
    take_out("tshop.back")
    assert importlib.import_module("cc_a").back is sys.modules["tshop.back"] is not first


def test_names_that_are_not_held_are_left_to_python(finder: ModuleFinder) -> None:
    assert finder.find_spec("json", None) is None


def test_a_traceback_shows_the_line_of_the_cell(finder: ModuleFinder) -> None:
    hold(finder, CellSource("dd_cell", "def f():\n    return 1 / 0  # here\n", "<ipython-input-9-f>", 2))
    module = importlib.import_module("dd_cell")
    try:
        module.f()
    except ZeroDivisionError as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
    assert (frame.filename, frame.lineno, frame.line) == ("<ipython-input-9-f>", 3, "return 1 / 0  # here")
    linecache.checkcache()
    assert linecache.getline("<ipython-input-9-f>", 3).strip().endswith("# here"), "must survive checkcache"


def test_a_module_that_raises_while_imported_leaves_nothing_half_done(finder: ModuleFinder) -> None:
    hold(finder, {"ee_bad.py": "n = 1\n1/0"})
    with pytest.raises(ZeroDivisionError):
        importlib.import_module("ee_bad")
    assert "ee_bad" not in sys.modules and finder.finished == []


@pytest.mark.parametrize("code", [b"garbage", b"\xe3", b"i\x05\x00\x00\x00"])
def test_code_that_is_no_code_is_an_import_error(finder: ModuleFinder, code: bytes) -> None:
    finder.hold([ModuleCode("ff_bad", code, file="ff_bad.pyc")])
    with pytest.raises(ImportError, match="ff_bad"):
        importlib.import_module("ff_bad")


def test_what_a_module_imports_is_read_from_its_code() -> None:
    source = "import a.b\nfrom c import d\ndef f():\n    from .e import g\n    from . import h\n"
    (module,) = compile_bundle(gather({"shop/front.py": source})).bundle.modules
    assert imports_of(module) == {"a.b", "c", "c.d", "shop.e", "shop.e.g", "shop", "shop.h"}
