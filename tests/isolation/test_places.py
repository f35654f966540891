"""Paths opened by name: what they lead to is looked up once, and opened again without following any link."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from jupyter_sandbox.isolation import straight
from jupyter_sandbox.isolation.paths import rules_for
from jupyter_sandbox.isolation.places import check, resolve
from jupyter_sandbox.isolation.straight import OPENAT2, follow, open_by_steps, open_straight
from jupyter_sandbox.isolation.syscalls import NUMBERS
from jupyter_sandbox.model.errors import LaunchFailed, UsageError
from jupyter_sandbox.model.openings import Openings

WAYS = {"openat2": open_straight, "by steps": open_by_steps}


@pytest.fixture
def ground(tmp_path: Path) -> Path:
    """A folder with a file in a folder, and links to both; what leads here has no links."""
    base = tmp_path.resolve()
    (base / "real/inner").mkdir(parents=True)
    (base / "real/inner/file").write_text("x")
    (base / "link").symlink_to("real")
    (base / "real/up").symlink_to(base / "real/inner")
    (base / "circle").symlink_to("circle")
    return base


def identity(fd: int) -> tuple[int, int]:
    found = os.fstat(fd)
    os.close(fd)
    return found.st_dev, found.st_ino


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("path", ["", "real", "real/inner", "real/inner/file"])
def test_a_path_without_links_is_opened(ground: Path, way: str, path: str) -> None:
    found = os.stat(ground / path)
    assert identity(WAYS[way](str(ground / path))) == (found.st_dev, found.st_ino)
    assert identity(WAYS[way]("/")) == (os.stat("/").st_dev, os.stat("/").st_ino)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "path", ["link", "link/", "link/inner", "link/inner/file", "real/up", "real/up/file", "circle"]
)
def test_a_link_on_the_way_is_an_error_wherever_it_is(ground: Path, way: str, path: str) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError) as caught:
        WAYS[way](f"{ground}/{path}")
    assert caught.value.errno in (errno.ELOOP, errno.ENOTDIR)
    assert len(os.listdir("/proc/self/fd")) == before
    with pytest.raises(FileNotFoundError):
        WAYS[way](f"{ground}/none/file")


@pytest.mark.parametrize("answer", [errno.ENOSYS, errno.EPERM], ids=["an older Linux", "a container's filter"])
def test_without_openat2_a_path_is_opened_step_by_step(
    ground: Path, monkeypatch: pytest.MonkeyPatch, answer: int
) -> None:
    def refuse(number: int, *_: object) -> int:
        assert number == OPENAT2
        raise OSError(answer, os.strerror(answer))

    monkeypatch.setattr(straight.system, "syscall", refuse)
    os.close(open_straight(str(ground / "real/inner")))
    with pytest.raises(NotADirectoryError):
        open_straight(str(ground / "link/inner"))


def test_its_number_is_that_of_linux_for_every_machine() -> None:
    assert {table["openat2"] for table in NUMBERS.values()} == {OPENAT2}


@pytest.mark.parametrize(
    ("path", "real", "links"),
    [
        ("real/inner/../inner/./file", "real/inner/file", []),
        ("link/inner", "real/inner", ["link"]),
        ("link/up/file", "real/inner/file", ["link", "real/up"]),
        ("real/up/..", "real", ["real/up"]),
        ("link/../real", "real", ["link"]),
    ],
)
def test_a_path_is_followed_as_the_operating_system_does(ground: Path, path: str, real: str, links: list[str]) -> None:
    assert follow(f"{ground}/{path}") == (str(ground / real), [str(ground / link) for link in links])
    assert os.path.realpath(f"{ground}/{path}", strict=True) == str(ground / real)


def test_what_a_path_leads_to_is_kept_and_how_it_was_named(ground: Path) -> None:
    opened = resolve(Openings(read=(f"{ground}/link/inner",), write=(f"{ground}/real/inner/file",)))
    assert opened.read == (f"{ground}/real/inner",) and opened.write == (f"{ground}/real/inner/file",)
    found = os.stat(ground / "real/inner")
    assert {(place.path, place.device, place.inode, place.named) for place in opened.places if place.named} == {
        (f"{ground}/real/inner", found.st_dev, found.st_ino, f"{ground}/link/inner")
    }
    assert opened.told(opened.read) == f"{ground}/real/inner (named as {ground}/link/inner, a link)"
    assert opened.told(opened.write) == f"{ground}/real/inner/file"


def test_what_lies_in_another_opening_that_opens_as_much_is_left_out(ground: Path) -> None:
    outer, inner = f"{ground}/real", f"{ground}/link/inner"
    assert resolve(Openings(read=(inner,), write=(outer,))).read == ()
    assert resolve(Openings(read=(outer, inner, outer))).read == (outer,)
    assert resolve(Openings(write=(inner, outer))).write == (outer,)
    assert resolve(Openings(read=(outer,), write=(inner,))).write == (f"{outer}/inner",)
    programs = resolve(Openings(read=(inner,), write=(outer,), subprocess=True))
    assert programs.read == (f"{outer}/inner",), "only from there may programs be started"


@pytest.mark.parametrize("path", ["none", "none/../real", "circle", "real/inner/file/x"])
def test_a_path_that_leads_nowhere_is_refused_in_one_line(ground: Path, path: str) -> None:
    with pytest.raises(UsageError) as caught:
        resolve(Openings(read=(f"{ground}/{path}",)))
    text = str(caught.value)
    assert "\n" not in text and f"{ground}/{path}" in text
    assert ("make it first" in text) is (path != "circle")


def test_a_folder_that_is_gone_makes_nothing_relative(ground: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (ground / "here").mkdir()
    monkeypatch.chdir(ground / "here")
    (ground / "here").rmdir()
    with pytest.raises(UsageError, match="there is no data"):
        resolve(Openings(read=("data",)))
    assert resolve(Openings(read=(str(ground),))).read == (str(ground),)


@pytest.mark.parametrize("path", ["a\0b", "caf\udcff"])
def test_what_cannot_be_a_path_is_refused(path: str) -> None:
    with pytest.raises(UsageError, match="null characters"):
        Openings.merged({"read": path})


def test_a_link_where_a_sandbox_could_have_put_it_is_not_followed(ground: Path) -> None:
    for path in ("real/up", "real/up/file"):
        with pytest.raises(UsageError, match="where a sandbox may put one; name what you mean"):
            resolve(Openings(read=(f"{ground}/{path}",)), [f"{ground}/real"])
    assert resolve(Openings(read=(f"{ground}/link/inner",)), [f"{ground}/real"]).read == (f"{ground}/real/inner",)


@pytest.mark.parametrize("path", ["/", "{tmp}", "{link}", "{own}"])
def test_what_sandboxes_work_in_is_not_opened_for_writing(ground: Path, path: str) -> None:
    (ground / "tmp").symlink_to(tempfile.gettempdir())
    own = Path(tempfile.mkdtemp(prefix="jupyter_sandbox-"))
    try:
        with pytest.raises(UsageError, match=r"sandboxes work in .* name a folder in it"):
            resolve(Openings(write=(path.format(tmp=tempfile.gettempdir(), link=ground / "tmp", own=own),)))
    finally:
        own.rmdir()


CHANGES: dict[str, Callable[[Path], object]] = {
    "not there any more": lambda path: path.rename(path.with_name("old")),
    "another file or folder": lambda path: (path.rename(path.with_name("old")), path.mkdir()),
    "become a link": lambda path: (path.rename(path.with_name("old")), path.symlink_to("old")),
}


@pytest.mark.parametrize("words", CHANGES)
def test_whatever_takes_the_place_of_an_opening_is_told(ground: Path, words: str) -> None:
    opened = resolve(Openings(write=(f"{ground}/real/inner",)))
    check(opened)
    CHANGES[words](ground / "real/inner")
    with pytest.raises(LaunchFailed, match=f"{ground}/real/inner, which .*{words}"):
        check(opened)


def test_what_guests_open_for_the_runtime_has_no_links_in_it(ground: Path) -> None:
    everything = Openings(net=True, subprocess=True)
    paths = [path for path, _ in rules_for("/tmp/x/guest", (f"{ground}/link",), everything) if os.path.exists(path)]
    assert f"{ground}/real" in paths and len(paths) > 15
    assert [path for path in paths if os.path.realpath(path) != path] == []
