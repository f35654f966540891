"""Attacks on openings: who may change one folder must not reach another by what it puts in the place of a path."""

from __future__ import annotations

import importlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from jupyter_sandbox.isolation import zygote
from jupyter_sandbox.manager.manager import SandboxManager
from jupyter_sandbox.manager.sandbox import Sandbox
from jupyter_sandbox.manager.watchdog import DISK_EVERY
from jupyter_sandbox.model.errors import CompileError, LaunchFailed, SandboxError, Unsupported, UsageError
from jupyter_sandbox.model.limits import DISK_FILES

from .conftest import CAMP, Arena
from .tools import CONTROL, REFUSED, attempt


@pytest.fixture
def ground(tmp_path: Path) -> Path:
    """A project that is opened for writing, with places in it that others use, and what nobody opened beside it."""
    base = tmp_path.resolve()
    for folder in ("project/sub", "project/deep/er", "hidden/er"):
        (base / folder).mkdir(parents=True)
        (base / folder / "file").write_text("treasure" if "hidden" in folder else "shown")
    for file in ("project/file", "project/other", "hidden/file"):
        (base / file).write_text("treasure" if "hidden" in file else "shown")
    return base


SWAPS = {
    "a link": ("sub", "_os.rename('sub', 'old'); _os.symlink({hidden!r}, 'sub')"),
    "a relative link": ("sub", "_os.rename('sub', 'old'); _os.symlink('../hidden', 'sub')"),
    "a link to a link": (
        "sub",
        "_os.rename('sub', 'old'); _os.symlink({hidden!r}, 'between'); _os.symlink('between', 'sub')",
    ),
    "a link to dots": ("sub", "_os.rename('sub', 'old'); _os.symlink('deep/er/../../../hidden', 'sub')"),
    "a link through itself": (
        "sub",
        "_os.rename('sub', 'old'); _os.symlink('/proc/self/cwd/../../../..' + {hidden!r}, 'sub')",
    ),
    "a link above it": ("deep/er", "_os.rename('deep', 'old'); _os.symlink({hidden!r}, 'deep')"),
    "a link for a file": ("file", "_os.rename('file', 'old'); _os.symlink({hidden!r} + '/file', 'file')"),
    "a hard link for a file": ("file", "_os.rename('file', 'old'); _os.link('other', 'file')"),
    "another folder": ("sub", "_os.rename('sub', 'old'); _os.mkdir('sub')"),
    "another folder, exchanged": (
        "sub",
        "_os.rename('sub', 'between'); _os.rename('deep', 'sub'); _os.rename('between', 'deep')",
    ),
    "nothing": ("sub", "_os.rename('sub', 'old')"),
}
"""What is opened to another sandbox, and what the attacker does to it from within the project."""


def swap(arena: Arena, ground: Path, name: str, attacker: Sandbox) -> None:
    """Do it, from inside."""
    source = f"_os.chdir({str(ground / 'project')!r}); " + SWAPS[name][1].format(hidden=str(ground / "hidden"))
    assert arena.attempt(source, attacker) == "worked"


def sees_nothing(arena: Arena, ground: Path, sandbox: Sandbox) -> bool:
    """Whether what is hidden can neither be read nor changed, by its own path and by those in the project."""
    paths = (f"{ground}/hidden/file", f"{ground}/hidden/er/file", f"{ground}/project/sub/file")
    told = [arena.attempt(f"answer = open({path!r}).read()", sandbox) for path in paths]
    told += [arena.attempt(f"open({path!r}, 'a').write('owned')", sandbox) for path in paths[:2]]
    return "treasure" not in told and not {"worked"} & set(told[3:])


