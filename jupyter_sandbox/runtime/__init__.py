"""The node and its processes: deterministic, without clock, entropy, threads or files of its own."""

from .context import Context
from .exceptions import (
    CallExit,
    CallTimeout,
    ForeignAwait,
    ProcessExit,
    ReceiveTimeout,
    StartError,
    SystemLimit,
    Throw,
    WaitInPlainCallback,
)  # fmt: skip
from .inputs import Apply, Ask, LoadCode, OutsideDone, OutsideWork, Reply, RunResult, SetLimits, Tell, Tick
from .isolate import NotCopyable
from .node import Node, Policy
from .signals import Caller, Down, Exit, Notify, Request, SystemRequest, Timeout

__all__ = [
    "Apply", "Ask", "CallExit", "CallTimeout", "Caller", "Context", "Down", "Exit", "ForeignAwait", "LoadCode", "Node",
    "NotCopyable", "Notify", "OutsideDone", "OutsideWork", "Policy", "ProcessExit", "ReceiveTimeout", "Reply",
    "Request", "RunResult", "SetLimits", "StartError", "SystemLimit", "SystemRequest", "Tell", "Throw", "Tick",
    "Timeout", "WaitInPlainCallback",
]  # fmt: skip
