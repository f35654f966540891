"""What a repository's address may be: https, or the path of a local repository. Nothing else is handed to git."""

from __future__ import annotations

import ipaddress
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ..model.errors import CompileError
from .reading import read_file

_LONGEST_PATH = 4096


@dataclass(frozen=True, slots=True)
class Remote:
    """An https address that has been taken apart and put together again."""

    url: str


@dataclass(frozen=True, slots=True)
class Local:
    """The folder of objects of a repository on this machine; its configuration and hooks are not in it."""

    objects: Path


def parse_url(url: object, *, private_hosts: bool = False) -> Remote | Local:
    """Where a repository is.

    >>> parse_url("https://example.org/a/b.git", private_hosts=True)
    Remote(url='https://example.org/a/b.git')

    Raises CompileError (git_clone_failed) for other schemes, options in
    disguise, passwords in the address, and addresses of the local network.
    """
    text = os.fspath(url) if isinstance(url, str | os.PathLike) else ""
    if not isinstance(text, str) or not text or text.startswith("-") or not text.isprintable():
        raise refused(url, "it is no address of a repository")
    if "://" not in text and "::" not in text:
        return _local(text)
    parts = urlsplit(text)
    if parts.scheme != "https" or "::" in text.partition("/")[0]:
        raise refused(url, "only https and local paths are allowed")
    return Remote(_remote(text, private_hosts))


def _remote(text: str, private_hosts: bool) -> str:
    parts = urlsplit(text)
    try:
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise refused(text, "its port is no number") from None
    if parts.username is not None or parts.password is not None:
        raise refused("https://…", "it holds a user name or password, which would end up in logs; take it out")
    if not host or host.startswith("-") or " " in text or "\\" in text or parts.fragment or parts.query:
        raise refused(text, "it is no plain https address")
    if not private_hosts and _is_private(host):
        raise refused(
            text,
            "its host is on this machine or the local network; allow it with --private-hosts, "
            "in Python GitSource(..., private_hosts=True)",
        )
    shown = f"[{host}]" if ":" in host else host
    return f"https://{shown}{f':{port}' if port else ''}{parts.path}"


def _is_private(host: str) -> bool:
    """Whether any address of the host is not of the public internet. An unknown host is left for git to report."""
    try:
        found = {str(info[4][0]) for info in socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError):
        found = {host}
    return any(_not_global(address) for address in found)


def _not_global(address: str) -> bool:
    try:
        return not ipaddress.ip_address(address.split("%")[0]).is_global
    except ValueError:
        return address == "localhost" or address.endswith((".localhost", ".local", ".internal"))


def _local(text: str) -> Local:
    if ":" in text.split("/")[0]:
        raise refused(text, "it looks like an ssh address; use https or the path of a local repository")
    try:
        return _found(text)
    except (OSError, RuntimeError) as error:  # it is too long, say, or there is no such user
        raise refused(text, f"that path cannot be opened ({type(error).__name__})") from None


def _found(text: str) -> Local:
    root = Path(text).expanduser()
    for folder in (root / ".git", root):
        if folder.is_file():
            folder = _linked(folder)
        objects = folder / "objects"
        if objects.is_dir() and (folder / "HEAD").is_file():
            return Local(_checked(objects.resolve(), text))
    raise refused(text, "there is no git repository at that path")


def _linked(file: Path) -> Path:
    """The repository of a linked work tree, whose ``.git`` is a file that names it."""
    try:
        name = _path_in(file).removeprefix("gitdir:").strip()
        folder = (file.parent / name).resolve()
        common = folder / "commondir"
        return (folder / _path_in(common).strip()).resolve() if common.is_file() else folder
    except (OSError, ValueError, CompileError):
        return file


def _path_in(file: Path) -> str:
    return read_file(file, _LONGEST_PATH)[:_LONGEST_PATH].decode("utf-8")


def _checked(objects: Path, text: str) -> Path:
    """Git reads the path from a file with one path a line."""
    if not str(objects).isprintable():
        raise refused(text, "its path holds characters that git cannot be told safely; move the repository")
    return objects


def refused(url: object, why: str) -> CompileError:
    """The guide's error for a repository that cannot be reached."""
    shown = repr(url) if len(repr(url)) <= 120 else repr(url)[:117] + "..."
    return CompileError("git_clone_failed", f"repository {shown} cannot be used: {why}")
