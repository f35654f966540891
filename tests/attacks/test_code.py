"""Attacks by code that is loaded and by what is saved: the old version runs on, and nothing runs outside a sandbox."""

from __future__ import annotations

import io
import marshal
import pickle
import re
import struct
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from importlib.util import MAGIC_NUMBER
from pathlib import Path

import pytest

from jupyter_sandbox.code.sources import GitSource
from jupyter_sandbox.model.errors import CompileError, SandboxError, SnapshotError
from jupyter_sandbox.model.sandbox import SandboxStatus

from .conftest import CAMP, Arena

RELOADS = {
    "a syntax error": "class Evil(:\n",
    "a crash at import": "1 / 0",
    "an exit at import": "import os; os._exit(1)",
    "a segmentation fault at import": "import ctypes; ctypes.string_at(0)",
    "all memory at import": "x = bytearray(10**9)",
    "a class that is gone": "y = 1",
    "a kill of the zygote at import": "import os; os.kill(os.getppid(), 9)",
    "nesting without end": "x = " + "(" * 5_000 + ")" * 5_000,
    "an expression without end": "x = " + "-" * 100_000 + "1",
    "a constant without end": "x = 9 ** 9 ** 9",
    "null bytes": "x = 1\0",
    "a coding of its own": "# -*- coding: rot13 -*-\nx = 1",
    "a name that is taken": "import sys; sys.modules['jupyter_sandbox'] = None; raise ImportError",
    "import of everything": "import antigravity, this; raise ImportError",
    "a loop at import without end": "while True: pass",
}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow if "without end" in name and "nesting" not in name else ())
        for name in RELOADS
    ],
)
def test_bad_code_is_refused_and_the_old_version_runs_on(strict: Arena, name: str) -> None:
    sandbox = strict.attacker()
    sandbox.call("evil", "state = 'kept'")
    outcome = strict.watch(lambda: sandbox.load({"camp.py": RELOADS[name]}))
    if outcome.error is None:
        assert name in ("a class that is gone", "a coding of its own", "an expression without end")
        return
    assert sandbox.status is SandboxStatus.RUNNING and strict.alive(sandbox)
    assert sandbox.call("evil", "answer = state") == "kept"


def test_a_changed_layout_that_cannot_take_the_old_state_is_taken_back(strict: Arena) -> None:
    sandbox = strict.attacker()
    sandbox.call("evil", "")
    worse = CAMP.replace("class Ticker", "    def code_change(self, old, state, extra): raise KeyError\n\nclass Ticker")
    assert strict.watch(lambda: sandbox.load({"camp.py": worse})).error is not None
    assert strict.alive(sandbox)


STATES = {
    "a lock": ("import threading; state = threading.Lock()", "cannot be saved"),
    "a file": ("state = open('x', 'w')", "cannot be saved"),
    "a generator": ("state = (n for n in [1])", "cannot be saved"),
    "a pickle that acts": (
        "class Evil:\n    def __reduce__(self): return (exec, ('import os; os.kill(os.getpid(), 9)',))\nstate = Evil()",
        "SIGKILL",
    ),
    "a pickle that hangs": (
        "class Evil:\n    def __reduce__(self):\n        while True: pass\nstate = Evil()",
        "the state of evil cannot be saved: saving it took longer than handler_budget allows, at <attack> line 3",
    ),
    "a state that holds itself": ("state = []; state.append(state)", ""),
    "a state that is too large to travel": ("state = bytes(100_000_000)", "evil is too large to be saved: it has 100"),
    "a state of many pieces that is too large": (
        "state = [bytes(60_000 + n) for n in range(2_000)]", "evil is too large to be saved",
    ),
    "a very deep state": ("x = ()\nfor _ in range(100_000): x = (x,)\nstate = x", "cannot be saved"),
}  # fmt: skip
"""Each with the error of saving or restoring it; '' for none."""


@pytest.mark.parametrize("name", STATES)
def test_a_snapshot_of_an_evil_state_is_an_error_or_harmless(strict: Arena, name: str) -> None:
    sandbox = strict.attacker(limits={"max_memory": 400_000_000, "handler_budget": 2_000})
    source, error = STATES[name]
    assert strict.attack(source, sandbox).error is None
    outcome = strict.watch(lambda: sandbox.snapshot("evil"))
    if outcome.error is None:
        outcome = strict.watch(lambda: sandbox.restore("evil"))
    assert error in str(outcome.error) if error else outcome.error is None
    assert strict.works_again(sandbox)


