"""What a behaviour shows of itself in ``sys.get_status`` and crash reports: all, or what its ``format_status`` says."""

from __future__ import annotations

from typing import Any

from ..runtime.process import Process


def status_of(process: Process) -> dict[str, Any]:
    """Whether it runs or is suspended, its parent, module and state.

    A class may define ``format_status(self, status)`` to hide or shorten
    things; if that raises, the state is left out and ``"EXIT"`` says so, as in OTP.
    """
    status = {
        "status": "suspended" if process.suspended else "running",
        "parent": process.parent,
        "module": process.behaviour.__name__,
        "state": process.state,
    }
    if not hasattr(type(process.context), "format_status"):
        return status
    try:
        shown = process.context.format_status(dict(status))
    except BaseException:  # whatever it raised, or had to be interrupted: being looked at must not harm the process
        shown = None
    if isinstance(shown, dict):
        return shown
    del status["state"]
    return status | {"EXIT": f"format_status of {process.behaviour.__name__} failed or returned no dictionary"}


def state_to_report(process: Process) -> Any:
    """The state as a crash report may show it."""
    if not hasattr(type(process.context), "format_status"):
        return process.state
    return status_of(process).get("state")
