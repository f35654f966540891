"""An arena for attacks: a kernel with real sandboxes, one that attacks and one that must not notice.

Every test that uses ``arena`` is followed by the same questions: did the kernel
answer within a second all the time, did the bystander tick in each second of it,
is every OS process, open file, thread and folder of the attacker gone? What
other work makes this machine wait is taken off: see ``patience.py``.
"""

from __future__ import annotations

import ctypes
import errno
import gc
import os
import sys
import textwrap
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from jupyter_sandbox.isolation.layers import SWITCH
from jupyter_sandbox.manager.manager import SandboxManager
from jupyter_sandbox.manager.sandbox import Sandbox
from jupyter_sandbox.manager.spares import SPARES
from jupyter_sandbox.model.errors import SandboxError, SandboxGone
from jupyter_sandbox.model.protection import Protection
from jupyter_sandbox.model.sandbox import SandboxStatus, Update

from ..leaving import belongings, guests_of
from ..waiting import until
from .patience import Moment, Patience, Reference
from .tools import REFUSED, attempt

CAMP = """
from jupyter_sandbox.otp import Child, GenServer, NoReply, Reply, Supervisor

class Evil(GenServer):
    def init(self, _):
        return 0
    def handle_call(self, source, caller, n):
        scope = {"__name__": "evil", "self": self, "state": n}
        exec(compile(source, "<attack>", "exec"), scope)
        return Reply(scope.get("answer"), scope["state"])

class Ticker(GenServer):
    def init(self, _):
        self.send_interval(20, self.pid, "tick")
        return 0
    def handle_info(self, message, n):
        return NoReply(n + 1)
    def handle_call(self, request, caller, n):
        return Reply(n, n)

class Camp(Supervisor):
    intensity = 100
    def init(self, _):
        return [Child(Evil, 0, name="evil"), Child(Ticker, 0, name="ticker")]

class Still(Supervisor):
    def init(self, _):
        return [Child(Evil, 0, name="evil")]
"""
"""``camp.Still`` is for many at once: a hundred that tick take all of a small machine's processors."""
HANGING = {"handler_budget": 300}
"""Limits for who is going to hang. Whatever is only to be refused may take its time on a busy machine."""


@dataclass
class Outcome:
    """How an attack ended: with a value, with an error in its process alone, or with the sandbox killed."""

    value: Any = None
    error: SandboxError | None = None
    failure: BaseException | None = None
    """Of the test itself: what it asserted did not hold."""
    span: tuple[Moment, Moment] | None = None
    """From when to when it was under way."""
    longest: tuple[Moment, Moment] | None = None
    """The question to the kernel and the bystander that took longest meanwhile."""
    grown: int = 0
    """The most bytes that the kernel had more meanwhile than before."""

    @property
    def killed(self) -> bool:
        return isinstance(self.error, SandboxGone)

    def run(self, act: Callable[[], Any], now: Callable[[], Moment]) -> None:
        """Do it, and keep what came of it."""
        began = now()
        try:
            self.value = act()
        except SandboxError as error:
            self.error = error
        except BaseException as failure:
            self.failure = failure
        finally:
            self.span = began, now()


@dataclass(frozen=True)
class Belongings:
    """What a kernel can leave behind."""

    files: int
    threads: int
    processes: int
    folders: int
    shared: int = 0

    def __le__(self, other: Belongings) -> bool:
        return all(mine <= most for mine, most in zip(astuple(self), astuple(other), strict=True))


