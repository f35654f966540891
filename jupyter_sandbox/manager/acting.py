"""The part of ``Sandbox`` that acts on processes. TARGET is a registered name, a path in the tree, or a pid."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

from ..model import given
from ..model.errors import LimitExceeded, SandboxError, UsageError
from ..model.given import MOST
from ..model.sandbox import SandboxStatus
from ..wire import messages as wire
from ..wire.values import PICTURED_BYTES, REPLY_BYTES, REPLY_ITEMS, REPLY_KEYS, decode_reply, decode_value
from .handle import ASK_S, GuestHandle
from .holding import Holding
from .loading import admit
from .news import name as as_name
from .pickles import pack
from .showing import shown
from .unit import Unit

A = TypeVar("A", bound=wire.Answer)
CALL_OFF_S = 3.0
"""How long a cell is broken and called off, also behind the back of who interrupted and waits no more."""
LOOK_S = 0.1
GRACE_S = 2.0
"""The guest keeps a call's own time; this is what the manager adds before it stops waiting for the guest."""


class Acting(Holding):
    """Every method may be called from any thread but the manager's own."""

    def call(self, target: object, request: object, timeout_ms: int | None = 5_000) -> object:
        """Ask a GenServer and wait for its reply, as plain data: ``shop.call("front", ("add", 2))``.

        The reply comes whole. Raises CallTimeout, NoProcess, CallExit when the process dies instead of answering,
        LimitExceeded when the reply is larger than ``max_message``, or larger than any can be: 8 MB, 100,000 items, of
        which 10,000 may be keys that are no texts.
        """
        patience = given.timeout("timeout_ms", timeout_ms)
        name, args = given.target("target", target, self._unit.name), self._packed(request, "the request")
        wait_s = None if patience is None else patience / 1000 + GRACE_S
        most = self._unit.limits.max_message

        def make(number: int) -> wire.Request:
            return wire.Call(id=number, target=name, args=args, timeout_ms=patience, most=most)

        # Read in the thread that asked: a long one takes a while, and the manager has others to serve.
        return decode_reply(self._act(make, wire.Value, wait_s).data)

    def cast(self, target: object, message: object) -> None:
        """Send to a GenServer's ``handle_cast`` without waiting for anything."""
        name, args = given.target("target", target, self._unit.name), self._packed(message, "the message")
        self._act(lambda number: wire.Cast(id=number, target=name, args=args), wire.Done)

    def send(self, target: object, message: object) -> str:
        """Send a plain message (``handle_info``); the pid it went to, as text."""
        name, args = given.target("target", target, self._unit.name), self._packed(message, "the message")
        return as_name(self._act(lambda number: wire.Send(id=number, target=name, args=args), wire.Sent).pid)

    def spawn(self, function: str, *args: object, name: str | None = None) -> str:
        """Spawn ``module.function``, or start ``module.Class``, outside any tree; the new pid as text."""
        what, called = given.text("function", function), given.text_or_none("name", name)
        packed = self._packed(args, "the arguments") if args else b""
        sent = self._act(lambda number: wire.Spawn(id=number, function=what, args=packed, name=called), wire.Sent)
        return as_name(sent.pid)

    def kill(self, target: object, reason: str = "kill") -> None:
        """Send an exit signal; ``kill`` cannot be trapped."""
        name, why = given.target("target", target, self._unit.name), given.text("reason", reason)
        self._act(lambda number: wire.Kill(id=number, target=name, reason=why), wire.Done)

    def suspend(self, target: object) -> None:
        """Have a process handle nothing but system messages (``sys:suspend``)."""
        name = given.target("target", target, self._unit.name)
        self._act(lambda number: wire.Suspend(id=number, target=name), wire.Done)

    def unsuspend(self, target: object) -> None:
        """Let a suspended process go on (``sys:resume``)."""
        name = given.target("target", target, self._unit.name)
        self._act(lambda number: wire.Unsuspend(id=number, target=name), wire.Done)

    def state(self, target: object, cut: bool = False) -> object:
        """The state of a process as plain data (``sys:get_state``), whole; with ``cut`` as much as one looks at.

        Of what was cut the last thing says how much is left out. Raises LimitExceeded as ``call`` does.
        """
        name, most = given.target("target", target, self._unit.name), self._most(cut)
        answer = self._act(lambda number: wire.GetState(id=number, target=name, most=most), wire.Value)
        return decode_value(answer.data) if cut else decode_reply(answer.data)

    def set_state(self, target: object, value: object) -> object:
        """Replace the state of a process (``sys:replace_state``); the new state, cut to what one looks at.

        What came out of the sandbox in words only is refused with UsageError: it would replace what it tells of.
        """
        name, args = given.target("target", target, self._unit.name), self._packed(value, "the state")
        return self._value(lambda number: wire.SetState(id=number, target=name, args=args))

    def children(self, target: object) -> object:
        """``which_children`` of a supervisor: (id, pid or 'undefined' or 'restarting', type, modules)."""
        name = given.target("target", target, self._unit.name)
        return self._value(lambda number: wire.Children(id=number, target=name))

    def restart_child(self, supervisor: object, child: object) -> object:
        """Start a stopped child of a supervisor again (``supervisor:restart_child``)."""
        return self._child("restart_child", supervisor, child)

    def terminate_child(self, supervisor: object, child: object) -> object:
        """Stop a child and keep its specification (``supervisor:terminate_child``)."""
        return self._child("terminate_child", supervisor, child)

    def delete_child(self, supervisor: object, child: object) -> object:
        """Remove the specification of a stopped child (``supervisor:delete_child``)."""
        return self._child("delete_child", supervisor, child)

    def restart_under(self, supervisor: object, child: object) -> object:
        """Stop a child of this supervisor and start it again; its restarts are not used up."""
        return self._child("restart", supervisor, child)

    def restart_process(self, target: object) -> object:
        """Have its supervisor stop a process and start it again, which uses up none of the restarts.

        Raises UsageError for a process that no supervisor watches.
        """
        return self._loop.run(_restart(self._unit, given.target("target", target, self._unit.name)))

    def exec(self, source: str, file: str = "<exec>", timeout_ms: int | None = None, cut: bool = False) -> object:
        """Run code in a process of its own inside the sandbox; the value of its last expression, as plain data.

        It comes whole, or, with ``cut``, as much of it as one looks at, with what was left out. Raises LimitExceeded as
        ``call`` does: what the code did is done then.

        A value whose class draws itself (``_repr_png_``, ``_repr_jpeg_``, ``_repr_mimebundle_``, a figure of
        matplotlib) comes as ``Drawn``: the plain data in ``value``, the checked file in ``picture.body``.
        An interrupt (KeyboardInterrupt) ends that process.
        """
        # Read in the thread that asked: an image takes a while to check, and the manager has others to serve.
        code, place = given.text("source", source), given.text("file", file)
        patience, most = given.timeout("timeout_ms", timeout_ms), self._most(cut)
        return shown(self._loop.run(_execute(self._unit, code, place, patience, most)), cut=cut)

    # --- how ----------------------------------------------------------------------------------------------------------

    def _most(self, cut: bool) -> int | None:
        """Bytes that a value may have which comes whole; None for one that is cut."""
        return None if given.truth("cut", cut) else self._unit.limits.max_message

    def _packed(self, value: object, what: str) -> bytes:
        data = pack(value, what)
        if len(data) > self._unit.limits.max_message:
            hint = too_long(len(data), self._unit)
            self._loop.run(_refuse(self._unit, what, hint, len(data)))
            raise UsageError(what, hint=hint, kind="message_limit")
        return data

    def _child(self, action: str, supervisor: object, child: object) -> object:
        above, name = given.target("supervisor", supervisor, self._unit.name), given.term("child", child)
        return self._value(
            lambda number: wire.ChildAction(id=number, action=action, supervisor=above, child=name)
        )  # fmt: skip

    def _value(self, make: Callable[[int], wire.Request]) -> object:
        return decode_value(self._act(make, wire.Value).data)

    def _act(self, make: Callable[[int], wire.Request], answer: type[A], wait_s: float | None = ASK_S) -> A:
        return self._loop.run(act(self._unit, make, answer, wait_s))