@pytest.mark.parametrize("kind", ["read", "write"])
@pytest.mark.parametrize("name", SWAPS)
def test_what_takes_the_place_of_an_opening_is_not_opened_to_anybody(
    strict: Arena, ground: Path, name: str, kind: str
) -> None:
    attacker = strict.attacker(allow={"write": ground / "project"})
    victim = strict.attacker(allow={kind: ground / "project" / SWAPS[name][0]})
    before = entries(ground / "project")
    swap(strict, ground, name, attacker)
    assert sees_nothing(strict, ground, victim), "what it has is what it was given"
    with pytest.raises(LaunchFailed, match="is not what it was when the sandbox was created"):
        victim.load(f"x = open('{ground}/hidden/file').read()", "spy")
    with pytest.raises(LaunchFailed, match="destroy the sandbox and create it again"):
        victim.restart()
    assert strict.alive(victim) and sees_nothing(strict, ground, victim), "it goes on as it was"
    put_back(ground / "project", before)
    victim.restart()
    assert strict.alive(victim) and sees_nothing(strict, ground, victim)
    assert (ground / "hidden/file").read_text() == (ground / "hidden/er/file").read_text() == "treasure"


def entries(project: Path) -> dict[int, str]:
    """The names of what is in a folder, by what it is."""
    with os.scandir(project) as found:
        return {entry.inode(): entry.name for entry in found}


def put_back(project: Path, before: dict[int, str]) -> None:
    """Give everything the name that it had; what has taken that goes out of the way."""
    for inode, name in entries(project).items():
        (project / name).rename(project / (f"kept-{inode}" if inode in before else f"away-{name}"))
    for inode, name in before.items():
        (project / f"kept-{inode}").rename(project / name)


@pytest.mark.parametrize("more", [{}, {"subprocess": True}], ids=["alone", "with programs"])
def test_an_opening_inside_one_of_its_own_does_not_lead_out(strict: Arena, ground: Path, more: dict[str, bool]) -> None:
    allow = {"read": ground / "project/sub", "write": ground / "project", **more}
    attacker = strict.attacker(allow=allow)
    swap(strict, ground, "a link", attacker)
    if more:
        with pytest.raises(LaunchFailed, match="it has become a link"):
            attacker.restart()
        return
    attacker.restart()
    assert sees_nothing(strict, ground, attacker)
    assert strict.attempt(f"answer = open('{ground}/project/old/file').read()", attacker) == "shown"


@pytest.mark.parametrize("name", [name for name in SWAPS if "link" in name and "hard" not in name])
def test_a_link_that_a_sandbox_may_have_made_is_not_followed_for_another_one(
    strict: Arena, ground: Path, name: str
) -> None:
    attacker = strict.attacker(allow={"write": ground / "project"})
    swap(strict, ground, name, attacker)
    attacker.destroy()
    with pytest.raises(UsageError, match=f"where a sandbox may put one; .* leads to {ground}/hidden"):
        strict.manager.create(allow={"write": ground / "project" / SWAPS[name][0]})


def test_a_link_of_the_user_is_followed_once_and_told(strict: Arena, ground: Path) -> None:
    (ground / "mine").symlink_to("project/sub")
    sandbox = strict.attacker(allow={"read": ground / "mine"})
    protection = sandbox.info().protection
    assert protection is not None
    assert f"it can read {ground}/project/sub (named as {ground}/mine, a link)" in protection.not_stopped
    (ground / "mine").unlink()
    (ground / "mine").symlink_to("hidden")
    sandbox.restart()
    assert strict.attempt(f"answer = open('{ground}/project/sub/file').read()", sandbox) == "shown"
    assert strict.attempt(f"open('{ground}/mine/file')", sandbox) in REFUSED


