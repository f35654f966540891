"""Attacks with what is easily not counted: threads below Python, files of threads, maps, odd kinds of memory."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from jupyter_sandbox.model.limits import MANY_FILES, THREADS

from .conftest import Arena, crash_reason, growing_at_most
from .tools import TOOLS

# A thread that only waits needs no more of its stack than where it came from.
BELOW = """
_libc.clone.argtypes = [_ctypes.c_void_p, _ctypes.c_void_p, _ctypes.c_int, _ctypes.c_void_p]
def thread(flags, place=[0]):
    if place[0] % (1 << 20) == 0: place[0] = mapped(1 << 20, 0x22) + (1 << 20)
    place[0] -= 1 << 13
    return called(_libc.clone(_ctypes.cast(_libc.pause, _ctypes.c_void_p), place[0], flags, None))
"""
THREAD = 0x10F00
OF_ITS_OWN = {"memory": 0x100, "a folder": 0x200, "files": 0x400, "handlers of signals": 0x800}


@pytest.mark.parametrize("what", OF_ITS_OWN)
def test_a_thread_with_things_of_its_own_cannot_be_had(strict: Arena, what: str) -> None:
    """One with a table of files of its own would keep deleted files where nobody looks."""
    strict.refuses(f"{BELOW}\nthread({THREAD & ~OF_ITS_OWN[what]})")


def test_nobody_waits_for_the_end_of_a_thread_as_for_a_program(strict: Arena) -> None:
    """That wait counts as load of the machine: a hundred threads that did nothing made it a hundred."""
    strict.refuses(f"{BELOW}\nthread({THREAD | 0x4000})")


SMALL = """
attributes = _ctypes.create_string_buffer(64)
_libc.pthread_attr_init(attributes)
_libc.pthread_attr_setstacksize(attributes, _ctypes.c_size_t(1 << 17))
number, pause = _ctypes.c_ulong(), _ctypes.cast(_libc.pause, _ctypes.c_void_p)
while _libc.pthread_create(_ctypes.byref(number), attributes, pause, None) == 0: pass
import time; time.sleep(20)
"""
STORMS = {
    "of the C library, with small stacks": SMALL,
    "of Python": (
        "import threading\nthreading.stack_size(1 << 16)\nlock = threading.Lock(); lock.acquire()\n"
        "for _ in range(3000): threading.Thread(target=lock.acquire, daemon=True).start()\nlock.acquire()"
    ),
}


@pytest.mark.parametrize("profile", ["", "basic"])
@pytest.mark.parametrize("name", STORMS)
def test_threads_that_cost_no_memory_end_the_sandbox(arena: Arena, name: str, profile: str) -> None:
    sandbox = arena.attacker(
        profile=profile or None, limits={"handler_budget": 20_000, "max_memory": 900_000_000}
    )  # fmt: skip
    outcome = arena.attack(f"{TOOLS}{STORMS[name]}", sandbox)
    assert outcome.killed and f" threads and was killed; {THREADS} are allowed" in crash_reason(sandbox)
    assert crash_reason(sandbox).startswith("threads: ")
    assert any("threads and was killed" in text for text in sandbox.info().alerts)
    assert arena.works_again(sandbox)


def test_threads_while_code_is_tried_out_end_the_trial(arena: Arena) -> None:
    sandbox = arena.attacker(limits={"max_memory": 900_000_000})
    outcome = arena.watch(lambda: sandbox.load(f"{TOOLS}{SMALL}", "greedy"))
    assert outcome.error is not None and "threads" in str(outcome.error)
    assert arena.alive(sandbox)


UNSHARED = """
import threading, time
def hold():
    if _libc.unshare(0x400): return begin_with_it()  # a container refuses that
    for number in range({times}):
        {held}
        time.sleep(0.002)
    time.sleep(30)
