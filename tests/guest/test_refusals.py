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
        (CALL, Openings(), "--net opens connections, --subprocess programs"),
        (f"{CALL}: 'ls'", Openings(net=True), "--subprocess opens programs"),
        (CALL, Openings(subprocess=True), "--net opens connections"),
        (CALL, Openings(net=True, subprocess=True), "no sandbox of its profile may do this"),
        (NAME, Openings(), "no network is open to this sandbox: create it with --net"),
        (
            PORT,
            Openings(net=True, ports=(80, 443)),
            "these are open to this sandbox: 80, 443; name others with --ports",
        ),
    ],
)
def test_a_refusal_names_what_opens_it(text: str, openings: Openings, words: str) -> None:
    assert words in Refusals(STRICT, openings, "/own").hint(text)


NOTHING, NET, PROGRAMS = "no sandbox of its profile", "create it with --net", "create it with --subprocess"
SOCKET = "_socket.socket.__init__(self, family, type, proto, fileno)"
CALLS_MADE = [
    (["socket.create_connection(('x', 9))", SOCKET], NET),
    (["server = socket.socket()", SOCKET], NET),
    (["subprocess.run(['ls'])", "self.pid = _fork_exec("], PROGRAMS),
    (["os.fork()"], PROGRAMS),
    (["os.execv('/bin/ls', ['ls'])"], PROGRAMS),
    (["socket.socket().bind(('', 0))", SOCKET], NOTHING),
    (["HTTPServer(('', 80), Page)", "self.socket = socket.socket(self.address_family,", SOCKET], NOTHING),
    (["socket.socket(socket.AF_UNIX)", SOCKET], NOTHING),
    (["bound.bind(('', 0))"], NOTHING),
    (["os.kill(1, 9)"], NOTHING),
    (["os.chroot('.')"], NOTHING),
    (["os.setuid(0)"], NOTHING),
]


@pytest.mark.parametrize(("lines", "words"), CALLS_MADE)
@pytest.mark.parametrize("net", [True, False])
@pytest.mark.parametrize("subprocess", [True, False])
def test_no_opening_is_advised_that_does_not_open_the_call_which_was_refused(
    lines: list[str], words: str, net: bool, subprocess: bool
) -> None:
    opened = (words == NET and net) or (words == PROGRAMS and subprocess)
    hint = Refusals(STRICT, Openings(net=net, subprocess=subprocess)).hint(CALL, lambda: lines)
    assert (NOTHING if opened else words) in hint
    assert [name for name in ("--net", "--subprocess") if name in hint] == [
        name for name in ("--net", "--subprocess") if not opened and words.endswith(name)
    ]


@pytest.mark.parametrize("lines", [[], [""], ["helper()"], ["os.fork() or os.kill(1, 9)"]])
def test_where_the_call_is_not_known_each_opening_is_told_with_what_it_opens(lines: list[str]) -> None:
    hint = Refusals(STRICT, Openings()).hint(CALL, lambda: lines)
    assert hint == "; --net opens connections, --subprocess programs (in Python: allow=), and nothing opens the rest"


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
