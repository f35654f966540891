"""A git repository behind https: a real server on this machine, with a certificate of its own."""

from __future__ import annotations

import http.server
import os
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_sandbox.code import git_run
from jupyter_sandbox.code.gather import gather
from jupyter_sandbox.code.sources import GitSource
from jupyter_sandbox.model.errors import CompileError

pytestmark = pytest.mark.skipif(
    shutil.which("openssl") is None and not os.environ.get("CI"), reason="makes its certificate with openssl"
)

ENV = {
    "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b.c", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b.c",
    "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "PATH": os.environ["PATH"],
}  # fmt: skip


def run(*command: str, cwd: Path) -> str:
    return subprocess.run(command, cwd=cwd, env=ENV, check=True, capture_output=True).stdout.decode().strip()


class Backend(http.server.BaseHTTPRequestHandler):
    """Hands every request to ``git http-backend``."""

    root: Path
    protocol_version = "HTTP/1.1"  # a connection that is closed by the server looks cut off to git

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        self._serve(self.rfile.read(int(self.headers["Content-Length"])))

    def _serve(self, body: bytes) -> None:
        path, _, query = self.path.partition("?")
        environment = {
            **ENV, "GIT_PROJECT_ROOT": str(self.root), "GIT_HTTP_EXPORT_ALL": "1", "REQUEST_METHOD": self.command,
            "PATH_INFO": path, "QUERY_STRING": query, "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }  # fmt: skip
        done = subprocess.run(["git", "http-backend"], input=body, env=environment, capture_output=True, check=True)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.send_response(int(fields.pop("Status", "200").split()[0]))
        for name, value in fields.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Served:
    """A repository, its address, its newest commit, and the certificate that vouches for its server."""

    def __init__(self, url: str, commit: str, ca_file: Path) -> None:
        self.url, self.commit, self.ca_file = url, commit, ca_file

    def source(self, **changes: object) -> GitSource:
        fields = {"url": self.url, "commit": self.commit, "private_hosts": True, "ca_file": self.ca_file, **changes}
        return GitSource(**fields)  # type: ignore[arg-type]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    work = tmp_path / "served" / "shop"
    work.mkdir(parents=True)
    run("git", "init", "-q", "-b", "main", cwd=work)
    (work / "counter.py").write_text("n = 1\n")
    run("git", "add", "-A", cwd=work)
    run("git", "commit", "-q", "-m", "x", cwd=work)
    commit = run("git", "rev-parse", "HEAD", cwd=work)
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-subj",
        "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2", cwd=tmp_path)  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    handler = type("Handler", (Backend,), {"root": tmp_path / "served"})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield Served(f"https://127.0.0.1:{server.server_port}/shop/.git", commit, tmp_path / "cert.pem")
    server.shutdown()
    server.server_close()
    thread.join()


def refusal(source: GitSource) -> CompileError:
    with pytest.raises(CompileError) as caught:
        gather(source)
    return caught.value


def test_a_commit_is_fetched_over_https(served: Served) -> None:
    bundle = gather(served.source())
    assert [(m.name, m.source) for m in bundle.modules] == [("counter", "n = 1\n")]
    assert bundle.origin == f"git {served.url}@{served.commit}"


def test_a_server_that_nobody_vouches_for_is_refused(served: Served) -> None:
    assert refusal(served.source(ca_file=None)).kind == "git_clone_failed"


def test_an_address_of_this_machine_needs_permission(served: Served) -> None:
    error = refusal(served.source(private_hosts=False))
    assert error.kind == "git_clone_failed" and "private_hosts" in str(error)


def test_a_commit_that_the_server_does_not_have_is_refused(served: Served) -> None:
    error = refusal(served.source(commit="1" * 40))
    assert error.kind in ("git_clone_failed", "repo_error") and "commit" in str(error)


def test_a_pack_that_is_larger_than_git_may_write_is_refused(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much a server sends. With a smaller limit here, and not ten gigabytes of pack."""
    work = tmp_path / "served" / "shop"
    (work / "data").write_bytes(os.urandom(3_000_000))
    run("git", "add", "-A", cwd=work)
    run("git", "commit", "-q", "-m", "y", cwd=work)
    source = served.source(commit=run("git", "rev-parse", "HEAD", cwd=work))
    assert [module.name for module in gather(source).modules] == ["counter"]
    fence = git_run._FENCE.replace(str(git_run._DISK), "1000000")
    assert fence != git_run._FENCE
    monkeypatch.setattr(git_run, "_FENCE", fence)
    assert refusal(source).kind == "git_clone_failed"


def test_a_repository_that_is_not_there_is_git_clone_failed(served: Served) -> None:
    assert refusal(served.source(url=served.url.replace("shop", "nothing"))).kind == "git_clone_failed"
