"""A tree as text, SVG, graph and figure. Whatever a sandbox says is text, never markup."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from types import SimpleNamespace

import pytest

from jupyter_sandbox.model.errors import UsageError
from jupyter_sandbox.model.views import ProcessView, TreeView
from jupyter_sandbox.widgets.picture import TreePicture
from jupyter_sandbox.widgets.status import LOOKS, look

SVG = "{http://www.w3.org/2000/svg}"


def many(count: int) -> TreeView:
    return TreeView(
        "big",
        0,
        0,
        tuple(ProcessView(f"<0.{n}.0>", f"<0.{n}.0>", "p", "process", "m.f", "waiting") for n in range(count)),
    )


# --- text -----------------------------------------------------------------------------------------------------------


def test_the_text_tree_draws_branches_glyphs_words_and_budget(tree: TreeView) -> None:
    lines = str(TreePicture(tree)).split("\n")
    assert lines[:4] == [
        "shop · step 12 · 4 processes",
        "◌ shop  Shop · one_for_one · waiting · 2 of 3 restarts left in 5 s",
        "├─ ● front  Counter · 42 · running · queue 3 · ↻ 1",
        "├─ ‖ back  Counter · <script>alert(1)</script>\\x1b[31m\"'& · suspended",
    ]
    assert lines[5] == "└─ ○ out  Counter · stopped"


def test_the_text_of_a_huge_tree_is_bounded() -> None:
    assert str(TreePicture(many(600))).split("\n")[-1] == "… and 100 more"


def test_an_empty_tree_says_so() -> None:
    assert "no process runs" in str(TreePicture(TreeView("shop", 0, 0)))
    assert "no process runs" in TreePicture(TreeView("shop", 0, 0)).svg()


# --- SVG ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("standalone", [False, True])
def test_the_svg_is_well_formed_and_has_no_script(tree: TreeView, standalone: bool) -> None:
    root = ET.fromstring(TreePicture(tree).svg(standalone=standalone))
    names = {element.tag.removeprefix(SVG) for element in root.iter()}
    assert names <= {"svg", "title", "desc", "style", "g", "rect", "path", "text"}
    assert not any(name.startswith("on") or "href" in name for element in root.iter() for name in element.attrib)


def test_the_svg_tells_a_screen_reader_what_it_shows(tree: TreeView) -> None:
    root = ET.fromstring(TreePicture(tree).svg())
    assert root.get("role") == "img"
    assert root.findtext(f"{SVG}title") == "Supervision tree of shop at step 12"
    assert "front Counter" in (root.findtext(f"{SVG}desc") or "")


def test_texts_of_a_sandbox_are_escaped_in_html(tree: TreeView) -> None:
    html = TreePicture(tree).html()
    assert "<script" not in html
    assert "\x1b" not in html
    assert "&lt;script&gt;" in html


def test_the_svg_takes_the_colours_of_the_page(tree: TreeView) -> None:
    svg = TreePicture(tree).svg()
    assert 'fill="currentColor"' in svg
    assert "var(--jp-content-font-color1,currentColor)" in svg
    assert "prefers-color-scheme:dark" in TreePicture(tree).svg(standalone=True)


def test_the_svg_of_a_huge_tree_is_bounded() -> None:
    svg = TreePicture(many(5_000)).svg()
    assert "… and 4800 processes more" in svg
    assert len(svg) < 300_000


def test_a_child_entry_without_a_process_is_dashed(tree: TreeView) -> None:
    assert TreePicture(tree).svg().count("stroke-dasharray") == 2


def test_a_change_of_state_moves_nothing(tree: TreeView) -> None:
    changed = replace(tree, processes=tuple(replace(process, state="new", queue=9) for process in tree.processes))
    rects = [
        [(rect.get("x"), rect.get("y")) for rect in ET.fromstring(TreePicture(view).svg()).iter(f"{SVG}rect")]
        for view in (tree, changed)
    ]
    assert rects[0] == rects[1]


# --- status ---------------------------------------------------------------------------------------------------------


def test_no_status_is_told_by_colour_alone() -> None:
    assert len({seen.glyph for seen in LOOKS.values()}) == len(LOOKS)
    assert len({seen.word for seen in LOOKS.values()}) == len(LOOKS)
    assert look("something new").glyph == "?"


def luminance(colour: str) -> float:
    parts = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("background", ["#ffffff", "#111111"])
def test_status_colours_can_be_seen_on_light_and_dark(background: str) -> None:
    for seen in LOOKS.values():
        bright, dim = sorted((luminance(seen.colour), luminance(background)), reverse=True)
        assert (bright + 0.05) / (dim + 0.05) >= 3.0, seen


# --- graph and figure -----------------------------------------------------------------------------------------------


def test_the_graph_has_the_views_as_attributes(tree: TreeView) -> None:
    graph = TreePicture(tree).graph()
    assert graph.nodes["shop/front"]["queue"] == 3
    assert set(graph.successors("shop")) == {"shop/front", "shop/back", "shop/gone", "shop/out"}


def test_the_graph_can_show_links_and_monitors_too(tree: TreeView) -> None:
    edges = TreePicture(tree).graph(links=True).edges(data="kind")
    assert ("shop/front", "shop/back", "link") in edges
    assert ("shop", "shop/front", "supervises") in edges


def test_the_figure_has_one_marker_per_process_and_escapes_its_texts(tree: TreeView) -> None:
    figure = TreePicture(tree).figure()
    nodes = figure.data[1]
    assert list(nodes.customdata) == [process.key for process in tree.processes]
    assert not any("<script" in text for text in (*nodes.text, *nodes.hovertext))


def test_the_figure_reads_on_light_and_dark(tree: TreeView) -> None:
    assert TreePicture(tree).figure().layout.paper_bgcolor == "rgba(0,0,0,0)"


# --- in the notebook ------------------------------------------------------------------------------------------------


def test_a_saved_notebook_has_the_tree_as_text_and_as_a_picture(tree: TreeView) -> None:
    bundle = TreePicture(tree)._repr_mimebundle_()
    assert bundle.keys() == {"text/plain", "text/html"}
    assert "<svg" in bundle["text/html"]


def test_a_live_picture_finds_its_place_in_the_static_one(tree: TreeView) -> None:
    bundle = TreePicture(tree, lambda view: SimpleNamespace(anchor="abc"))._repr_mimebundle_()  # type: ignore[arg-type]
    assert bundle.keys() == {"text/plain", "text/html"}
    assert 'data-jupyter-sandbox="abc"' in bundle["text/html"]


def test_a_live_picture_needs_a_page(tree: TreeView) -> None:
    with pytest.raises(UsageError, match="needs a notebook"):
        TreePicture(tree).live()


def test_a_page_that_strips_svg_and_style_shows_an_image_with_a_text(tree: TreeView) -> None:
    html = TreePicture(tree).html()
    assert '<div class="jsb-inline" style="display:none">' in html
    assert '<img class="jsb-image" alt="shop · step 12' in html