def test_a_name_of_a_sandboxs_choice_says_nothing_false_where_a_path_is_told(strict: Arena, ground: Path) -> None:
    attacker = strict.attacker(allow={"write": ground / "project"})
    evil = str(ground / "project/a\x1b[2J\nit can read nothing\u202e")
    assert strict.attempt(f"_os.mkdir({evil!r}); _os.symlink({evil!r}, '{ground}/project/link')", attacker) == "worked"
    victim = strict.attacker(allow={"read": evil})
    protection = victim.info().protection
    assert protection is not None
    told = list(protection.not_stopped)
    with pytest.raises(UsageError, match="is a link where a sandbox may put one") as refused:
        strict.manager.create(allow={"read": ground / "project/link"})
    assert strict.attempt(f"_os.rmdir({evil!r})", attacker) == "worked"
    with pytest.raises(LaunchFailed, match="is not what it was") as failed:
        victim.restart()
    with pytest.raises(UsageError, match="make it first") as missing:
        strict.manager.create(allow={"read": evil})
    told += [str(one.value) for one in (refused, failed, missing)]
    assert sum("it can read nothing" in text for text in told) == 4
    assert not any(CONTROL.search(text) or "\n" in text for text in told)


def test_a_path_that_is_not_there_is_refused_and_not_opened_when_it_comes(strict: Arena, ground: Path) -> None:
    with pytest.raises(UsageError, match=f"there is no {ground}/project/later; make it first"):
        strict.manager.create(allow={"write": ground / "project/later"})


@pytest.mark.parametrize(
    "source",
    [
        "_os.link({hidden!r} + '/file', 'sub/file2'); answer = open('sub/file2').read()",
        "_os.rename({hidden!r} + '/file', 'sub/file2'); answer = open('sub/file2').read()",
        "_os.rename({hidden!r}, 'taken'); answer = open('taken/file').read()",
        "_os.rename('.', '../moved')",
        "_os.rename('sub', '../hidden/sub')",
        "_os.symlink({hidden!r}, '../link')",
        "f = _os.open({hidden!r}, _os.O_PATH); answer = _os.open('file', 0, dir_fd=f)",
        "_os.symlink({hidden!r}, 'l'); answer = open('l/file').read()",
    ],
)
def test_nothing_is_taken_into_an_opening_nor_out_of_it(strict: Arena, ground: Path, source: str) -> None:
    attacker = strict.attacker(allow={"read": ground / "project/sub", "write": ground / "project"})
    text = f"_os.chdir({str(ground / 'project')!r}); " + source.format(hidden=str(ground / "hidden"))
    strict.refuses(text, attacker, also={"EXDEV", "EBUSY"})
    assert (ground / "hidden/file").read_text() == "treasure" and not (ground / "link").is_symlink()


FLICKER = """
import os, random, time
os.chdir({project!r})
while not os.path.exists('over'):
    for _ in range(random.choice((1, 10, 100, 1_000))):
        os.rename('sub', 'old'); os.symlink({hidden!r}, 'sub'); os.unlink('sub'); os.rename('old', 'sub')
    time.sleep(random.choice((0, 0.01, 0.03, 0.1, 0.3, 1)))
"""
"""With pauses in which a start can come to its end, also on a busy machine."""


