"""The node whose plain processes have OTP's functions too: what guests run and tests use."""

from __future__ import annotations

from typing import Any, ClassVar

from .. import runtime
from . import gen, gen_server
from .process import OtpContext


class Node(runtime.Node):
    """A ``runtime.Node`` in which ``self`` of every process can start and stop behaviours."""

    __slots__ = ()
    context_class = OtpContext
    drains: ClassVar[Any] = {gen_server.dispatch: gen_server.drain}
    begins: ClassVar[Any] = {gen_server.dispatch: gen.try_begin}