def too_long(size: int, unit: Unit) -> str:
    """What to do about a message of so many bytes."""
    most = unit.limits.max_message
    return f"it has {size} bytes, max_message is {most}: %sandbox limits {unit.name} --max-message {size}"


async def _refuse(unit: Unit, what: str, hint: str, size: int) -> None:
    """A message that is not sent, or a reply that is not handed on, is told as an alert."""
    unit.analytics.message(size)
    unit.voice.heard_by_caller()
    unit.voice.alert("message_limit", f"{what} was refused: {hint}")


async def _restart(unit: Unit, target: str) -> object:
    admit(unit, "act")
    seen = (await unit.ask(lambda number: wire.Inspect(id=number, target=target), wire.InspectReply)).inspection
    above, child = seen.process.parent, seen.process.pid or target
    if above is None:
        raise UsageError(
            "target", target, hint=f"no supervisor would restart it; use %sandbox kill {unit.name} {target}"
        )
    reply = await act(
        unit, lambda number: wire.ChildAction(id=number, action="restart", supervisor=above, child=child), wire.Value
    )
    return decode_value(reply.data)


async def _execute(unit: Unit, source: str, file: str, timeout_ms: int | None, most: int | None) -> wire.Value:
    asked: list[int] = []

    def make(number: int) -> wire.Request:
        asked.append(number)
        return wire.Execute(id=number, source=source, file=file, timeout_ms=timeout_ms, most=most)

    guest, wait_s = unit.guest, None if timeout_ms is None else timeout_ms / 1000 + GRACE_S
    try:
        return await act(unit, make, wire.Value, wait_s)
    except asyncio.CancelledError:
        if guest is not None and asked:
            await _call_off(guest, asked[0])
        raise


