"""Every request and the function that carries it out. A request of the protocol that is missing here fails a test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..model.errors import InternalError
from ..wire import messages as m
from . import requests_code, requests_control, requests_life, requests_look, requests_process, requests_state

if TYPE_CHECKING:
    from .guest import Guest, Handlers

HANDLERS: Final[Handlers] = {
    **requests_code.HANDLERS,
    **requests_control.HANDLERS,
    **requests_life.HANDLERS,
    **requests_look.HANDLERS,
    **requests_process.HANDLERS,
    **requests_state.HANDLERS,
}


def dispatch(guest: Guest, request: m.KernelFrame) -> None:
    """Carry out a request; it answers through ``guest.emit``."""
    handler = HANDLERS.get(type(request))
    if handler is None:
        raise InternalError(f"the guest does not know {type(request).__name__}; please report it")
    handler(guest, request)