threading.Thread(target=hold, daemon=True).start()
"""
BEGUN_WITH_IT = f"""
{BELOW}
import signal
def begin_with_it():
    for number in range({{times}}):
        {{held}}
        if len(held) == {{each}} or number == {{times}} - 1:
            before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())  # one would wake it, to its end
            thread({THREAD & ~OF_ITS_OWN["files"]})
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            while held: _os.close(held.pop())
held = []
"""
"""Threads that begin with a copy of the table, in which they keep what the others close."""
DELETED = "_os.open(f'f{number}', _os.O_RDWR | _os.O_CREAT)); _os.unlink(f'f{number}')"
FULL = "_os.write(held[-1], bytes(15_000_000))"
HELD_APART = {
    "deleted files": (7, 1, f"held.append({DELETED}; {FULL}", "filled its folder"),
    "memory without a name": (7, 1, f"held.append(_os.memfd_create('x')); {FULL}", "memory: "),
    "files": (
        MANY_FILES + 1,
        200,
        "held.append(_os.open('/dev/null', 0))",
        "more open files than the 1,000 that are allowed",
    ),
}


@pytest.mark.parametrize("begins", [UNSHARED, "begin_with_it()"], ids=["unshared", "begun with it"])
@pytest.mark.parametrize(
    ("profile", "what"),
    [
        ("basic", "deleted files"),
        ("basic", "memory without a name"),
        ("off", "memory without a name"),
        ("off", "files"),
    ],
)
def test_what_a_thread_has_in_files_of_its_own_is_counted(arena: Arena, profile: str, what: str, begins: str) -> None:
    """Where no filter refuses it, a thread can have files that are not among those of its OS process."""
    times, each, held, told = HELD_APART[what]
    sandbox = arena.attacker(profile=profile)
    source = f"{BEGUN_WITH_IT}\n{begins}"
    for name, value in {"times": times, "each": each, "held": held}.items():
        source = source.replace(f"{{{name}}}", str(value))
    arena.attack(f"{TOOLS}{source}", sandbox)
    arena.until(lambda: told in crash_reason(sandbox), f"it keeps what it has: {sandbox.info()}", within_s=15.0)
    assert arena.works_again(sandbox)


SESSIONS = """
for _ in range({most}):
    if not _os.fork():
        _os.setsid(); _os.closerange(0, 200)
        import signal; signal.alarm(20); signal.pause(); _os._exit(0)
import time; time.sleep(9)
"""


@pytest.mark.parametrize("profile", ["basic", "off"])
def test_programs_in_sessions_of_their_own_are_counted(arena: Arena, profile: str) -> None:
    sandbox = arena.attacker(profile=profile, limits={"handler_budget": 20_000})
    assert arena.attack(f"{TOOLS}{SESSIONS.replace('{most}', str(THREADS + 20))}", sandbox).killed
    assert "programs among them) and was killed" in crash_reason(sandbox)


HEADLESS = """
import threading, time
def go_on():
    time.sleep(0.1); held = []
    for number in range(7):
        held.append(_os.open(f'f{number}', _os.O_RDWR | _os.O_CREAT)); _os.unlink(f'f{number}')
        _os.write(held[-1], bytes(15_000_000))
    time.sleep(20)
threading.Thread(target=go_on, daemon=True).start()
syscall('exit', 0)
"""


@pytest.mark.parametrize("profile", ["", "basic", "off"])
def test_a_first_thread_that_ends_alone_ends_the_sandbox(arena: Arena, profile: str) -> None:
    """What Linux tells under its number is a zombie's from then on: no memory, no files, and no end."""
    sandbox = arena.attacker(profile=profile or None, limits={"handler_budget": 20_000})
    assert arena.attack(f"{TOOLS}{HEADLESS}", sandbox).killed
    assert "its main thread has ended" in crash_reason(sandbox)
    assert arena.works_again(sandbox)


def test_a_first_thread_that_ends_alone_while_code_is_tried_ends_the_trial(arena: Arena) -> None:
    sandbox = arena.attacker(limits={"handler_budget": 20_000})
    outcome = arena.watch(lambda: sandbox.load(f"{TOOLS}{HEADLESS}", "headless"))
    assert outcome.error is not None and "its main thread has ended" in str(outcome.error)
    assert arena.alive(sandbox)


