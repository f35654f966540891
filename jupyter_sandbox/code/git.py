"""A commit of a git repository, read without a checkout and without trusting a byte of the repository.

Never runs a hook or filter, never reads the repository's or the user's git
configuration, never writes a file of the repository, never asks for a password.
A remote is fetched into an empty bare repository of our own; a local repository
lends only its object folder. Then objects are read one by one and checked
against their ids, from the commit id down.
"""

from __future__ import annotations

import os
import re
import tempfile
import time
from contextlib import closing
from pathlib import Path, PurePosixPath

from ..model.errors import CompileError
from .git_objects import Entry, ObjectReader
from .git_run import git, start_git
from .git_url import Local, Remote, parse_url
from .names import is_module_path
from .sources import GitSource
from .tree import File, check_sizes, wanted

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def read_commit(source: GitSource) -> list[File]:
    """The Python files of the program in a commit, named as modules.

    Raises CompileError: git_clone_failed when the repository cannot be reached,
    repo_error when the commit or what is in it cannot be used.
    """
    commit = source.commit.lower() if isinstance(source.commit, str) else ""
    if not _COMMIT.fullmatch(commit):
        raise repo_error(f"commit {source.commit!r} is no full commit id: give the 40 digits of `git rev-parse HEAD`")
    place = parse_url(source.url, private_hosts=source.private_hosts)
    deadline = time.monotonic() + source.timeout_s
    with tempfile.TemporaryDirectory(prefix="jupyter_sandbox_git_") as folder:
        own = Path(folder)
        hashing = "sha1" if len(commit) == 40 else "sha256"
        git(["init", "--quiet", "--bare", "--template=", f"--object-format={hashing}", "."], own, deadline)
        match place:
            case Local(objects=objects):
                (own / "objects" / "info").mkdir(parents=True, exist_ok=True)
                (own / "objects" / "info" / "alternates").write_bytes(os.fsencode(objects) + b"\n")
            case Remote(url=url):
                _fetch(url, commit, own, deadline, source.ca_file)
        return _read(own, commit, source, deadline)


def _fetch(url: str, commit: str, own: Path, deadline: float, ca_file: Path | None) -> None:
    extra = ["-c", f"http.sslCAInfo={ca_file.absolute()}"] if ca_file else []
    command = ["fetch", "--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head"]
    git([*extra, *command, "--end-of-options", url, f"{commit}:refs/heads/fetched"], own, deadline)


def _read(own: Path, commit: str, source: GitSource, deadline: float) -> list[File]:
    with (
        start_git(["cat-file", "--batch"], own) as process,
        closing(ObjectReader(process, len(commit) // 2, deadline)) as reader,
    ):
        entries = reader.files(reader.tree_of(commit, source.subfolder))
        chosen = wanted(path for path, entry in entries.items() if entry.is_file)
        _refuse_links(entries, chosen)
        files, total = [], 0
        for path, module in chosen.items():
            data = reader.blob(entries[path].id)
            total += len(data)
            check_sizes(len(chosen), total, len(data), "the commit")
            files.append(File(module, data, f"{commit[:12]}:{path}"))
    if not files:
        raise repo_error("the commit holds no Python module: name the folder that does with subfolder=")
    return files


def _refuse_links(entries: dict[str, Entry], chosen: dict[str, str]) -> None:
    """A link or submodule beside modules would be missing from the program without a word; elsewhere it is not read."""
    folders = {str(PurePosixPath(path).parent) for path in chosen} - {"."}
    for path, entry in entries.items():
        if not entry.is_file and (is_module_path(path) or str(PurePosixPath(path).parent) in folders):
            raise repo_error(f"{path!r} in the commit is {entry.what}, which is not followed: load a subfolder")


def repo_error(message: str) -> CompileError:
    """The guide's error for a repository that was reached but cannot be used."""
    return CompileError("repo_error", message)