@dataclass
class Arena:
    """A manager, a bystander, and the attackers made for one test."""

    manager: SandboxManager
    bystander: Sandbox
    zygote: int
    scratch: Path
    patience: Patience
    attackers: list[Sandbox] = field(default_factory=list)
    before: Belongings = Belongings(0, 0, 0, 0)
    """What there is at rest: the bystander, and the spares that are kept ready."""

    def attacker(self, **options: Any) -> Sandbox:
        """A sandbox with the process ``evil`` that runs what it is told."""
        options.setdefault("main", "camp.Camp")
        sandbox = self.manager.create(code={"camp.py": CAMP}, **options)
        self.attackers.append(sandbox)
        return sandbox

    def attack(self, source: str, sandbox: Sandbox | None = None, *, timeout_ms: int = 20_000) -> Outcome:
        """Run text in ``evil`` while watching that the kernel and the bystander do not care."""
        target = sandbox or self.attacker()
        outcome = self.watch(lambda: target.call("evil", textwrap.dedent(source), timeout_ms=timeout_ms))
        if outcome.error is not None:
            assert str(outcome.error), "an error without a word"
        if outcome.killed:
            assert target.info().reason, "it ended and nobody said why"
        return outcome

    def attempt(self, source: str, sandbox: Sandbox | None = None, **options: Any) -> Any:
        """Try one thing: the name of the error it met, ``worked``, or the ``answer`` it set."""
        return self.attack(attempt(source), sandbox or self.attacker(**options)).value

    def fate(self, outcome: Outcome, sandbox: Sandbox) -> str:
        """What came of trying one thing: the error that it met, ``worked``, or why the sandbox is dead."""
        if outcome.killed:
            return crash_reason(sandbox)
        return str(outcome.value if outcome.error is None else outcome.error)

    def refuses(self, source: str, sandbox: Sandbox | None = None, *, also: Iterable[str] = ()) -> Sandbox:
        """An attempt that has to be refused, or to meet one of the errors in ``also``; who tried works on."""
        target = sandbox or self.attacker()
        answer = self.attempt(source, target)
        assert answer in {*REFUSED, *also}
        assert self.alive(target)
        return target

    def works_again(self, sandbox: Sandbox) -> bool:
        """Whether the attacked process works, still or after a restart; who ended said why."""
        with suppress(SandboxGone):
            if sandbox.status is SandboxStatus.RUNNING:
                return self.alive(sandbox)
        assert sandbox.info().reason
        self.watch(sandbox.restart)
        return self.alive(sandbox)

    def watch(self, act: Callable[[], Any]) -> Outcome:
        """Do something in another thread and ask the bystander on and on until it is done, and has ticked once more."""
        outcome, complaints = Outcome(), list[str]()
        before, ticked, seen, ticks_on = resident(), self.patience.now(), self.ticks(), False
        thread = threading.Thread(target=outcome.run, args=(act, self.patience.now))
        asked = self.patience.now()  # from one answer on, lest somebody is busy between two questions alone
        thread.start()
        acting = True
        while acting or not (ticks_on or complaints):
            acting = thread.is_alive()  # one more question follows its end
            count, _ = self.ticks(), self.manager.list()
            answered, judging_s = self.patience.now(), self.patience.judging_s
            complaints.append(self.patience.unanswered(asked, answered))
            if count > seen:
                ticked, seen, ticks_on = answered, count, True
            elif still := self.patience.too_long(ticked, answered):
                complaints.append(f"the bystander did not tick {still}")
                ticked = answered
            complaints = [one for one in complaints if one]
            outcome.longest = max(outcome.longest or (asked, answered), (asked, answered), key=length)
            outcome.grown = max(outcome.grown, resident() - before)
            asked = replace(answered, at_s=answered.at_s + self.patience.judging_s - judging_s)
            thread.join(0.02)
        if outcome.failure is not None:
            raise outcome.failure
        assert complaints == []
        return outcome

    def in_time(self, span: tuple[Moment, Moment] | None, most_s: float) -> bool:
        """Whether something took less than so long, but for what other work makes everybody wait."""
        assert span is not None
        late = self.patience.too_long(*span, most_s)
        assert not late, f"it went on {late}"
        return True

    def ticks(self) -> int:
        """How often the bystander's clock has ticked."""
        value = self.bystander.call("ticker", "count")
        assert isinstance(value, int)
        return value

    def alive(self, sandbox: Sandbox) -> bool:
        """Whether the attacked process works."""
        return bool(sandbox.call("evil", "answer = 'alive'") == "alive")

    def folder(self, sandbox: Sandbox) -> Path:
        """Where it works."""
        return Path(str(sandbox.exec("import os; os.getcwd()")))

    def belongings(self) -> Belongings:
        """What there is now."""
        children = guests_of(self.zygote)
        threads = len(os.listdir("/proc/self/task"))
        files, folders = len(os.listdir("/proc/self/fd")), len(os.listdir(self.scratch))
        return Belongings(files, threads, len(children), folders, shared_memory())

    def settled(self) -> Belongings:
        """What there is when that has been so for a while: of a guest that has just come not all is open yet."""
        seen = deque[Belongings](maxlen=50)

        def so_for_a_while() -> bool:
            seen.append(self.belongings())
            return len(seen) == 50 and len(set(seen)) == 1

        self.until(so_for_a_while, "it does not settle")
        return seen[-1]

    def rests(self) -> bool:
        """The bystander and the spares are there, and nobody else."""
        spares = self.manager._spares
        return spares is not None and spares.full and self.belongings().processes == 1 + SPARES

    def ends_as_it_began(self) -> None:
        """Nothing is left behind, but for what tests before left to the collector."""

        def over() -> bool:
            return self.belongings() <= self.before

        try:
            self.until(over, "", within_s=10.0)
        except AssertionError:
            gc.collect()
            held = sorted(" ".join(one) for one in belongings())
            try:
                self.until(over, f"left behind: {self.before} has become {self.belongings()}: {held}")
            except AssertionError:
                self.before = self.belongings()  # the tests that follow are not to blame, nor to wait a minute each
                raise

    def until(self, true: Callable[[], bool], otherwise: str, within_s: float = 60.0) -> None:
        """Wait for a fact that nobody announces."""
        until(true, otherwise, within_s=within_s)


