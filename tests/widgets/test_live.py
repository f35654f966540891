"""The live tree's side in the kernel: what it tells the page, and what it does for its buttons. No page is needed."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import jupyter_sandbox
from jupyter_sandbox.model.errors import NoProcess
from jupyter_sandbox.model.views import Event, Inspection, TreeDiff, TreeView
from jupyter_sandbox.widgets.live import LiveTree
from jupyter_sandbox.widgets.told import TEXT


class Opened:
    """A live tree whose messages are kept."""

    def __init__(self, tree: TreeView) -> None:
        self.acts: list[tuple[str, str]] = []
        self.sent: list[dict[str, Any]] = []
        self.widget = LiveTree(tree, act=lambda verb, key: self.acts.append((verb, key)), inspect=self._inspect)
        self.widget.send = self.sent.append  # type: ignore[method-assign]

    def _inspect(self, key: str) -> Inspection:
        view = next((process for process in self.widget.view.processes if process.key == key), None)
        if view is None:
            raise NoProcess(f"no process {key}")
        return Inspection(view, ("'a'",), 2, events=(Event(3, 0, "crash", "", "front", "boom\x1b"),))

    def press(self, **content: object) -> dict[str, Any]:
        self.widget._handle_custom_msg(content, [])
        return self.sent[-1]


@pytest.fixture
def opened(tree: TreeView) -> Opened:
    return Opened(tree)


def test_a_page_that_asks_gets_the_whole_present_tree(opened: Opened, tree: TreeView) -> None:
    opened.widget.push(replace(tree, step=99))
    assert opened.widget.get_state("tree")["tree"]["step"] == 99


def test_changes_travel_as_diffs(opened: Opened, tree: TreeView) -> None:
    changed = replace(tree.processes[1], state="43")
    opened.widget.push(TreeDiff("shop", 13, 0, (changed,)))
    assert opened.sent[-1]["type"] == "diff"
    assert opened.widget.view.processes[1].state == "43"


def test_a_page_that_missed_something_is_told_how_everything_is(opened: Opened, tree: TreeView) -> None:
    states: list[object] = []
    opened.widget.send_state = lambda key=None: states.append(key)  # type: ignore[method-assign]
    opened.widget.freeze("the sandbox was destroyed")
    assert opened.press(type="tell") == {"type": "told"}
    assert states[-1] == ("tree", "frozen", "status")


def test_what_travels_is_harmless_and_a_process_is_asked_for_by_its_key(opened: Opened, tree: TreeView) -> None:
    tricky = replace(tree.processes[1], key="shop/a\u202eb", name="a\u202eb")
    opened.widget.push(TreeDiff("shop", 13, 0, (tricky,)))
    told = opened.sent[-1]["diff"]["changed"][0]
    assert (told["name"], told["shown"], told["key"]) == ("a\\u202eb", "shop/a\\u202eb", tricky.key)
    assert "a\\u202eb" in [one["name"] for one in opened.widget.get_state("tree")["tree"]["processes"]]
    opened.press(type="act", verb="kill_process", key=told["key"])
    assert opened.acts == [("kill_process", tricky.key)]


def test_a_process_that_is_told_again_and_again_travels_once_as_it_was_told_last(
    opened: Opened, tree: TreeView
) -> None:
    """Twenty thousand pictures at one place would keep a page for seconds."""
    again = replace(tree.processes[1], state="43")
    opened.widget.push(replace(tree, processes=(*tree.processes, *[again] * 20_000)))
    for told in (opened.sent[-1]["tree"], opened.widget.get_state("tree")["tree"]):
        assert [one["key"] for one in told["processes"]] == [one.key for one in tree.processes]
        assert told["processes"][1]["state"] == "43"


def test_letters_of_any_script_travel_as_they_are_and_megabytes_of_odd_ones_bounded(
    opened: Opened, tree: TreeView
) -> None:
    honest = replace(tree.processes[1], key="shop/лавка", state="'سلام'")
    opened.widget.push(TreeDiff("shop", 13, 0, (honest,)))
    told = opened.sent[-1]["diff"]["changed"][0]
    assert told["state"] == honest.state and "shown" not in told
    odd = tuple(replace(honest, key=f"{number}" + "\u200d" * 1_000, state="\x01" * 5_000) for number in range(200))
    opened.widget.push(TreeDiff("shop", 14, 0, odd))
    for told, view in zip(opened.sent[-1]["diff"]["changed"], odd, strict=True):
        assert told["key"] == view.key and told["shown"].isascii() and len(told["shown"]) == TEXT
        assert told["state"] == ("\\x01" * TEXT)[:TEXT]


def test_every_live_picture_has_a_mark_of_its_own(tree: TreeView) -> None:
    assert Opened(tree).widget.anchor != Opened(tree).widget.anchor != ""


def test_inspecting_tells_queue_and_events_cleaned(opened: Opened) -> None:
    told = opened.press(type="inspect", key="shop/front")
    assert told["mailbox"] == ["'a'", "… and 2 more"]
    assert told["events"] == ["#3 crash: boom\\x1b"]


def test_a_button_acts_on_its_process(opened: Opened) -> None:
    assert opened.press(type="act", verb="kill_process", key="shop/front")["note"] == "done"
    assert opened.acts == [("kill_process", "shop/front")]


def test_a_button_means_the_process_that_is_shown_and_its_supervisor_the_place(opened: Opened) -> None:
    for verb in ("kill_process", "restart_process"):
        opened.press(type="act", verb=verb, key="shop/front", pid="<0.5.0>")
    assert opened.acts == [("kill_process", "<0.5.0>"), ("restart_process", "shop/front")]


def test_a_process_that_is_gone_is_told(opened: Opened) -> None:
    assert opened.press(type="inspect", key="nosuch")["note"] == "no process nosuch"


def test_a_page_can_ask_for_nothing_else(opened: Opened) -> None:
    opened.widget._handle_custom_msg({"type": "act", "verb": "destroy", "key": "shop"}, [])
    opened.widget._handle_custom_msg({"type": "nonsense"}, [])
    assert (opened.acts, opened.sent) == ([], [])


def test_a_frozen_picture_stands_still_and_says_why(opened: Opened, tree: TreeView) -> None:
    opened.widget.freeze("the sandbox was destroyed")
    opened.widget.push(replace(tree, step=99))
    assert opened.sent == []
    assert opened.press(type="act", verb="kill_process", key="shop/front")["note"] == "the sandbox was destroyed"
    assert opened.acts == []


def test_its_code_is_found_where_the_package_lies_in_an_archive(tmp_path: Path) -> None:
    source, archive = Path(jupyter_sandbox.__file__).parent, tmp_path / "packages.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for file in (*source.rglob("*.py"), *source.rglob("*.js")):
            if "labextension" not in file.parts:
                packed.write(file, file.relative_to(source.parent))
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from jupyter_sandbox.widgets import live\n"
        "print(live.__file__, len(live._CODE))"
    )
    done = subprocess.run([sys.executable, "-c", program, archive], capture_output=True, text=True, check=False)
    where, size = done.stdout.split() or ("", "0")
    assert where.startswith(str(archive)) and int(size) == len(LiveTree.code.default_value), done.stderr
