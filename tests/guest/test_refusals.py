"""What a profile refuses is told with what opens it, and nothing else is blamed on it."""

from __future__ import annotations

import pytest

from jupyter_sandbox.guest.refusals import Refusals
from jupyter_sandbox.model.openings import Openings
from jupyter_sandbox.model.protection import Layer, Protection

FILES, CALLS = Layer("landlock", True, True, True), Layer("seccomp", True, True, True)
STRICT = Protection("strict", (FILES, CALLS))
PLACE = "[Errno 13] Permission denied: '/etc/hosts'"
CALL = "[Errno 1] Operation not permitted"
NAME = "<urlopen error [Errno -3] Temporary failure in name resolution>"
PORT = "[Errno 13] Permission denied"


@pytest.mark.parametrize(
    ("text", "openings", "words"),
    [
        (PLACE, Openings(), "--read or --write PATH"),
        (f"{PLACE} -> '/etc/other'", Openings(read=("/data",)), "--read or --write PATH"),
        ("[Errno 13] Permission denied: b'/etc'", Openings(), "--read or --write PATH"),
        (CALL, Openings(), "--net or --subprocess"),
        (f"{CALL}: 'ls'", Openings(net=True), "no programs are open to this sandbox: create it with --subprocess"),
        (CALL, Openings(subprocess=True), "no network is open to this sandbox: create it with --net"),
        (CALL, Openings(net=True, subprocess=True), "no sandbox of its profile may do this"),
        (NAME, Openings(), "no network is open to this sandbox: create it with --net"),
        (PORT, Openings(net=True, ports=(80, 443)), "these are open to this sandbox: 80, 443"),
    ],
)
def test_a_refusal_names_what_opens_it(text: str, openings: Openings, words: str) -> None:
    assert words in Refusals(STRICT, openings, "/own").hint(text)


@pytest.mark.parametrize(
    ("text", "openings", "protection"),
    [
        ("[Errno 13] Permission denied: 'mine'", Openings(), STRICT),
        ("[Errno 13] Permission denied: '/own/mine'", Openings(), STRICT),
        (NAME, Openings(net=True), STRICT),
        (PORT, Openings(net=True), STRICT),
        ("[Errno 2] No such file or directory: '/etc/nothing'", Openings(), STRICT),
        ("list index out of range", Openings(), STRICT),
        (PLACE, Openings(), Protection("basic", (CALLS,))),
        (CALL, Openings(), Protection("basic", (FILES,))),
        (NAME, Openings(), Protection("off")),
        (PORT, Openings(net=True, ports=(80,)), Protection("off")),
    ],
)
def test_what_the_profile_did_not_refuse_is_not_blamed_on_it(
    text: str, openings: Openings, protection: Protection
) -> None:  # fmt: skip
    assert Refusals(protection, openings, "/own").hint(text) == ""
