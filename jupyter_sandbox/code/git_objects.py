"""Objects of a commit, read through ``git cat-file --batch`` and each checked against its id. Knows no file system."""

from __future__ import annotations

import hashlib
import os
import selectors
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass

from ..model.errors import CompileError
from .tree import MAX_FILE_BYTES

_FOLDER, _LINK, _SUBMODULE = "40000", "120000", "160000"
_MAX_DEPTH = 32
_MAX_ENTRIES = 20_000
_MAX_OBJECT = 16_000_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a tree: its mode as git writes it, and the id of its object."""

    mode: str
    id: str

    @property
    def is_file(self) -> bool:
        return self.mode.startswith("100")

    @property
    def what(self) -> str:
        """In words, for an error."""
        return {_LINK: "a symbolic link", _SUBMODULE: "a submodule", _FOLDER: "a folder"}.get(self.mode, "no file")


class ObjectReader:
    """Asks a running ``cat-file --batch`` for objects by id, until it is closed."""

    def __init__(self, process: subprocess.Popen[bytes], id_bytes: int, deadline: float) -> None:
        assert process.stdin is not None and process.stdout is not None
        self._in, self._out = process.stdin, process.stdout
        self._id_bytes, self._deadline = id_bytes, deadline
        self._buffer = bytearray()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._out, selectors.EVENT_READ)

    def close(self) -> None:
        """Let go of what it waits by, which an error that somebody keeps would hold open."""
        self._selector.close()

    def tree_of(self, commit: str, subfolder: str | None) -> str:
        """The id of the commit's tree, or of a folder in it."""
        first = self._object(commit, "commit").partition(b"\n")[0].split(b" ")
        if first[0] != b"tree" or len(first) != 2:
            raise _unusable(f"commit {commit[:12]} is malformed")
        tree = first[1].decode("ascii", "replace")
        for part in (subfolder or "").strip("/").split("/") if subfolder else []:
            entry = dict(self._tree(tree)).get(part)
            if entry is None or entry.mode != _FOLDER:
                raise _unusable(f"there is no folder {subfolder!r} in the commit; check subfolder=")
            tree = entry.id
        return tree

    def files(self, tree: str) -> dict[str, Entry]:
        """Everything in a tree that is no folder, by path. Bounded in depth and number."""
        found: dict[str, Entry] = {}
        waiting = [("", tree, 0)]
        while waiting:
            prefix, current, depth = waiting.pop()
            for name, entry in self._tree(current):
                if entry.mode == _FOLDER:
                    waiting.append((f"{prefix}{name}/", entry.id, depth + 1))
                else:
                    found[prefix + name] = entry
                if len(found) + len(waiting) > _MAX_ENTRIES or depth > _MAX_DEPTH:
                    raise _unusable(f"the commit has over {_MAX_ENTRIES} files or too deep folders; load a subfolder")
        return dict(sorted(found.items()))

    def blob(self, object_id: str) -> bytes:
        """The contents of a file."""
        return self._object(object_id, "blob", limit=MAX_FILE_BYTES)

    def _tree(self, object_id: str) -> Iterator[tuple[str, Entry]]:
        data = self._object(object_id, "tree")
        at = 0
        while at < len(data):
            space, zero = data.find(b" ", at), data.find(b"\0", at)
            end = zero + 1 + self._id_bytes
            if not at < space < zero or end > len(data):
                raise _unusable("a folder in the commit is malformed")
            name = data[space + 1 : zero].decode("utf-8", "surrogateescape")
            if name in ("", ".", "..") or "/" in name or name.lower() == ".git":
                raise _unusable(f"a file in the commit has the forbidden name {name!r}")
            yield name, Entry(data[at:space].decode("ascii", "replace").lstrip("0"), data[zero + 1 : end].hex())
            at = end

    def _object(self, object_id: str, kind: str, *, limit: int = _MAX_OBJECT) -> bytes:
        try:
            self._in.write(object_id.encode() + b"\n")
            self._in.flush()
        except OSError:
            raise _unusable("git ended while the commit was read; check the repository with `git fsck`") from None
        words = self._line().split(b" ")
        if len(words) != 3 or words[1].decode("ascii", "replace") != kind:
            raise _unusable(f"there is no {kind} {object_id} in the repository; check the id, fetch it if it is new")
        size = int(words[2])
        if size > limit:
            raise _unusable(f"a {kind} of the commit has {size} bytes, at most {limit} are read; load a subfolder")
        data = self._take(size)
        self._take(1)
        self._check(object_id, kind, data)
        return data

    def _check(self, object_id: str, kind: str, data: bytes) -> None:
        hashing = hashlib.sha1(usedforsecurity=False) if self._id_bytes == 20 else hashlib.sha256()
        hashing.update(f"{kind} {len(data)}\0".encode())
        hashing.update(data)
        if hashing.hexdigest() != object_id:
            raise _unusable(f"object {object_id[:12]} is not what its id says: the repository is damaged")

    def _line(self) -> bytes:
        while (end := self._buffer.find(b"\n")) < 0:
            self._fill()
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line

    def _take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._fill()
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    def _fill(self) -> None:
        if not self._selector.select(max(0.0, self._deadline - time.monotonic())):
            raise _unusable("reading the commit did not finish in time: load a subfolder or give a larger timeout_s")
        data = os.read(self._out.fileno(), 1 << 16)
        if not data:
            raise _unusable("git ended while the commit was read; check the repository with `git fsck`")
        self._buffer += data


def _unusable(message: str) -> CompileError:
    return CompileError("repo_error", message)