@pytest.mark.parametrize("looks", ["kernel and guest", "guest alone"])
def test_no_moment_of_a_start_can_be_used(
    strict: Arena, ground: Path, looks: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if looks == "guest alone":
        monkeypatch.setattr(zygote, "check", lambda openings: None)
    attacker = strict.attacker(allow={"write": ground / "project"}, limits={"handler_budget": 100_000})
    victim = strict.attacker(allow={"write": ground / "project/sub"})
    source = FLICKER.format(project=str(ground / "project"), hidden=str(ground / "hidden"))
    thread = Thread(target=lambda: attacker.call("evil", source, timeout_ms=100_000))
    thread.start()
    starts = refusals = 0
    begin = time.monotonic()
    while thread.is_alive():
        elapsed_s = time.monotonic() - begin
        if elapsed_s > 60 or (elapsed_s > 5 and starts and refusals):
            (ground / "project/over").touch()
            thread.join()
            break
        try:
            victim.restart()
        except (LaunchFailed, Unsupported) as error:
            refusals += 1
            assert "is not what it was" in str(error)
            continue
        starts += 1
        assert sees_nothing(strict, ground, victim)
    assert starts and refusals, "the attack was never there, or always"


def test_the_guest_itself_refuses_what_became_a_link_after_the_kernel_looked(
    strict: Arena, ground: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = strict.attacker(allow={"read": ground / "project/sub"})
    (ground / "project/sub").rename(ground / "project/old")
    (ground / "project/sub").symlink_to(ground / "hidden")
    monkeypatch.setattr(zygote, "check", lambda openings: None)
    with pytest.raises(Unsupported, match=r"landlock: .*/project/sub, .* it has become a link"):
        victim.restart()


@pytest.fixture
def importing(ground: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxManager]:
    """A kernel with a folder of the project on its search path, and a link to one."""
    (ground / "project/sub/from_sub.py").write_text("x = 'sub'")
    (ground / "libraries").mkdir()
    (ground / "libraries/from_libraries.py").write_text("x = 'libraries'")
    (ground / "linked").symlink_to("libraries")
    for folder in ("project/sub", "project/later", "linked"):
        monkeypatch.syspath_prepend(str(ground / folder))
    with SandboxManager(store=":memory:") as manager:
        yield manager


def test_a_folder_of_the_search_path_that_becomes_a_link_is_not_followed_either(
    strict_machine: None, importing: SandboxManager, ground: Path
) -> None:
    def make(**options: object) -> Sandbox:
        return importing.create(code={"camp.py": CAMP}, main="camp.Camp", **options)  # type: ignore[arg-type]

    attacker = make(allow={"write": ground / "project"})
    source = f"import from_sub, from_libraries; answer = from_sub.x + from_libraries.x; _os.chdir('{ground}/project')"
    assert attacker.call("evil", attempt(source)) == "sublibraries"
    source = f"_os.rename('sub', 'old'); _os.symlink('{ground}/hidden', 'sub'); _os.symlink('{ground}/hidden', 'later')"
    assert attacker.call("evil", attempt(source)) == "worked"
    for options in ({}, {"allow": {"net": True, "subprocess": True}}):
        victim = make(**options)
        for path in ("hidden/file", "project/sub/file", "project/later/file"):
            assert victim.call("evil", attempt(f"answer = open('{ground}/{path}').read()")) in REFUSED
        assert victim.call("evil", attempt("import from_libraries; answer = from_libraries.x")) == "libraries"


def test_what_is_written_into_an_opening_is_not_counted_and_that_is_said(strict: Arena, ground: Path) -> None:
    sandbox = strict.attacker(allow={"write": ground / "project"}, limits={"handler_budget": 20_000})
    protection = sandbox.info().protection
    assert protection is not None
    assert "what it writes there is not counted: it can fill that disk" in protection.not_stopped
    source = f"for n in range({DISK_FILES + 100}): open(f'{ground}/project/f{{n}}', 'w').close()"
    assert strict.attempt(source, sandbox) == "worked"
    watchdog = strict.manager._watchdog
    assert watchdog is not None
    looks = watchdog._count + 3 * DISK_EVERY
    strict.until(lambda: watchdog._count >= looks, "nobody looks")  # three times, of which nobody hears anything
    assert strict.alive(sandbox) and not sandbox.info().alerts
    assert len(os.listdir(ground / "project")) > DISK_FILES
    assert not any("not counted" in text for text in strict.attacker().info().protection.not_stopped)  # type: ignore[union-attr]


def test_a_link_that_took_the_place_of_an_opening_is_not_written_through_when_a_sandbox_ends(
    strict: Arena, ground: Path
) -> None:
    attacker = strict.attacker(allow={"write": ground / "project"})
    folder = strict.folder(attacker)
    source = f"_os.symlink('{ground}/hidden', 'inside'); _os.symlink(_os.getcwd(), '{ground}/project/back')"
    assert strict.attempt(source, attacker) == "worked"
    attacker.destroy()
    strict.until(lambda: not folder.exists(), "the folder is still there")
    assert (ground / "hidden/file").read_text() == "treasure" and (ground / "project/file").read_text() == "shown"
    with pytest.raises(SandboxError, match="make it first"):
        strict.manager.create(allow={"write": ground / "project/back"})


IMPORTED = "what it writes there can run in this kernel"


def test_a_folder_for_writing_that_the_kernel_imports_from_is_told(
    strict: Arena, ground: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, sub = str(ground / "project"), str(ground / "project/sub")
    monkeypatch.syspath_prepend(project)
    for allow, said in (({"write": sub}, ""), ({"read": project}, ""), ({"write": [sub, project]}, project)):
        protection = strict.attacker(allow=allow).info().protection
        assert protection is not None
        words = f"your notebook imports modules from {said}: {IMPORTED}"
        assert [one for one in protection.not_stopped if IMPORTED in one] == ([words] if said else [])


def test_a_link_on_the_search_path_that_a_sandbox_can_replace_is_told(
    strict: Arena, ground: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (ground / "library").mkdir()
    (ground / "project/current").symlink_to("../library")
    (ground / "project/sub/victim_of_a_link.py").write_text("x = 'owned'")
    monkeypatch.syspath_prepend(str(ground / "project/current"))
    attacker = strict.attacker(allow={"write": ground / "project"})
    protection = attacker.info().protection
    assert protection is not None and any(IMPORTED in one for one in protection.not_stopped)
    source = f"_os.chdir('{ground}/project'); _os.unlink('current'); _os.symlink('sub', 'current')"
    assert strict.attempt(source, attacker) == "worked"
    importlib.invalidate_caches()
    assert importlib.import_module("victim_of_a_link").x == "owned", "what the sentence says"


STARTED = "what it writes can run as you"


def test_a_folder_for_writing_that_programs_of_the_kernel_are_started_from_is_told(
    strict: Arena, ground: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (ground / "project/python").symlink_to(sys.executable)
    for path in ("project/.jupyter", "hidden/.ipython", "project/git"):
        (ground / path).mkdir()
    for variable in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(variable, str(ground / variable))

    def told(path: Path) -> str:
        protection = strict.attacker(allow={"write": path}).info().protection
        assert protection is not None
        return next((one for one in protection.not_stopped if STARTED in one), "")

    assert told(ground / "project") == ""
    monkeypatch.setattr(sys, "executable", str(ground / "project/python"))
    assert told(ground / "project").startswith(f"programs or settings of yours or the machine's lie in {ground}")
    monkeypatch.undo()
    monkeypatch.setenv("IPYTHONDIR", str(ground / "hidden/.ipython"))
    monkeypatch.setenv("HOME", str(ground / "project"))
    assert told(ground / "hidden") and told(ground / "project") and told(ground / "project/.jupyter")
    assert told(ground / "project/sub") == ""


@pytest.mark.parametrize("trap", ["os.mkfifo(path)", "os.truncate(os.open(path, os.O_CREAT | os.O_RDWR), 15_000_000)"])
def test_a_trap_in_a_folder_that_is_loaded_is_an_error_and_keeps_nobody(
    strict: Arena, tmp_path: Path, trap: str
) -> None:
    (tmp_path / "shop.py").write_text("n = 1\n")
    sandbox, other = strict.attacker(allow={"write": [str(tmp_path)]}), strict.attacker()
    strict.attack(f"import os\npath = {str(tmp_path / 'zz.py')!r}\n{trap}", sandbox)
    outcome = strict.watch(lambda: other.load(tmp_path))
    assert isinstance(outcome.error, CompileError)
    assert str(tmp_path / "zz.py") in str(outcome.error)
    assert strict.in_time(outcome.span, 3.0)
    strict.watch(other.restart)
    assert strict.alive(other) and strict.alive(sandbox)