def test_threads_that_are_slow_to_end_with_all_others_are_no_first_thread_that_ended_alone(arena: Arena) -> None:
    """The first of them may have no memory any more while the others wait for their turn on the processor."""
    many = "import threading, time\nfor _ in range(200): threading.Thread(target=time.sleep, args=(20,)).start()"
    sandbox = arena.attacker(limits={"handler_budget": 20_000, "max_memory": 900_000_000})
    assert arena.attack(f"{TOOLS}{many}\n_os._exit(3)", sandbox).killed
    assert "exit 3" in crash_reason(sandbox)


ODD = {
    "huge pages": "mapped(1 << 21, 0x40022)",
    "huge pages that are shared": "mapped(1 << 21, 0x40021)",
    "huge pages of a gigabyte": "mapped(1 << 30, 0x40022 | 30 << 26)",
    "a map that grows down": "mapped(1 << 20, 0x122)",
    "memory that stays": "called(_libc.mlock(_ctypes.c_void_p(mapped(4096, 0x22)), _ctypes.c_size_t(4096)))",
    "all memory, to stay": "syscall('mlockall', 3)",
}


@pytest.mark.parametrize("name", ODD)
def test_memory_of_a_kind_that_is_not_counted_is_refused(strict: Arena, name: str) -> None:
    strict.refuses(ODD[name], also={"ENOMEM"} if "stays" in name else ())


EXCHANGED = """
file, size = _os.open('big', _os.O_CREAT | _os.O_RDWR), 3_000 << 12
_os.write(file, bytes(size))
maps = [mapped(size, 1, file, 1) for _ in range(12)]
for start in maps:
    for page in range(0, size, 4096): _ctypes.c_char.from_address(start + page).value
import time; time.sleep(0.4)
for start in maps:
    for piece in range(0, size - (1 << 19), 1 << 19):
        _libc.munmap(_ctypes.c_void_p(start + piece), _ctypes.c_size_t(1 << 19))
        _ctypes.memset(_ctypes.c_void_p(mapped(1 << 19, 0x21)), 1, 1 << 19)
        time.sleep(0.004)
time.sleep({rest})
"""


@pytest.mark.parametrize("rest", [0, 10], ids=["and goes on", "and rests"])
def test_shared_memory_that_takes_the_place_of_files_is_counted(arena: Arena, rest: int) -> None:
    """Of files and shared memory together Linux tells how much there is for little, and of each for more. With a filter
    there is no such memory."""
    sandbox = arena.attacker(profile="basic", limits={"handler_budget": 20_000, "max_memory": 20_000_000})
    arena.attack(f"{TOOLS}{EXCHANGED.replace('{rest}', str(rest))}", sandbox)
    arena.until(lambda: crash_reason(sandbox).startswith("memory: "), "it keeps more than it may")
    assert arena.works_again(sandbox)


FAR_BELOW = """
for _ in range(15): _os.mkdir('d' * 250); _os.chdir('d' * 250)
file = _os.open('x' * 200, _os.O_CREAT | _os.O_RDWR); _os.write(file, bytes(4096)); _os.unlink('x' * 200)
for _ in range(60_000): mapped(4096, 1, file, 1)
import time
for _ in range(150): mapped(4096, 1, file, 1); time.sleep(0.1)
"""


def test_memory_maps_without_end_do_not_keep_the_watchdog_reading(arena: Arena) -> None:
    """What Linux writes about sixty thousand maps of a file far below others is a quarter of a gigabyte."""
    sandbox = arena.attacker(limits={"handler_budget": 20_000})
    with growing_at_most(20_000_000):
        outcome = arena.attack(f"{TOOLS}{FAR_BELOW}", sandbox)
    assert outcome.killed and crash_reason(sandbox).startswith("disk: ")
    assert arena.in_time(outcome.longest, 0.5)


PIECEMEAL = {
    "byte by byte": "",
    "in packets that cannot be joined": (
        "import fcntl\nfcntl.fcntl(1, fcntl.F_SETFL, fcntl.fcntl(1, fcntl.F_GETFL) | _os.O_DIRECT)\n"
    ),
}


