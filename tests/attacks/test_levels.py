"""Levels: what is named is open and nothing more, and a layer that is missing is missed in the report."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_sandbox.isolation.layers import SWITCH
from jupyter_sandbox.manager.manager import SandboxManager
from jupyter_sandbox.model.errors import SandboxError, Unsupported, UsageError
from jupyter_sandbox.model.protection import Protection

from .conftest import CAMP, Arena
from .tools import REFUSED, attempt

RUN = "import subprocess; answer = subprocess.run({command!r}, shell=True, capture_output=True).returncode"


def test_the_default_is_the_best_there_is_and_says_what_it_does_not_stop(strict: Arena) -> None:
    protection = strict.attacker().info().protection
    assert protection is not None and protection.profile == "strict"
    assert all(layer.active and layer.verified for layer in protection.layers)
    assert "landlock ✓ · seccomp ✓" in protection.line()
    assert not any("your files" in text or "network" in text for text in protection.not_stopped)


def test_the_network_opened_by_name_is_open_and_programs_are_not(strict: Arena) -> None:
    sandbox = strict.attacker(allow={"net": True})
    protection = sandbox.info().protection
    assert protection is not None and protection.profile == "standard"
    assert any("connect to the network" in text for text in protection.not_stopped)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        source = f"import socket; socket.create_connection(('127.0.0.1', {port}), 2).send(b'x'); answer = 'sent'"
        assert strict.attempt(source, sandbox) == "sent"
    for closed in (
        "socket.socket(socket.AF_UNIX)",
        "socket.create_server(('', 0))",
        "_os.fork()",
        "open('/etc/passwd')",
    ):
        assert strict.attempt("import socket\n" + closed, sandbox) in REFUSED


def test_named_ports_are_the_only_ones(strict: Arena) -> None:
    with socket.create_server(("127.0.0.1", 0)) as named, socket.create_server(("127.0.0.1", 0)) as other:
        sandbox = strict.attacker(allow={"ports": [named.getsockname()[1]]})
        connect = "import socket; socket.create_connection(('127.0.0.1', {}), 2)"
        assert strict.attempt(connect.format(named.getsockname()[1]), sandbox) == "worked"
        assert strict.attempt(connect.format(other.getsockname()[1]), sandbox) in REFUSED


def test_paths_opened_by_name_are_open_and_their_neighbours_are_not(strict: Arena, tmp_path: Path) -> None:
    for name in ("shown", "given", "hidden"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    sandbox = strict.attacker(allow={"read": [tmp_path / "shown"], "write": str(tmp_path / "given")})
    assert strict.attempt(f"answer = open('{tmp_path}/shown/file').read()", sandbox) == "shown"
    assert strict.attempt(f"open('{tmp_path}/given/new', 'w').write('x')", sandbox) == "worked"
    assert strict.attempt(f"open('{tmp_path}/shown/file', 'w')", sandbox) in REFUSED
    assert strict.attempt(f"open('{tmp_path}/hidden/file')", sandbox) in REFUSED
    for source in (
        f"open('{tmp_path}/given/../hidden/file')",
        f"_os.link('{tmp_path}/shown/file', '{tmp_path}/given/file2'); open('{tmp_path}/given/file2', 'w')",
        f"_os.rename('{tmp_path}/shown/file', '{tmp_path}/given/file2')",
        f"_os.rename('{tmp_path}/given', '{tmp_path}/hidden')",
        f"_os.symlink('{tmp_path}/hidden/file', '{tmp_path}/given/link'); open('{tmp_path}/given/link')",
        f"_os.rename('{tmp_path}/given/file', 'mine'); open('{tmp_path}/hidden/file', 'a')",
    ):
        strict.refuses(source, sandbox, also={"EXDEV"})
    assert (tmp_path / "shown/file").read_text() == "shown" and (tmp_path / "hidden/file").read_text() == "hidden"


def test_programs_opened_by_name_run_as_confined_as_the_sandbox(strict: Arena) -> None:
    sandbox = strict.attacker(allow={"subprocess": True}, limits={"handler_budget": 10_000})
    assert strict.attempt(RUN.format(command="exit 7"), sandbox) == 7
    assert strict.attempt(RUN.format(command="cat /etc/passwd"), sandbox) != 0
    assert strict.attempt(RUN.format(command=f"kill -9 {os.getpid()}"), sandbox) != 0
    assert strict.attempt(RUN.format(command="unshare -U true"), sandbox) != 0
    assert strict.attempt(RUN.format(command="mount -t tmpfs x /tmp"), sandbox) != 0
    assert strict.attempt("import socket; socket.socket()", sandbox) in REFUSED
    assert (
        strict.attempt("import subprocess as s; p = s.Popen(['sleep', '99']); p.kill(); answer = p.wait()", sandbox)
        == -9
    )


def test_programs_that_hide_from_the_sandbox_end_with_it(strict: Arena) -> None:
    sandbox = strict.attacker(allow={"subprocess": True}, limits={"handler_budget": 20_000})
    source = """
    import os, subprocess
    answer = [subprocess.Popen(['sleep', '1000'], process_group=0).pid for _ in range(3)]
    r, w = os.pipe()
    if os.fork() == 0:
        os.setpgid(0, 0)
        if os.fork() == 0:
            os.write(w, str(os.getpid()).encode())
            os.execv('/bin/sleep', ['sleep', '1000'])
        os._exit(0)
    os.wait()
    answer.append(int(os.read(r, 20)))
    for _ in range(20):
        pid = os.fork()
        if pid == 0: os._exit(0)
        answer.append(pid)  # nobody waits for these
    """
    pids = strict.attempt(source, sandbox)
    assert len(pids) == 24 and all(Path(f"/proc/{pid}").exists() for pid in pids)
    sandbox.destroy()
    strict.until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), "programs are left behind")


def test_the_end_of_a_sandbox_ends_no_programs_of_another(strict: Arena) -> None:
    sandbox, other = strict.attacker(allow={"subprocess": True}), strict.attacker()
    pid = strict.attempt(
        """
        import subprocess
        subprocess.run(['/bin/sh', '-c', 'sleep 1000 >/dev/null 2>&1 & echo $! > pid'], check=True)
        answer = int(open('pid').read())
        """,
        sandbox,
    )
    assert strict.attack("import os; os._exit(0)", other).killed
    strict.until(lambda: other.info().os_pid is None, "it is not noticed that the other has ended")
    assert Path(f"/proc/{pid}").exists()
    sandbox.destroy()
    strict.until(lambda: not Path(f"/proc/{pid}").exists(), "a program is left behind")


@pytest.mark.parametrize("profile", ["strict", "basic", "off"])
def test_nothing_can_be_opened_in_a_profile_that_opens_nothing(arena: Arena, profile: str) -> None:
    with pytest.raises(UsageError, match="use profile='standard'"):
        arena.manager.create(profile=profile, allow={"net": True})
    with pytest.raises(UsageError, match="'nett' is not known"):
        arena.manager.create(allow={"nett": True})


def test_code_is_tried_out_under_the_same_protection(strict: Arena) -> None:
    sandbox = strict.attacker()
    with pytest.raises(SandboxError, match="Permission denied"):
        sandbox.load("open('/etc/passwd')", "spy")
    with pytest.raises(SandboxError, match="not permitted"):
        sandbox.load("import os\nos.fork()", "spy")


@pytest.fixture
def lesser(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[SandboxManager]:
    """A manager on a machine without some layers."""
    monkeypatch.setenv(SWITCH, request.param)
    with SandboxManager(store=":memory:") as manager:
        yield manager


LEVELS = {
    "parent_death": "off", "session": "off", "environment": "off", "closed_files": "off", "no_new_privs": "off",
    "rlimits": "off", "capabilities": "off", "landlock": "basic+seccomp", "seccomp": "basic",
    "landlock,seccomp": "basic", "environment,closed_files,session": "off", "rlimits,landlock": "off",
}  # fmt: skip
"""What is left without some layers. Without no_new_privs Linux gives an ordinary program neither of the last two."""
OFF = ("parent_death", "session", "environment", "closed_files")
BASIC = (*OFF, "no_new_privs", "rlimits", "capabilities")
LAYERS = (*BASIC, "landlock", "seccomp")
PROMISED = {"strict": LAYERS, "standard": LAYERS, "basic": BASIC, "off": OFF}
"""What each profile rests on, as docs/security.md has it."""
WITHOUT = {
    "parent_death": "signal = _ctypes.c_int(); syscall('prctl', 2, _ctypes.byref(signal)); hold(signal.value)",
    "session": "hold(_os.getsid(0) == _os.getpid())",
    "environment": "hold(_os.environ.get('HOME') == _os.getcwd())",
    "closed_files": (
        "import socket, stat\n"
        "open_files = [fd for fd in range(256) if _os.path.exists(f'/proc/self/fd/{fd}')]\n"
        "sockets = [fd for fd in open_files if stat.S_ISSOCK(_os.fstat(fd).st_mode)]\n"
        "kinds = [socket.socket(fileno=_os.dup(fd)).type for fd in sockets]\n"
        "hold(socket.SOCK_SEQPACKET not in kinds)"
    ),
    "no_new_privs": "hold(syscall('prctl', 39, 0, 0, 0, 0))",
    "rlimits": "import resource; hold(resource.getrlimit(resource.RLIMIT_NOFILE)[1] <= 128)",
    "capabilities": (
        "powers = (_ctypes.c_uint32 * 6)(); syscall('capget', (_ctypes.c_uint32 * 2)(0x20080522, 0), powers)\n"
        "hold(not any(powers))"
    ),
    "landlock": "open('/etc/passwd')",
    "seccomp": "import socket; socket.socket()",
}
"""What works just without the layer of this name."""
HOLD = "def hold(fact):\n    if not fact: return\n    raise PermissionError(1, 'it holds')\n"
WORDS = {
    "parent_death": ("it can outlive the kernel",),
    "session": ("it shares a session",),
    "environment": ("environment variables that are not its own",),
    "closed_files": ("files and sockets of the launcher",),
    "no_new_privs": ("can gain rights",),
    "rlimits": ("not limited by the operating system",),
    "capabilities": ("keeps whatever powers of root",),
    "landlock": ("read and change your files", "the memory of your other OS processes"),
}
"""What the report says just without the layer of this name. Without seccomp it depends on Landlock: see ``DEEDS``."""
_ANYWHERE = "it can use the network"
_ROUND_TCP = "by UDP and by kinds of TCP that Landlock does not know"
_ANY_PROGRAM = "it can start other programs"
_BROUGHT = "start programs that it brings along, and forks of itself"
_FILES = "it can read and change your files"
_MODES = "change modes, owners, times and attributes of your files"
_MEMORY = "the memory of your other OS processes"
_ORDER = "it can change the order in which your OS processes end"
_FORK = """
if not (pid := _os.fork()):
    try: {deed}
    except OSError as error: _os._exit(error.errno)
    _os._exit(0)
