"""A git repository at a full commit id: what is loaded, what is refused, and that nothing of it ever runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jupyter_sandbox.code import git_run
from jupyter_sandbox.code.gather import gather
from jupyter_sandbox.code.git_url import Remote, parse_url
from jupyter_sandbox.code.sources import GitSource
from jupyter_sandbox.model.errors import CompileError

from ..busy import held_program, needs_busy_programs

ENV = {
    "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b.c", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b.c",
    "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "PATH": os.environ["PATH"],
}  # fmt: skip


class Repository:
    """A real repository made for one test."""

    def __init__(self, path: Path, hashing: str = "sha1") -> None:
        self.path = path
        path.mkdir(parents=True)
        self.git("init", "-q", f"--object-format={hashing}", "-b", "main")

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=self.path, env={**ENV, "HOME": str(self.path)}, check=True, capture_output=True
        )
        return done.stdout.decode().strip()

    def commit(self, files: dict[str, str]) -> str:
        for name, text in files.items():
            (self.path / name).parent.mkdir(parents=True, exist_ok=True)
            (self.path / name).write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "x", "--no-verify")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repo")


def refusal(source: GitSource) -> CompileError:
    with pytest.raises(CompileError) as caught:
        gather(source)
    return caught.value


def test_a_commit_is_loaded_as_it_was_then(repository: Repository) -> None:
    first = repository.commit({"shop/counter.py": "n = 1\n", "README.md": "x"})
    repository.commit({"shop/counter.py": "n = 2\n"})
    bundle = gather(GitSource(str(repository.path), first))
    assert [(m.name, m.source) for m in bundle.modules] == [("shop.counter", "n = 1\n")]
    assert bundle.origin == f"git {repository.path}@{first}"
    assert bundle.modules[0].file == f"{first[:12]}:shop/counter.py"


def test_packed_and_bare_and_linked_repositories_are_read_too(repository: Repository, tmp_path: Path) -> None:
    commit = repository.commit({"counter.py": "n = 1\n"})
    repository.git("gc", "-q")
    repository.git("clone", "-q", "--bare", ".", str(tmp_path / "bare.git"))
    repository.git("worktree", "add", "-q", str(tmp_path / "linked"), commit)
    for path in (repository.path, tmp_path / "bare.git", tmp_path / "linked"):
        assert [m.name for m in gather(GitSource(str(path), commit)).modules] == ["counter"]


def test_a_sha256_repository_is_read(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repo", "sha256")
    commit = repository.commit({"counter.py": "n = 1\n"})
    assert len(commit) == 64
    assert [m.name for m in gather(GitSource(str(repository.path), commit)).modules] == ["counter"]


def test_a_subfolder_is_loaded_alone(repository: Repository) -> None:
    commit = repository.commit({"a/x.py": "n = 1\n", "b/y.py": "n = 1\n"})
    assert [m.name for m in gather(GitSource(str(repository.path), commit, "a")).modules] == ["x"]
    assert refusal(GitSource(str(repository.path), commit, "nothing")).kind == "repo_error"
    assert refusal(GitSource(str(repository.path), commit, "../..")).kind == "repo_error"


@pytest.mark.parametrize("commit", ["main", "HEAD", "v1.0", "", "abc123", "--output=x", "g" * 40, "a" * 41])
def test_anything_but_a_full_commit_id_is_a_repo_error(repository: Repository, commit: str) -> None:
    repository.commit({"counter.py": "n = 1\n"})
    error = refusal(GitSource(str(repository.path), commit))
    assert error.kind == "repo_error" and "full commit id" in str(error)


def test_a_commit_that_is_not_there_is_a_repo_error_with_its_id(repository: Repository) -> None:
    repository.commit({"counter.py": "n = 1\n"})
    error = refusal(GitSource(str(repository.path), "0" * 39 + "1"))
    assert error.kind == "repo_error" and "0" * 39 + "1" in str(error)


def test_the_id_of_something_else_than_a_commit_is_a_repo_error(repository: Repository) -> None:
    repository.commit({"counter.py": "n = 1\n"})
    assert refusal(GitSource(str(repository.path), repository.git("rev-parse", "HEAD^{tree}"))).kind == "repo_error"


def test_a_path_without_a_repository_is_git_clone_failed(tmp_path: Path) -> None:
    error = refusal(GitSource(str(tmp_path), "a" * 40))
    assert error.kind == "git_clone_failed" and "no git repository" in str(error)


@pytest.mark.parametrize(
    "url",
    [
        "--upload-pack=touch {mark}",
        "-oProxyCommand=touch {mark}",
        "ext::sh -c 'touch {mark}'",
        "ext::touch% {mark}",
        "ssh://-oProxyCommand=touch${{IFS}}{mark}/x",
        "git@example.org:a/b.git",
        "fd::3",
        "file:///etc",
        "http://example.org/a.git",
        "https://user:secret@example.org/a.git",
        "https://-evil/a.git",
        "https://example.org/a.git\n--upload-pack=x",
        "https://localhost/a.git",
        "https://127.0.0.1/a.git",
        "https://[::1]/a.git",
        "https://169.254.169.254/latest",
        "https://10.0.0.1/a.git",
        "https://example.org:notaport/a.git",
        "",
    ],
)
def test_an_address_that_is_a_command_in_disguise_is_refused_and_nothing_runs(url: str, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    error = refusal(GitSource(url.format(mark=mark), "a" * 40))
    assert error.kind == "git_clone_failed"
    assert "secret" not in str(error)
    assert not mark.exists()


def test_a_plain_https_address_is_put_together_again() -> None:
    assert parse_url("https://127.0.0.1:8443/a/b.git", private_hosts=True) == Remote("https://127.0.0.1:8443/a/b.git")


def hostile(repository: Repository, mark: Path) -> str:
    """A repository that tries to run something at every occasion git offers."""
    script = repository.path / "evil.sh"
    script.write_text(f"#!/bin/sh\ntouch {mark}\ncat\n")
    script.chmod(0o755)
    commit = repository.commit({"counter.py": "n = 1\n", ".gitattributes": "*.py filter=evil\n"})
    for key in (
        "filter.evil.smudge", "filter.evil.clean", "core.fsmonitor", "core.sshCommand", "core.pager", "core.editor",
        "uploadpack.packObjectsHook", "credential.helper", "core.askPass", "core.alternateRefsCommand", "diff.external",
        "remote.origin.uploadpack",
    ):  # fmt: skip
        repository.git("config", key, str(script))
    repository.git("config", "remote.origin.url", str(repository.path))
    repository.git("config", "extensions.partialClone", "origin")
    repository.git("config", "remote.origin.promisor", "true")
    hooks = repository.path / ".git" / "hooks"
    for hook in ("post-checkout", "pre-auto-gc", "reference-transaction", "post-index-change", "fsmonitor-watchman"):
        (hooks / hook).write_text(script.read_text())
        (hooks / hook).chmod(0o755)
    return commit


def test_hooks_filters_and_configuration_of_a_hostile_repository_never_run(
    repository: Repository, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    commit = hostile(repository, mark)
    assert [m.name for m in gather(GitSource(str(repository.path), commit)).modules] == ["counter"]
    assert refusal(GitSource(str(repository.path), "1" * 40)).kind == "repo_error"
    assert not mark.exists()


def test_the_users_git_configuration_and_environment_are_not_read(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark, home = tmp_path / "mark", tmp_path / "home"
    commit = repository.commit({"counter.py": "n = 1\n", ".gitattributes": "*.py filter=evil\n"})
    template = home / "template" / "hooks"
    template.mkdir(parents=True)
    for hook in ("post-checkout", "reference-transaction"):
        (template / hook).write_text(f"#!/bin/sh\ntouch {mark}\n")
        (template / hook).chmod(0o755)
    (home / ".gitconfig").write_text(
        f'[init]\ntemplateDir={template.parent}\n[core]\nfsmonitor="touch {mark}"\n'
        f'[filter "evil"]\nsmudge="touch {mark}"\n'
    )
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_TEMPLATE_DIR", str(template.parent))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_TRACE", str(mark))
    assert [m.name for m in gather(GitSource(str(repository.path), commit)).modules] == ["counter"]
    assert not mark.exists()


def test_whoever_keeps_the_error_keeps_no_file_open(repository: Repository) -> None:
    (repository.path / "shop.py").symlink_to("/etc/passwd")
    commit = repository.commit({"counter.py": "n = 1\n"})
    before = set(os.listdir("/proc/self/fd"))
    kept = refusal(GitSource(str(repository.path), commit))
    assert kept.__traceback__ is not None and set(os.listdir("/proc/self/fd")) <= before


@pytest.mark.parametrize("name", ["secret.py", "shop/plugins"])
def test_a_symbolic_link_among_the_modules_is_refused_and_never_followed(repository: Repository, name: str) -> None:
    (repository.path / "shop").mkdir()
    (repository.path / name).symlink_to("/etc/passwd")
    commit = repository.commit({"shop/counter.py": "n = 1\n"})
    error = refusal(GitSource(str(repository.path), commit))
    assert error.kind == "repo_error" and "symbolic link" in str(error)


def test_a_submodule_beside_modules_is_refused(repository: Repository) -> None:
    commit = repository.commit({"shop/counter.py": "n = 1\n"})
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{commit},shop/other")
    repository.git("commit", "-q", "-m", "y")
    error = refusal(GitSource(str(repository.path), repository.git("rev-parse", "HEAD")))
    assert error.kind == "repo_error" and "submodule" in str(error)


def test_a_link_outside_the_program_is_simply_not_read(repository: Repository) -> None:
    (repository.path / "LICENSE").symlink_to("/etc/passwd")
    commit = repository.commit({"counter.py": "n = 1\n"})
    assert [m.name for m in gather(GitSource(str(repository.path), commit)).modules] == ["counter"]


def test_a_commit_without_modules_says_so(repository: Repository) -> None:
    commit = repository.commit({"README.md": "x"})
    assert "no Python module" in str(refusal(GitSource(str(repository.path), commit)))


def test_a_damaged_object_is_noticed(repository: Repository) -> None:
    commit = repository.commit({"counter.py": "n = 1\n"})
    wanted = repository.git("rev-parse", "HEAD:counter.py")
    other = repository.git("hash-object", "-w", str(repository.path / ".git" / "HEAD"))
    objects = repository.path / ".git" / "objects"
    target, source = (objects / name[:2] / name[2:] for name in (wanted, other))
    target.chmod(0o644)
    target.write_bytes(source.read_bytes())
    error = refusal(GitSource(str(repository.path), commit))
    assert error.kind == "repo_error"


def test_a_file_that_is_too_large_is_refused(repository: Repository) -> None:
    commit = repository.commit({"counter.py": "#" * 4_000_001})
    assert "bytes" in str(refusal(GitSource(str(repository.path), commit)))


def test_a_deadline_that_has_passed_ends_in_an_error_and_leaves_no_process(repository: Repository) -> None:
    commit = repository.commit({"counter.py": "n = 1\n"})
    before = _children()  # of tests before this one: a launcher of sandboxes, say
    error = refusal(GitSource(str(repository.path), commit, timeout_s=0.0))
    assert error.kind in ("git_clone_failed", "repo_error") and "in time" in str(error)
    assert _children() <= before


HELD_UNTIL_IT_PAUSES = "import sys,time\nheld=open(sys.argv[1],'r+b')\ntime.sleep=lambda _:held.close()\n"
SAYS_IT_ONCE = """#!/bin/sh
mkdir "$0.said" 2>/dev/null || exec echo fetched
echo "error: cannot exec 'git': Text file busy" >&2
echo "fatal: fetch-pack: unable to fork off index-pack" >&2
exit 128
"""


def version(own: Path) -> str:
    return git_run.git(["version"], own, time.monotonic() + 60)


@needs_busy_programs
def test_git_that_is_busy_for_a_moment_is_started_a_moment_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = shutil.copy(str(shutil.which("git")), tmp_path)
    monkeypatch.setattr(git_run, "_program", lambda: str(copy))
    monkeypatch.setattr(git_run, "_FENCE", HELD_UNTIL_IT_PAUSES + git_run._FENCE)
    assert version(tmp_path).startswith("git version")


@needs_busy_programs
def test_so_is_the_python_that_starts_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with held_program("true", tmp_path) as (path, let_go):
        monkeypatch.setattr(sys, "executable", path)
        monkeypatch.setattr(time, "sleep", let_go)
        assert version(tmp_path) == ""


@needs_busy_programs
def test_git_that_stays_busy_is_an_error_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with held_program("git", tmp_path) as (path, _):
        monkeypatch.setattr(git_run, "_program", lambda: path)
        with pytest.raises(CompileError, match="another program has git open for writing"):
            version(tmp_path)


def test_git_that_finds_a_program_of_its_own_busy_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "git"
    script.write_text(SAYS_IT_ONCE)
    script.chmod(0o755)
    monkeypatch.setattr(git_run, "_program", lambda: str(script))
    assert version(tmp_path) == "fetched\n"


def _children() -> set[str]:
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
    return set(children.read_text().split()) if children.exists() else set()
