"""Requests about the main application and the end of the guest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..otp import application
from ..wire import messages as m
from .guest import CLIENTS, OTP_CLIENTS, Handlers

if TYPE_CHECKING:
    from .guest import Guest


def begin(guest: Guest, request: m.Begin) -> None:
    """A spare becomes a sandbox."""
    guest.begin(request.boot)
    guest.emit(m.Done(id=request.id))


def start(guest: Guest, request: m.Start) -> None:
    """Start a main class as an application."""
    guest.must_run("start")
    facts = {
        "env": request.env,
        "description": request.description,
        "version": request.version,
        "registered": list(request.registered),
        "dependencies": list(request.dependencies),
        "modules": list(guest.code.finder.modules),
    }
    args = (request.app, request.main, request.args, facts)

    def answer(_: Any) -> m.Answer:
        return m.Done(id=request.id)

    guest.reporter.app = request.app
    guest.pending.apply(request, f"{CLIENTS}start", args, answer)


def stop(guest: Guest, request: m.Stop) -> None:
    """Stop an application in order."""
    guest.must_run("stop")
    guest.pending.apply(request, f"{OTP_CLIENTS}stop", (request.app,), lambda _: m.Done(id=request.id))


def shutdown(guest: Guest, request: m.Shutdown) -> None:
    """Stop every running application, then leave; after ``grace_ms`` leave all the same."""
    guest.resume()
    left = [name for name, entry in application.applications(guest.node).items() if entry.running and entry.master]
    until = guest.read_ns() + request.grace_ms * 1_000_000
    for name in reversed(left):
        guest.pending.tell(f"{OTP_CLIENTS}stop", (name,))

    def over() -> bool:
        running = [entry for entry in application.applications(guest.node).values() if entry.running and entry.master]
        if running and guest.read_ns() < until:
            return False
        guest.leaving = True
        guest.watching.flush()
        guest.emit(m.Done(id=request.id))
        return True

    guest.pending.later(request.id, over)


HANDLERS: Handlers = {m.Begin: begin, m.Start: start, m.Stop: stop, m.Shutdown: shutdown}