if code := _os.waitstatus_to_exitcode(_os.waitpid(pid, 0)[1]): raise OSError(code, '')
"""
NO_PROGRAM = "ENOENT"
"""What Linux says of one that names another to read it which is not there: to who may start programs at all."""
DEEDS = {
    "connect": ("import socket; socket.create_connection(('127.0.0.1', {port}), 5)", [_ANYWHERE + ";"]),
    "send by UDP": (
        "import socket; socket.socket(2, 2).sendto(b'x', ('127.0.0.1', {port}))",
        [_ANYWHERE + ";", _ROUND_TCP],
    ),
    "ask another program": ("import socket; socket.socket(1).connect({socket!r})", [_ANYWHERE + ";", _ROUND_TCP]),
    "run a program": (_FORK.format(deed="_os.execv('/bin/true', ['true'])"), [_ANY_PROGRAM]),
    "run a program of its own": (
        "fd = _os.memfd_create('x'); _os.write(fd, b'#!/x')\n" + _FORK.format(deed="_os.execve(fd, ['x'], {{}})"),
        [_ANY_PROGRAM, _BROUGHT],
    ),
    "fork": (_FORK.format(deed="pass"), [_ANY_PROGRAM, _BROUGHT]),
    "live on": ("syscall('prctl', 1, 0, 0, 0, 0)", ["itself if it wants to, can outlive a kernel that is killed"]),
    "signal": ("_os.kill({kernel}, 0)", ["it can signal your other OS processes"]),
    "read a file": ("open({file!r})", [_FILES]),
    "change a file": ("_os.truncate({file!r}, 0)", [_FILES, "empty your files"]),
    "change its mode": (
        "_os.chmod({file!r}, 0o600); hold(_os.stat({file!r}).st_mode & 0o777 != 0o600)",
        [_ANY_PROGRAM, _MODES],
    ),
    "open a device": (
        "try: _os.open('/dev/ptmx', _os.O_RDWR | _os.O_NOCTTY)\n"
        "except PermissionError: _os.open('/dev/ptmx', 3 | _os.O_NOCTTY)",
        [_FILES, "open your devices"],
    ),
    "see an environment": ("open('/proc/{program}/environ').read()", [_MEMORY + ","]),
    "see that of a sandbox": ("open('/proc/{other}/environ').read()", [_MEMORY]),
    "take watches of all": (
        "try: syscall('epoll_create1', 0)\nexcept OSError as error: hold(error.errno == _errno.ENOSYS)",
        ["use up what Linux counts for you as a whole"],
    ),
    "step back": ("open('/proc/self/oom_score_adj', 'w').write('1000')", [_ORDER]),
    "have others step back": ("open('/proc/{program}/oom_score_adj', 'w').write('1000')", [_ORDER]),
    "have a large socket": (
        "import socket as s; s.socketpair()[0].setsockopt(s.SOL_SOCKET, s.SO_SNDBUF, 1 << 20)",
        ["it can hold memory that is not counted"],
    ),
    "set limits of the kernel": (
        "import resource as r; r.prlimit({kernel}, r.RLIMIT_CORE, r.prlimit({kernel}, r.RLIMIT_CORE))",
        ["it can set limits and priorities of your other OS processes"],
    ),
}
"""What code may try to do, and the words one of which is said just where it works. A filter pretends to change modes,
so that beside it "change your files" does not mean that."""


@pytest.mark.parametrize(("lesser", "missing"), [(name, name) for name in LEVELS], indirect=["lesser"])
def test_a_layer_that_is_forced_off_is_missed_in_the_report_and_in_reality(
    arena: Arena, lesser: SandboxManager, missing: str, strict_machine: None
) -> None:
    if missing == "capabilities" and os.geteuid() != 0:
        pytest.skip("an ordinary user has none")
    sandbox = arena.watch(lambda: lesser.create(code={"camp.py": CAMP}, main="camp.Camp")).value
    protection = sandbox.info().protection
    assert protection is not None and protection.profile == LEVELS[missing]
    told = {layer.name: layer.active and layer.verified for layer in protection.layers}
    assert not any(told[name] for name in missing.split(","))
    found = {name: sandbox.call("evil", attempt(HOLD + WITHOUT[name])) in REFUSED for name in told}
    assert found == told
    text = "; ".join(protection.not_stopped)
    assert WORDS.keys() | {"seccomp"} >= told.keys()
    said = {name: [words in text for words in several] for name, several in WORDS.items()}
    assert said == {name: [not told.get(name, True)] * len(several) for name, several in WORDS.items()}


@pytest.fixture
def aims(tmp_path: Path) -> Iterator[dict[str, object]]:
    """What belongs to the user: a server, a file, a program."""
    file, path = tmp_path / "file", f"/tmp/{tmp_path.name}-{os.getpid()}"
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket(socket.AF_UNIX) as other,
        subprocess.Popen(["sleep", "600"]) as program,
    ):
        other.bind(path)
        other.listen()
        try:
            yield {"port": server.getsockname()[1], "socket": path, "file": str(file), "program": program.pid}
        finally:
            os.unlink(path)
            program.kill()


MACHINES = [("", None), ("", "basic"), ("", "off"), ("seccomp", None), ("landlock", None), ("landlock,seccomp", None)]


@pytest.mark.parametrize(
    ("lesser", "profile"), [*MACHINES, ("capabilities,landlock,seccomp", None)], indirect=["lesser"]
)
def test_whatever_is_said_not_to_be_stopped_works_and_nothing_else_does(
    arena: Arena, lesser: SandboxManager, profile: str | None, aims: dict[str, object], strict_machine: None
) -> None:
    other = lesser.create(profile=profile).info()
    sandbox = lesser.create(profile=profile, code={"camp.py": CAMP}, main="camp.Camp")
    protection = sandbox.info().protection
    assert protection is not None
    text = "; ".join([*protection.not_stopped, ""])
    works, said = {}, {}
    for name, (source, several) in DEEDS.items():
        Path(str(aims["file"])).write_text("mine")
        Path(str(aims["file"])).chmod(0o644)
        source = source.format(**aims, kernel=os.getpid(), other=other.os_pid)
        answer = sandbox.call("evil", attempt(HOLD + source))
        assert answer in {"worked", NO_PROGRAM, *REFUSED}, (name, answer)
        works[name], said[name] = answer not in REFUSED, any(words in text for words in several)
    assert works == said


def test_the_report_knows_every_layer_that_can_be_forced_off(strict: Arena) -> None:
    protection = strict.attacker().info().protection
    assert protection is not None
    assert {layer.name for layer in protection.layers} <= WITHOUT.keys() <= {*LEVELS}


@pytest.mark.parametrize("lesser", LAYERS, indirect=True)
@pytest.mark.parametrize("profile", PROMISED)
def test_a_profile_asked_for_by_name_is_had_or_nothing_starts(
    arena: Arena, lesser: SandboxManager, profile: str, request: pytest.FixtureRequest, strict_machine: None
) -> None:
    missing = request.node.callspec.params["lesser"]
    if missing == "capabilities" and os.geteuid() != 0:
        pytest.skip("an ordinary user has none")
    if missing in PROMISED[profile]:
        refusal = rf"profile '{profile}' cannot be had .*{missing}: switched off .* doctor"
        error = arena.watch(lambda: lesser.create(profile=profile)).error
        assert isinstance(error, Unsupported) and re.search(refusal, str(error))
        assert lesser.list() == []
    else:
        sandbox = arena.watch(lambda: lesser.create(profile=profile)).value
        protection = sandbox.info().protection
        assert protection is not None and protection.profile == profile and sandbox.exec("1 + 1") == 2


@pytest.mark.parametrize("lesser", ["closed_files", "landlock"], indirect=True)
def test_what_is_opened_by_name_is_opened_in_a_whole_standard_or_not_at_all(lesser: SandboxManager) -> None:
    with pytest.raises(Unsupported, match="profile 'standard' cannot be had"):
        lesser.create(allow={"net": True})
    assert lesser.list() == []


def test_basic_and_off_are_what_they_say(arena: Arena) -> None:
    for profile in ("basic", "off"):
        sandbox = arena.attacker(profile=profile)
        protection = sandbox.info().protection
        assert isinstance(protection, Protection) and protection.profile == profile
        assert any("your files" in text for text in protection.not_stopped)
        assert arena.attempt("open('/etc/passwd')", sandbox) == "worked"