@pytest.mark.parametrize("name", PIECEMEAL)
def test_output_in_the_smallest_pieces_leaves_the_processor_to_the_kernel(arena: Arena, name: str) -> None:
    sandbox = arena.attacker(limits={"handler_budget": 2_000})
    used, started = time.process_time(), time.monotonic()
    assert arena.attack(f"{TOOLS}{PIECEMEAL[name]}while True: _os.write(1, b'x')", sandbox).error is not None
    assert time.process_time() - used < 0.6 * (time.monotonic() - started), "alone it is a twentieth"
    assert arena.works_again(sandbox)


STORMY = {
    "calls that interrupt all processors": "while True: syscall('membarrier', 2, 0, 0)",
    "names that do not exist": "n = 0\nwhile True:\n    n += 1\n    _os.path.exists(f'/tmp/{n}')",
    "flushing what it wrote": "f = open('x', 'wb')\nwhile True: f.write(bytes(4096)); f.flush(); _os.fsync(f)",
    "asking the machine for chance": "while True: _os.getrandom(1 << 20)",
    "telling itself to tell where it is": "import signal\nwhile True: signal.raise_signal(signal.SIGUSR2)",
    "timers that are due at once": (
        "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, [14, 26, 27])\n"
        "often = (_ctypes.c_long * 4)(0, 1, 0, 1)\n"
        "for _ in range(100): syscall('timerfd_settime', syscall('timerfd_create', 1, 0), 0, often, 0)\n"
        "for kind in range(3): signal.setitimer(kind, 1e-6, 1e-6)\n"
        "while True: signal.sigwait([14, 26, 27])"
    ),
}


@pytest.mark.parametrize("name", STORMY)
def test_a_storm_of_calls_is_heard_by_nobody(arena: Arena, name: str) -> None:
    sandbox = arena.attacker(limits={"handler_budget": 1_500})
    with growing_at_most(20_000_000):
        assert arena.attack(f"{TOOLS}{STORMY[name]}", sandbox).error is not None
    assert arena.works_again(sandbox)


FILES = """
import builtins, os, resource, time
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
builtins.keep = keep = []
try:
    while len(keep) < {count}: keep.append(os.dup(0))
except OSError: pass
time.sleep(3)
answer = len(keep)
"""


def test_open_files_without_end_end_the_sandbox_where_nobody_limits_them(arena: Arena) -> None:
    sandbox = arena.attacker(profile="off", limits={"handler_budget": 20_000})
    outcome = arena.attack(FILES.replace("{count}", "1_000_000"), sandbox)
    told = f"the sandbox had more open files than the {MANY_FILES:,} that are allowed, and was killed"
    assert outcome.killed and crash_reason(sandbox).startswith(f"files: {told}")
    assert [text for text in sandbox.info().alerts if text.startswith(told)]
    assert not [text for text in sandbox.info().alerts if "128" in text], "a limit that it does not have"
    assert sandbox.info().most_files == MANY_FILES, "it is known after its end, too"
    assert arena.works_again(sandbox)


def test_as_many_open_files_as_are_allowed_are_no_limit_that_is_met(arena: Arena) -> None:
    sandbox = arena.attacker(profile="off", limits={"handler_budget": 20_000})
    assert arena.attack(FILES.replace("{count}", "500"), sandbox).value == 500
    arena.until(lambda: sandbox.info().open_files_peak > 500, "nobody counted")
    assert sandbox.info().alerts == ()


POLLED = """
import os, select, signal, socket, threading, time
SIGNAL = signal.SIGRTMIN + 2
signal.signal(SIGNAL, lambda *_: None)
signal.pthread_sigmask(signal.SIG_BLOCK, [SIGNAL])
def wait(files):
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [SIGNAL] if {disturbed} else [])
    poll = select.poll()
    for file in files: poll.register(file, 0)
    poll.poll(60_000)
while True:
    pairs = [socket.socketpair() for _ in range(50)]
    for one in (one for pair in pairs for one in pair):
        one.setblocking(False)
        try:
            while True: one.send(bytes(1 << 15))
        except BlockingIOError: pass
    thread = threading.Thread(target=wait, args=([one.fileno() for pair in pairs for one in pair],), daemon=True)
    thread.start(); time.sleep(0.1)
    # Who waits is woken, and what woke it is taken away before it comes to that.
    for _ in range(300 * {disturbed}):
        os.kill(os.getpid(), SIGNAL); signal.sigtimedwait([SIGNAL], 0); time.sleep(0.0003)
    time.sleep(0.2)
    for one in (one for pair in pairs for one in pair): one.close()
"""


