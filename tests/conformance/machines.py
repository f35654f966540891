"""The programmable state machine of the scenarios."""

from __future__ import annotations

from jupyter_sandbox.otp import GenServer


class Machine(GenServer):
    """Not there yet."""