def test_a_state_that_there_is_no_memory_to_save_is_an_error_and_the_sandbox_goes_on(strict: Arena) -> None:
    sandbox = strict.attacker(limits={"max_memory": 100_000_000})
    assert strict.attack("state = bytes(60_000_000)", sandbox).error is None
    outcome = strict.watch(lambda: sandbox.snapshot("evil"))
    assert isinstance(outcome.error, SnapshotError)
    assert "the state of evil cannot be saved: memory ended at 60 MB of it" in str(outcome.error)
    assert sandbox.status is SandboxStatus.RUNNING
    assert strict.attempt("answer = len(state)", sandbox) == 60_000_000


def test_a_forged_snapshot_is_opened_inside_a_sandbox_only(strict: Arena, tmp_path: Path) -> None:
    sandbox = strict.attacker()
    sandbox.snapshot("forged")
    trap = tmp_path / "sprung"

    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str, str]]:
            return (open, (str(trap), "w"))

    with strict.manager.store._open() as database:
        database.execute("update snapshots set blob = ?", (pickle.dumps(Trap()),))
    strict.watch(lambda: sandbox.restore("forged"))
    assert not trap.exists()
    assert strict.works_again(sandbox)


def archive(path: Path, names: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in names.items():
            made.writestr(name, data)
    return path


def linked(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as made:
        entry = zipfile.ZipInfo("evil.py")
        entry.external_attr = 0o120777 << 16
        made.writestr(entry, "/etc/passwd")
    return path


SETUP = {
    "pkg-1.0/PKG-INFO": "Metadata-Version: 2.1\nName: pkg\nVersion: 1.0\n",
    "pkg-1.0/setup.py": "open({trap!r}, 'w').close()\nfrom setuptools import setup\nsetup(name='pkg')\n",
    "pkg-1.0/pkg.py": "x = 1\n",
}
"""A source distribution: who installs it runs ``setup.py``."""


def source_distribution(path: Path) -> Path:
    files = {name: text.format(trap=str(path.parent / "sprung")).encode() for name, text in SETUP.items()}
    if path.suffix == ".zip":
        return archive(path, files)
    with tarfile.open(path, "w:gz") as made:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            made.addfile(entry, io.BytesIO(data))
    return path


def of_junk(path: Path) -> Path:
    path.write_bytes(b"PK\x03\x04" * 9)
    return path


def lying_bomb(path: Path) -> Path:
    """Its table of contents says that it is small."""
    archive(path, {"evil.py": b"#" * 100_000_000})
    path.write_bytes(path.read_bytes().replace(struct.pack("<I", 100_000_000), struct.pack("<I", 100)))
    return path


def of_entries(path: Path, count: int) -> Path:
    """A directory that says of itself that it is small, and nothing beside it."""
    named = (b"%07x" % number for number in range(1000))
    thousand = b"".join(
        struct.pack("<IHHHHHHIIIHHHHHII", 0x02014B50, 20, 20, *[0] * 7, 7, *[0] * 6) + one for one in named
    )
    directory = thousand * (count // 1000)
    path.write_bytes(directory + struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 1, 1, len(directory), 0, 0))
    return path


def of_comments(path: Path) -> Path:
    entry = (
        struct.pack("<IHHHHHHIIIHHHHHII", 0x02014B50, 20, 20, *[0] * 7, 1, 0, 0xFFFF, *[0] * 4) + b"a" + bytes(0xFFFF)
    )
    directory = entry * 200
    path.write_bytes(directory + struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 200, 200, len(directory), 0, 0))
    return path


def damaged(path: Path, how: int) -> Path:
    """A byte at the beginning of what is packed is another one."""
    with zipfile.ZipFile(path, "w", how) as made:
        made.writestr("evil.py", b"x = 1\n" * 50)
    data = bytearray(path.read_bytes())
    data[30 + len("evil.py") + 9] ^= 0xFF
    path.write_bytes(data)
    return path


ARCHIVES: dict[str, tuple[Callable[[Path], Path], str]] = {
    "names that lead out": (
        lambda folder: archive(folder / "a.zip", {"../../evil.py": b"x = 1"}), "leads out of the archive",
    ),
    "names from the root": (
        lambda folder: archive(folder / "a.zip", {"/tmp/evil.py": b"x = 1"}), "leads out of the archive",
    ),
    "links": (lambda folder: linked(folder / "a.zip"), "is a symbolic link"),
    "a bomb": (lambda folder: archive(folder / "a.zip", {"evil.py": b"#" * 100_000_000}), "100000000 bytes"),
    "a bomb that says that it is small": (lambda folder: lying_bomb(folder / "a.zip"), "no readable|more than"),
    "many small bombs": (
        lambda folder: archive(folder / "a.zip", {f"m{n}.py": b"#" * 1_000_000 for n in range(100)}), "100000000 bytes",
    ),
    "a source distribution": (lambda folder: source_distribution(folder / "pkg-1.0.tar.gz"), "is no .* file: give"),
    "a source distribution as a zip": (lambda folder: source_distribution(folder / "pkg-1.0.zip"), "no Python module"),
    "a directory of a quarter of a million": (
        lambda folder: of_entries(folder / "a.zip", 250_000), r"a\.zip holds more than 20000 entries; split it",
    ),
    "a directory of comments": (lambda folder: of_comments(folder / "a.zip"), "has a directory of more than 10920000"),
    "damage that LZMA meets": (lambda folder: damaged(folder / "a.zip", zipfile.ZIP_LZMA), r"zip \(Corrupt input"),
    "damage that bzip2 meets": (lambda folder: damaged(folder / "a.zip", zipfile.ZIP_BZIP2), r"zip \(Invalid data"),
    "no archive at all": (lambda folder: of_junk(folder / "a.whl"), "no readable wheel or zip"),
}  # fmt: skip
"""Each with the words of its refusal: another reason would be luck."""


@pytest.mark.parametrize("name", ARCHIVES)
def test_a_hostile_archive_is_refused(strict: Arena, name: str, tmp_path: Path) -> None:
    sandbox = strict.attacker()
    made, why = ARCHIVES[name]
    path = made(tmp_path)
    outcome = strict.watch(lambda: sandbox.load(path))
    assert re.search(why, str(outcome.error)) and outcome.grown < 50_000_000
    assert not (tmp_path.parent / "evil.py").exists() and not Path("/tmp/evil.py").exists()
    assert not (tmp_path / "sprung").exists(), "something of it ran outside"
    assert strict.alive(sandbox)


@pytest.mark.parametrize("given", ["by its path", "as compiled code"])
def test_a_source_distribution_is_refused_in_words(strict: Arena, given: str, tmp_path: Path) -> None:
    path = source_distribution(tmp_path / "pkg-1.0.tar.gz")
    sandbox = strict.attacker()
    outcome = strict.watch(lambda: sandbox.load(path if given == "by its path" else [path]))
    assert isinstance(outcome.error, CompileError)
    assert re.search(r"pkg-1\.0\.tar\.gz is no .* file: give .*\.whl or \.zip", str(outcome.error))
    assert not (tmp_path / "sprung").exists() and strict.alive(sandbox)


@pytest.mark.parametrize("damage", ["truncated", "flipped", "foreign", "evil"])
def test_a_damaged_compiled_module_hurts_a_trial_at_most(strict: Arena, damage: str, tmp_path: Path) -> None:
    code = bytearray(marshal.dumps(compile("import os\nx = [n for n in range(9)]\ndef f(): return x", "m", "exec")))
    if damage == "evil":
        code = bytearray(marshal.dumps(compile("import os; os.kill(os.getppid(), 9)", "m", "exec")))
    elif damage == "truncated":
        del code[len(code) // 2 :]
    elif damage == "flipped":
        for place in range(30, len(code), 7):
            code[place] ^= 0x55
    header = (b"\0" * 4 if damage == "foreign" else MAGIC_NUMBER) + bytes(12)
    (tmp_path / "odd.pyc").write_bytes(header + bytes(code))
    sandbox = strict.attacker()
    assert strict.watch(lambda: sandbox.load(tmp_path / "odd.pyc")).error is not None
    assert strict.alive(sandbox)


HOSTILE = {
    "its configuration": [("config", "[core]\n\tfsmonitor = touch SPRUNG\n\tsshCommand = touch SPRUNG\n")],
    "its hooks": [
        (f"hooks/{name}", "#!/bin/sh\ntouch SPRUNG\n") for name in ("post-checkout", "reference-transaction")
    ],
    "its filters": [
        ("config", '[filter "evil"]\n\tsmudge = touch SPRUNG\n\tclean = touch SPRUNG\n\tprocess = touch SPRUNG\n'),
        ("info/attributes", "* filter=evil diff=evil\n"),
    ],
    "other objects that it points to": [("objects/info/alternates", "/etc\n/proc/self/root\n")],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_repository_is_read_and_nothing_of_it_runs(strict: Arena, name: str, tmp_path: Path) -> None:
    commit = repository(tmp_path / "evil", {"shop.py": "x = 1"})
    for file, text in HOSTILE[name]:
        path = tmp_path / "evil/.git" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as end:
            end.write(text.replace("SPRUNG", str(tmp_path / "sprung")))
        path.chmod(0o755)
    sandbox = strict.attacker()
    assert strict.watch(lambda: sandbox.load(GitSource(str(tmp_path / "evil"), commit))).error is None
    assert sandbox.exec("import shop; shop.x") == 1
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("target", ["/etc/passwd", "../../secret", "shop.py"])
def test_a_link_among_the_modules_of_a_repository_is_refused(strict: Arena, target: str, tmp_path: Path) -> None:
    commit = repository(tmp_path / "evil", {"shop.py": "x = 1"}, link=target)
    sandbox = strict.attacker()
    outcome = strict.watch(lambda: sandbox.load(GitSource(str(tmp_path / "evil"), commit)))
    assert outcome.error is not None and "link" in str(outcome.error)
    assert strict.alive(sandbox)


def test_a_submodule_beside_the_modules_is_refused(strict: Arena, tmp_path: Path) -> None:
    folder = tmp_path / "evil"
    commit = repository(folder, {"shop/front.py": "x = 1"})
    git(folder, "update-index", "--add", "--cacheinfo", f"160000,{commit},shop/other")
    git(folder, "commit", "-q", "-m", "y")
    sandbox = strict.attacker()
    outcome = strict.watch(lambda: sandbox.load(GitSource(str(folder), git(folder, "rev-parse", "HEAD"))))
    assert "submodule" in str(outcome.error)
    assert strict.alive(sandbox)


def test_a_bomb_among_the_modules_of_a_repository_is_refused(strict: Arena, tmp_path: Path) -> None:
    """A hundred kilobytes there, a hundred megabytes when it is read."""
    commit = repository(tmp_path / "evil", {"shop.py": "#" * 100_000_000})
    sandbox = strict.attacker()
    outcome = strict.watch(lambda: sandbox.load(GitSource(str(tmp_path / "evil"), commit)))
    assert "bytes" in str(outcome.error) and outcome.grown < 50_000_000
    assert strict.alive(sandbox)


@pytest.mark.parametrize("commit", ["main", "HEAD", "", "abc123", "--output=x", "g" * 40])
def test_what_is_no_whole_number_of_a_commit_is_refused(strict: Arena, commit: str, tmp_path: Path) -> None:
    """A name may lead to something else tomorrow."""
    repository(tmp_path / "evil", {"shop.py": "x = 1"})
    sandbox = strict.attacker()
    outcome = strict.watch(lambda: sandbox.load(GitSource(str(tmp_path / "evil"), commit)))
    assert "is no full commit id" in str(outcome.error)
    assert strict.alive(sandbox)


def repository(folder: Path, files: dict[str, str], link: str = "") -> str:
    """A new one with one commit, whose number it returns."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    if link:
        (folder / "linked.py").symlink_to(link)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "x")
    return git(folder, "rev-parse", "HEAD")


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=x", "-c", "user.email=x@localhost")
    command = ["git", *who, "-C", str(folder), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.parametrize(
    "url",
    [
        "--upload-pack=touch /tmp/jupyter_sandbox_owned", "-oProxyCommand=x", "ext::sh -c touch% /tmp/owned",
        "ssh://-oProxyCommand=x/y", "fd::3", "file:///etc", "https://user:pw@host/x", "https://host/x\n--evil",
        "https://127.0.0.1/x", "https://[::1]/x", "git://host/x",
    ],
)  # fmt: skip
def test_an_address_of_a_repository_that_is_an_injection_is_refused(strict: Arena, url: str) -> None:
    sandbox = strict.attacker()

    def load() -> None:
        sandbox.load(GitSource(url, "a" * 40))

    assert isinstance(strict.watch(load).error, SandboxError)
    assert not Path("/tmp/jupyter_sandbox_owned").exists()