@pytest.mark.parametrize("disturbed", [0, 1], ids=["at rest", "woken for nothing"])
def test_sockets_without_end_that_threads_wait_for_end_the_sandbox(arena: Arena, disturbed: int) -> None:
    """Closed, they are open nowhere, and what waits in them stays until nobody waits for them."""
    sandbox = arena.attacker(limits={"handler_budget": 30_000})
    outcome = arena.attack(POLLED.format(disturbed=disturbed), sandbox)
    assert outcome.killed and crash_reason(sandbox).startswith("files: threads of the sandbox waited for ")
    assert "384 are allowed" in crash_reason(sandbox)
    assert arena.works_again(sandbox)


WAITING_PROGRAM = """
import os, select, socket, threading, time
threading.stack_size(32768)
def wait(files):
    poll = select.poll()
    for file in files: poll.register(file, 0)
    poll.poll(280_000)
for _ in range(20):
    ends = [end for _ in range(50) for end in socket.socketpair()]
    threading.Thread(target=wait, args=([end.fileno() for end in ends],), daemon=True).start()
    time.sleep(0.1)
    for end in ends: end.close()
time.sleep(60)
"""


def test_what_threads_of_programs_wait_for_is_counted(strict: Arena) -> None:
    sandbox = strict.attacker(allow={"subprocess": True}, limits={"handler_budget": 30_000})
    source = f"""
    import os, subprocess, sys
    open('waiting.py', 'w').write({WAITING_PROGRAM!r})
    subprocess.Popen([os.path.realpath(sys.executable), '-S', 'waiting.py'])
    """
    assert strict.attack(source, sandbox).error is None
    strict.until(lambda: crash_reason(sandbox).startswith("files: threads of the sandbox waited"), "nobody counted")
    assert "1,000 are allowed" in crash_reason(sandbox)
    assert strict.works_again(sandbox)


CONNECTED = """
import builtins, socket, time
keep = builtins.keep = []
for _ in range({count}):
    one = socket.create_connection(('127.0.0.1', {port})); one.setblocking(False); keep.append(one)
    last = time.monotonic()
    while time.monotonic() - last < 0.05:
        try: one.send(bytes(1 << 16)); last = time.monotonic()
        except BlockingIOError: time.sleep(0.005)
answer = 'sent'
"""


@pytest.fixture
def server() -> Iterator[int]:
    """Its port; nobody accepts what is sent to it."""
    with socket.create_server(("127.0.0.1", 0), backlog=200) as made:
        yield made.getsockname()[1]


@pytest.mark.parametrize("rights", [{"allow": {"net": True}}, {"profile": "basic"}, {"profile": "off"}], ids=str)
def test_what_waits_in_connections_is_memory(strict: Arena, server: int, rights: dict[str, Any]) -> None:
    sandbox = strict.attacker(**rights, limits={"handler_budget": 30_000})
    told = strict.attack(CONNECTED.format(count=120, port=server), sandbox)
    assert told.value in ("sent", None)
    strict.until(lambda: crash_reason(sandbox).startswith("memory: it used "), "nobody counted")
    assert strict.works_again(sandbox)


def test_what_waits_in_a_connection_is_told_with_its_memory(strict: Arena, server: int) -> None:
    sandbox = strict.attacker(allow={"net": True}, limits={"handler_budget": 30_000})
    before = sandbox.info().memory
    assert strict.attack(CONNECTED.format(count=2, port=server), sandbox).value == "sent"
    strict.until(lambda: sandbox.info().memory > before + 2_000_000, "nobody counted")
    assert (
        strict.attack("import builtins\nfor one in builtins.keep: one.shutdown(2); one.close()", sandbox).error is None
    )
