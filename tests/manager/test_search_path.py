"""What the kernel's search path is taken for: where it imports from is known, and an odd entry stops no sandbox."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from jupyter_sandbox.isolation.code_places import is_imported_from, with_code_places
from jupyter_sandbox.manager.manager import SandboxManager
from jupyter_sandbox.model.openings import Openings
from jupyter_sandbox.model.protection import Layer, Protection

CONFINED = Protection("standard", (Layer("landlock", True, True, True),))


def test_the_working_folder_of_a_notebook_is_imported_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert is_imported_from(str(tmp_path), [""]) and not is_imported_from(str(tmp_path / "out"), [""])


def test_a_package_and_a_module_in_a_folder_of_the_search_path_are_imported(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    assert not is_imported_from(str(tmp_path / "shop"), [str(tmp_path)])
    (tmp_path / "shop/__init__.py").touch()
    assert is_imported_from(str(tmp_path / "shop"), [str(tmp_path)])
    assert is_imported_from(str(tmp_path / "shop.py"), [str(tmp_path)])
    assert not is_imported_from(str(tmp_path / "shop"), ["/somewhere/else"])


def test_a_link_on_the_search_path_is_followed(tmp_path: Path) -> None:
    (tmp_path / "modules").mkdir()
    (tmp_path / "link").symlink_to("modules")
    assert is_imported_from(str(tmp_path / "modules"), [str(tmp_path / "link")])


ODD = {
    "a link to itself": "{folder}/loop",
    "a long name": "{folder}/" + "x" * 300,
    "a long path": "/" + "y/" * 3000,
    "a null character": "{folder}/\0x",
    "a line break": "{folder}/\nx",
    "bytes that are no text": "{folder}/\udcff",
    "a file": "{folder}/file",
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_entry_of_the_search_path_stops_no_sandbox(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").touch()
    entry = ODD[name].format(folder=tmp_path)
    monkeypatch.setattr(sys, "path", [entry, *sys.path])
    with SandboxManager(store=":memory:") as manager:
        assert manager.create().exec("1 + 1") == 2


def test_what_is_no_text_on_the_search_path_stops_no_sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [tmp_path, *sys.path])
    with SandboxManager(store=":memory:") as manager:
        assert manager.create().exec("1 + 1") == 2


def test_a_working_folder_that_is_gone_stops_no_sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tmp_path.rmdir()
    with SandboxManager(store=":memory:") as manager:
        assert manager.create().exec("1 + 1") == 2


def test_a_link_on_the_way_to_a_folder_is_where_it_is_imported_from_too(tmp_path: Path) -> None:
    for folder in ("project", "library/modules"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "project/link").symlink_to("../library")
    search = [str(tmp_path / "project/link/modules")]
    for folder, said in (("project", True), ("library", True), ("library/modules", True), ("elsewhere", False)):
        assert is_imported_from(str(tmp_path / folder), search) is said


def test_what_is_installed_to_be_worked_on_is_imported_from_where_it_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finder = ModuleType("__editable___shop_1_0_finder")
    finder.__dict__["MAPPING"] = {"shop": str(tmp_path / "work/shop")}
    loaded = ModuleType("loaded_from_elsewhere")
    loaded.__file__ = str(tmp_path / "elsewhere/loaded_from_elsewhere.py")
    for module in (finder, loaded):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    for folder, said in (("work", True), ("elsewhere", True), ("other", False)):
        (tmp_path / folder).mkdir(exist_ok=True)
        openings = Openings(write=(str(tmp_path.resolve() / folder),))
        assert bool(with_code_places(CONFINED, openings).not_stopped) is said


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
def test_settings_and_disks_of_the_machine_are_told_and_other_devices_are_not() -> None:
    for path, said in (
        ("/proc", True),
        ("/proc/sys/kernel", True),
        ("/sys", True),
        ("/dev", True),
        ("/dev/shm", False),
    ):
        told = with_code_places(CONFINED, Openings(write=(path,))).not_stopped
        assert any("what it writes can run as you" in text for text in told) is said
