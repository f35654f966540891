"""The node whose plain processes have OTP's functions too: what guests run and tests use."""

from __future__ import annotations

from .. import runtime
from .process import OtpContext


class Node(runtime.Node):
    """A ``runtime.Node`` in which ``self`` of every process can start and stop behaviours."""

    __slots__ = ()
    context_class = OtpContext