def length(span: tuple[Moment, Moment]) -> float:
    """In seconds."""
    return span[1].at_s - span[0].at_s


def shared_memory() -> int:
    """Pieces of memory and queues that outlive who made them: System V's, and those named as attacks name them."""
    tables = [Path(f"/proc/sysvipc/{kind}") for kind in ("shm", "msg", "sem")]
    rows = sum(len(table.read_text().splitlines()) - 1 for table in tables if table.exists())
    named = ("psm_", "evil", "sem.evil")
    return rows + sum(name.startswith(named) for name in os.listdir("/dev/shm"))


@pytest.fixture(scope="session")
def reference() -> Iterator[Reference]:
    """Who echoes, to tell a kernel that is busy from a machine that is."""
    echoing = Reference()
    yield echoing
    echoing.close()


def patience_with(manager: SandboxManager, reference: Reference) -> Patience:
    """For a manager that has made a sandbox."""
    thread = manager._loop._thread
    assert thread is not None
    return Patience(reference, thread)


@pytest.fixture(scope="session")
def stage(reference: Reference) -> Iterator[Arena]:
    """One kernel for all attacks, with a sandbox that ticks all the time."""
    with SandboxManager(store=":memory:") as manager:
        bystander = manager.create(
            "bystander", code={"camp.py": CAMP}, main="camp.Camp", limits={"max_runtime": 3_600_000}
        )
        zygote = int(str(bystander.exec("import os; os.getppid()")))
        arena = Arena(manager, bystander, zygote, Path(), patience_with(manager, reference))
        arena.scratch = arena.folder(bystander).parent
        arena.until(arena.rests, "the arena is not at rest")
        arena.before = arena.settled()
        yield arena


@pytest.fixture
def arena(stage: Arena) -> Iterator[Arena]:
    """The arena, with a look at what an attack left behind."""
    yield stage
    attackers, stage.attackers = stage.attackers, []
    for sandbox in attackers:
        sandbox.destroy()
    stage.ends_as_it_began()


@pytest.fixture
def strict_machine(stage: Arena) -> None:
    """Skips where there can be no strict profile, but never in CI."""
    has_strict(stage.bystander.info().protection)


def has_strict(protection: Protection | None) -> None:
    """Ends the test unless this is strict: a failure where the machine has what that needs, or it is ours that a layer
    is missing; and in CI, where a battery that nobody fought would be green."""
    if protection is not None and protection.profile == "strict":
        return
    lacking = what_this_machine_lacks()
    if os.environ.get("CI") or not lacking:
        pytest.fail(
            f"no strict profile, {lacking or 'though this machine has all that it needs'}: "
            "python -m jupyter_sandbox doctor tells what is missing"
        )
    pytest.skip(f"no strict profile, {lacking}")


def what_this_machine_lacks() -> str:
    """Why nothing can be strict here, or nothing; asked of Linux itself and not of the layers, which may be broken."""
    if sys.platform != "linux" or os.uname().machine not in ("x86_64", "aarch64"):
        return "there are no filters for this machine"
    if os.environ.get(SWITCH):
        return f"{SWITCH} leaves out layers"
    if not os.path.exists("/proc/self/status"):
        return "there is no /proc"
    linux = ctypes.CDLL(None, use_errno=True)
    if linux.prctl(22, 2, None, 0, 0) >= 0 or ctypes.get_errno() != errno.EFAULT:  # it looked for the filter
        return "this Linux has no filters of system calls"
    if linux.syscall(444, None, ctypes.c_size_t(0), 1) <= 0:
        return "this Linux has no Landlock"
    return ""


@pytest.fixture
def strict(strict_machine: None, arena: Arena) -> Arena:
    """The arena, on a machine that has every layer."""
    return arena


def resident() -> int:
    """Bytes of this kernel's memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def together(acts: Iterable[Callable[[], object]]) -> None:
    """Do all of this at once, each in a thread of its own; fails when one of them did not end, or with an error."""
    errors: list[BaseException] = []

    def run(act: Callable[[], object]) -> None:
        try:
            act()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == [] and not any(thread.is_alive() for thread in threads)


@contextmanager
def growing_at_most(size: int) -> Iterator[None]:
    """What happens inside leaves this kernel with no more than so many bytes more."""
    before = resident()
    yield
    assert resident() - before < size


@contextmanager
def hearing(manager: SandboxManager, receive: Callable[[Update], object]) -> Iterator[None]:
    """What happens inside is told to ``receive``."""

    def pass_on(update: Update) -> None:
        receive(update)

    unsubscribe = manager.subscribe(pass_on)
    try:
        yield
    finally:
        unsubscribe()


def crash_reason(sandbox: Sandbox) -> str:
    """Why the sandbox is dead, as the user reads it."""
    return sandbox.info().reason
