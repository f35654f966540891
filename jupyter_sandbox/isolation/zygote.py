"""The kernel's side of a zygote: start it by exec, ask it for guests, notice its end.

Lives on one permanent thread with a running asyncio loop: Linux kills the
zygote when the *thread* that started it ends.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, assert_never

import msgspec

from ..model.boot import Boot
from ..model.errors import LaunchFailed, PreimportFailed, SandboxError, Unsupported
from . import launch, system
from .aside import Fetch, done_aside, fetched, in_thread
from .exec_zygote import Begun, Ground, begin, prepared
from .exits import ExitStatus
from .guest_process import GuestProcess
from .leftovers import end_all
from .needs import must_be_let_through
from .places import check
from .profiles import PROFILES
from .shortage import shortage, unwatched

_START_S = 30.0
_LOOK_S = 0.5
_LOOKS = 20
"""So many looks in a row may find that nothing was heard of a zygote that was asked for a guest: 10 s. Looks are
counted and not the clock, so that a kernel that was busy itself takes no zygote for a dead one."""
_AT_ONCE = 8
_ENDED = "the sandbox launcher has ended; create the sandbox again"
_NOTHING = "nothing can be opened for another sandbox: {}"
_KILLED = ExitStatus(signal=int(signal.SIGKILL))
_read = launch.read_boot
"""What a guest is told is read here before it is sent: what nobody can read is an error of who asks."""
_encode = msgspec.msgpack.Encoder().encode
_Launching = tuple[GuestProcess, "asyncio.Future[None]"]


class Zygote:
    """A preloaded OS process that turns into guests.

    ``zygote = await Zygote.start(entry="jupyter_sandbox.guest.main:Program", sys_path=sys.path)``, then
    ``guest = await zygote.fork(Boot("shop"))``.

    ``on_death`` is called on the loop's thread when the zygote has ended without having been closed, or was killed
    because it did not answer. Its guests have been killed by then: who waits for one gets its exit.
    """

    def __init__(self, begun: Begun, fetch: Fetch = in_thread) -> None:
        self.on_death: Callable[[], None] | None = None
        self.alive = True
        self.pid = begun.process.pid
        self._begun, self._fetch = begun, fetch
        self._process, self._control, _, self._scratch = begun
        self._loop = asyncio.get_running_loop()
        self._hello: asyncio.Future[launch.Hello] = self._loop.create_future()
        self._closing: asyncio.Task[None] | None = None
        self._dying: asyncio.Task[None] | None = None
        self._importing = ""
        """The module of the user's that is being imported, or was last."""
        self._patience: asyncio.Timeout | None = None
        self._launching: dict[int, _Launching] = {}
        self._guests: dict[int, GuestProcess] = {}
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._sending = asyncio.Lock()
        self._last_id = self._heard = 0
        self._decode = msgspec.msgpack.Decoder(launch.FromZygote).decode
        self._pidfd = system.stand_in(self.pid) if system.LINUX else -1
        self._control.setblocking(False)
        self._loop.add_reader(self._control, self._on_readable)
        if self._pidfd >= 0:
            self._loop.add_reader(self._pidfd, self._on_readable)

    @classmethod
    async def start(
        cls, *, preload: Sequence[str] = (), preimport: Sequence[str] = (), entry: str, sys_path: Sequence[str],
        fetch: Fetch = in_thread,
    ) -> Zygote:  # fmt: skip
        """Exec a new interpreter that imports ``preload``, ``preimport`` and the module of ``entry``; then it forks.

        ``entry`` is ``module:name`` of a function, or of a class whose object is called; ``sys_path`` is where it
        imports from, and only its absolute paths count. ``fetch`` does what others can keep: folders are made for it.
        Raises PreimportFailed when one of the user's modules in ``preimport`` is missing, raises, does not end or
        starts threads; LaunchFailed when the interpreter does not come up for another reason.
        """
        must_be_let_through()
        ground = await fetched(fetch, prepared, Ground.undo)
        begun = begin(entry=entry, preload=preload, preimport=preimport, sys_path=sys_path, ground=ground)
        try:
            zygote = cls(begun, fetch)
        except OSError as error:
            begun.undo()
            raise LaunchFailed(f"the sandbox launcher cannot be watched: {unwatched(error)}") from None
        try:
            async with asyncio.timeout(_START_S) as zygote._patience:
                await zygote._hello
        except TimeoutError:
            await zygote.close()
            raise zygote._too_late() from None
        except BaseException:
            await zygote.close()
            raise
        finally:
            zygote._patience = None
        return zygote

    def _too_late(self) -> LaunchFailed:
        if self._importing:
            text = f"the import of {self._importing} did not end in {_START_S:.0f} s; try it in a cell of its own first"
            return PreimportFailed(text, (self._importing,))
        return LaunchFailed(f"the sandbox launcher did not come up in {_START_S:.0f} s; try again")

    async def fork(self, boot: Boot) -> GuestProcess:
        """A new guest, on its way to the entry.

        It gets a folder of its own. Raises LaunchFailed when the OS process cannot be had or
        what was opened by name is not what it was, Unsupported when the profile cannot be had.
        A zygote that does not answer, being stopped say, is dead from then on.
        """
        if boot.profile and boot.profile not in PROFILES:
            raise Unsupported(f"profile {boot.profile!r} cannot be had here; use one of {', '.join(PROFILES)}")
        if boot.openings.places:
            await self._fetch(lambda: check(boot.openings))
        async with self._slots:
            if not self.alive:
                raise LaunchFailed(_ENDED)
            return await self._fork(boot)

    async def _fork(self, boot: Boot) -> GuestProcess:
        guest, theirs = self._opened(await self._new_folder())
        self._last_id = number = self._last_id + 1
        answer: asyncio.Future[None] = self._loop.create_future()
        self._launching[number] = guest, answer
        try:
            packet = _packet(number, replace(boot, scratch=_as_utf8(guest.scratch)))
            await self._ask(packet, theirs, answer)
        except BaseException as error:
            guest.close()
            if isinstance(error, TimeoutError):
                silence = f"did not answer in {_LOOK_S * _LOOKS:g} s and was killed"
                self._die(silence)
                raise LaunchFailed(f"the sandbox launcher {silence}; create the sandbox again") from None
            if isinstance(error, OSError):
                raise LaunchFailed(f"the sandbox launcher does not listen: {error}; try again") from None
            raise
        finally:
            del self._launching[number]
            for fd in theirs:
                os.close(fd)
        guest.heartbeat.release_fd()
        return guest

    async def _new_folder(self) -> str:
        try:
            folder = await fetched(self._fetch, self._scratch.make, self._scratch.remove)
        except OSError as error:
            raise LaunchFailed(_NOTHING.format(shortage(error))) from None
        if not self.alive:
            self._scratch.remove(folder)
            raise LaunchFailed(_ENDED)
        return folder

    def _opened(self, folder: str) -> tuple[GuestProcess, list[int]]:
        """The kernel's ends in a GuestProcess, and the guest's ends as ``launch.GUEST_FDS`` wants them."""
        try:
            guest = GuestProcess(folder, self._closed)
        except OSError as error:
            self._scratch.remove(folder)
            raise LaunchFailed(_NOTHING.format(shortage(error))) from None
        try:
            return guest, guest.open()
        except OSError as error:
            guest.close()
            raise LaunchFailed(_NOTHING.format(shortage(error))) from None

    async def _ask(self, packet: bytes, fds: Sequence[int], answer: asyncio.Future[None]) -> None:
        """Send it and wait for its answer. Raises TimeoutError when nothing at all is heard for too long."""
        sent, looks, heard = False, 0, self._heard
        while looks < _LOOKS:
            sent = sent or await self._sent_in_time(packet, fds)
            if sent:
                await asyncio.wait([answer], timeout=_LOOK_S)
            if answer.done():
                return answer.result()
            looks, heard = looks + 1 if heard == self._heard else 0, self._heard
        raise TimeoutError

    async def _sent_in_time(self, packet: bytes, fds: Sequence[int]) -> bool:
        try:
            async with asyncio.timeout(_LOOK_S):
                await self._send(packet, fds)
        except TimeoutError:
            return False
        return True

    async def _send(self, packet: bytes, fds: Sequence[int]) -> None:
        async with self._sending:
            while True:
                try:
                    socket.send_fds(self._control, [packet], list(fds))
                    return
                except BlockingIOError:
                    await self._writable()

    async def _writable(self) -> None:
        room: asyncio.Future[None] = self._loop.create_future()
        self._loop.add_writer(self._control, _settle, room)
        try:
            await room
        finally:
            if self._control.fileno() >= 0:
                self._loop.remove_writer(self._control)

    def _on_readable(self) -> None:
        while self.alive:
            try:
                data, fds = launch.received(self._control, 1)
            except BlockingIOError:
                break
            except OSError:
                data, fds = b"", []
            try:
                message = self._decode(data)
            except msgspec.MsgspecError:  # end of stream, or a zygote that somebody tampers with
                self._die()
                return
            self._take(message, fds)
        if self.alive and self._process.poll() is not None:
            self._die()

    def _take(self, message: launch.FromZygote, fds: list[int]) -> None:
        self._heard += 1
        match message:
            case launch.Forked(number, pid):
                self._forked(number, pid, fds.pop() if fds else -1)
            case launch.Exited(pid, status, ran_ns):
                if (guest := self._guests.pop(pid, None)) is not None:
                    guest.ran_ns = ran_ns
                    self._ended(guest, ExitStatus.of_wait(status))
            case launch.Refused(number, reason):
                self._refused(number, reason)
            case launch.Unreadable(number, reason):
                if number in self._launching:
                    _fail(self._launching[number][1], LaunchFailed(_unreadable(reason)))
            case launch.Hello():
                if not self._hello.done():
                    self._hello.set_result(message)
            case launch.Importing(module):
                self._importing = module
                if self._patience is not None:
                    self._patience.reschedule(self._loop.time() + _START_S)
            case launch.CannotImport(modules, reason, missing):
                text = f"the import of {modules[0]} failed: {reason}"
                _fail(self._hello, PreimportFailed(reason if missing else text, modules, missing=missing))
            case _:
                assert_never(message)
        for fd in fds:
            os.close(fd)

    def _forked(self, number: int, pid: int, pidfd: int) -> None:
        guest, answer = self._launching.get(number, (None, None))
        if guest is None or answer is None:  # whoever asked gave up
            system.send_signal(pid, pidfd, signal.SIGKILL)
            if pidfd >= 0:
                os.close(pidfd)
            return
        self._guests[pid] = guest
        guest.started(pid, pidfd, self._end_programs)
        _settle(answer)

    def _end_programs(self, pid: int) -> None:
        """Never waits: a zygote that does not read hears it from its guest's end."""
        with suppress(OSError):
            self._control.send(_encode(launch.End(pid)))

    def _refused(self, number: int, reason: str) -> None:
        if not number:
            text = f"the sandbox launcher {reason}; check that a new Python can import it"
            _fail(self._hello, LaunchFailed(text))
        elif number in self._launching:
            text = f"no OS process for the sandbox: {reason}; destroy some sandboxes or end other OS processes"
            _fail(self._launching[number][1], LaunchFailed(text))

    def _ended(self, guest: GuestProcess, status: ExitStatus) -> None:
        guest.ended(status)
        if guest.closed and self._closing is None:  # else it goes with all others
            self._scratch.remove(guest.scratch)

    def _closed(self, guest: GuestProcess) -> None:
        """A guest's folder goes when both are true: the OS process has ended and nobody looks at it any more."""
        if (guest.exit_status is not None or not guest.pid) and self._closing is None:
            self._scratch.remove(guest.scratch)

    def _die(self, how: str = "") -> None:
        """It ended by itself, or might as well have: its guests go with it."""
        if self.alive:
            self._dying = self._loop.create_task(self._bury(self._stop_hearing(), how, self.on_death))

    async def _bury(self, guests: list[GuestProcess], how: str, told: Callable[[], None] | None) -> None:
        """Who hangs in the operating system itself is waited for by nobody but this."""
        reason = ""
        try:
            how = how or await self._begun.how_it_ended()
            reason = self._begun.last_words()
            if self._importing and not self._hello.done():
                text = f"the import of {self._importing} ended the OS process{reason}; leave it out"
                _fail(self._hello, PreimportFailed(text, (self._importing,)))
            await self._begun.end()
            await done_aside(lambda: end_all(guests))
        finally:
            self._tell_ends(guests, f"{how}{reason}; create the sandbox again", f"the sandbox launcher {how}")
            if told is not None:
                told()

    async def close(self) -> None:
        """Kill all guests and the zygote, have their folders removed. Idempotent; ``on_death`` is not called.

        How long guests and folders take to go is in the guests' hand: it is waited for two seconds at most, and nobody
        else waits meanwhile.
        """
        if self._closing is None:
            self._closing = self._loop.create_task(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        if self.alive:
            guests = self._stop_hearing()
            try:
                await self._begun.see_off()
                await done_aside(lambda: end_all(guests))
            finally:
                self._process.kill()
                self._tell_ends(guests, "was closed")
        if self._dying is not None:
            await self._dying
        self._scratch.release()
        await done_aside(self._scratch.close)

    def _stop_hearing(self) -> list[GuestProcess]:
        """From now on it is not alive. Its guests, killed."""
        self.alive = False
        if not self._loop.is_closed():
            self._loop.remove_reader(self._control)
            if self._pidfd >= 0:
                self._loop.remove_reader(self._pidfd)
        guests, self._guests = list(self._guests.values()), {}
        for guest in guests:
            guest.kill()
        return guests

    def _tell_ends(self, guests: Sequence[GuestProcess], why: str, cause: str = "") -> None:
        for guest in guests:
            guest.cause = cause
            self._ended(guest, _KILLED)
        self._begun.close()
        if self._pidfd >= 0:
            os.close(self._pidfd)
        _fail(self._hello, LaunchFailed(f"the sandbox launcher {why}"))
        for _, answer in self._launching.values():
            _fail(answer, LaunchFailed(f"the sandbox launcher {why}"))


def _packet(number: int, boot: Boot) -> bytes:
    """What is sent for a guest. Raises LaunchFailed where it could not be read."""
    try:
        told = _encode(boot)
        _read(told)
        packet = _encode(launch.Fork(number, msgspec.Raw(told), boot.openings.subprocess))
    except UnicodeEncodeError as error:
        raise LaunchFailed(f"{error.object!a} is no UTF-8: leave that path out") from None
    except (msgspec.MsgspecError, TypeError, OverflowError) as error:
        raise LaunchFailed(_unreadable(str(error))) from None
    if len(packet) > launch.MAX_PACKET:
        raise LaunchFailed(f"the sandbox's settings take {len(packet)} bytes; shorten its search path")
    return packet


def _unreadable(reason: str) -> str:
    return f"the sandbox's settings cannot be read by its launcher ({reason}); give other ones"


def _as_utf8(path: str) -> str:
    """As a guest reads it, whose Python takes names of files for UTF-8, whatever the kernel's own takes them for."""
    return os.fsencode(path).decode("utf-8", "surrogateescape")


def _settle(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)


def _fail(waiting: asyncio.Future[Any], error: SandboxError) -> None:
    if not waiting.done():
        waiting.set_exception(error)
        waiting.exception()  # nobody may be waiting, and that is no bug