async def _call_off(guest: GuestHandle, request: int) -> None:
    """End the cell's process. A cell that never waits is broken first: until then its guest hears nothing."""
    told = asyncio.ensure_future(
        guest.ask(lambda number: wire.CallOff(id=number, request=request), wire.Done, CALL_OFF_S)
    )  # fmt: skip
    while not told.done():
        await asyncio.wait([told], timeout=LOOK_S)
        if not told.done() and guest.lookout.runs_cell(request):
            guest.process.interrupt()
    told.exception()  # seen: a cell that cannot be broken runs into handler_budget, which ends it


_WHOLE: Final[dict[type[wire.Request], str]] = {
    wire.Call: "the reply",
    wire.GetState: "the state",
    wire.Execute: "the value",
}
"""What is asked for that may have to come whole."""


async def _admit_whole(unit: Unit, reply: wire.Value, what: str) -> None:
    """Raises LimitExceeded for one that is larger than a message may be; it is not decoded then."""
    if isinstance(reply, wire.Oversized):
        size = min(max(0, reply.size), MOST)
        drawn = what == "the value" and PICTURED_BYTES < size <= unit.limits.max_message
        hint = _of_reply(size, reply.many, PICTURED_BYTES if drawn else REPLY_BYTES) or too_long(size, unit)
    else:
        size = len(reply.data)
        unit.analytics.message(size)
        if size <= unit.limits.max_message:
            return
        hint = too_long(size, unit)
    hint += "; with cut=True as much of it comes as one looks at" if what == "the state" else ""
    await _refuse(unit, what, hint, size)
    raise LimitExceeded(f"{what}: {hint}", "message_limit")


def _of_reply(size: int, many: str, most: int) -> str:
    """Why no limit of a sandbox lets it through; empty where one does."""
    ask = "ask for a part of it, or have it written to a file"
    if many == "items":
        return f"it has more than the {REPLY_ITEMS} items that a reply can have; {ask}"
    if many:
        return f"it has more than the {REPLY_KEYS} keys that are no texts which a reply can have; {ask}"
    if size > most:
        beside = "" if most == REPLY_BYTES else " beside a picture"
        return f"it has {size} bytes or more, and no reply can have more than {most}{beside}; {ask}"
    return ""


async def act(unit: Unit, make: Callable[[int], wire.Request], answer: type[A], wait_s: float | None = ASK_S) -> A:
    """Ask the guest to act; what it printed meanwhile is told before its answer."""
    admit(unit, "act")
    guest = unit.guest
    if guest is not None:
        guest.renew_output()

    what = None

    def measured(number: int) -> wire.Request:
        nonlocal what
        frame = make(number)
        what = _WHOLE.get(type(frame)) if getattr(frame, "most", None) is not None else None
        unit.analytics.message(len(getattr(frame, "args", b"")))
        return frame

    try:
        reply = await unit.ask(measured, answer, wait_s)
        if what is not None and isinstance(reply, wire.Value):
            await _admit_whole(unit, reply, what)
        return reply
    except SandboxError as error:
        if error.kind == "too_large":
            unit.voice.alert("message_limit", str(error))
        raise
    finally:
        if guest is not None and not guest.retired and unit.life.status is not SandboxStatus.STARTING:
            await guest.tell_output()
