"""OTP in Python: behaviours with explicit state, supervised exactly as Erlang/OTP supervises."""

from ..model.ids import Pid, Ref
from ..runtime.tables import TableId
from ..runtime import CallExit, CallTimeout, Caller, Down, Exit, ProcessExit, ReceiveTimeout, StartError, Throw, Timeout
from .child import Child
from .commands import (
    ChildError, check_childspecs, count_children, delete_child, get_childspec, restart_child, start_child, terminate_child,
    which_children,
)  # fmt: skip
from .gen_server import GenServer
from .node import Node
from .process import OtpContext
from .returns import HIBERNATE, IGNORE, TIMEOUT, After, Continue, Error, Hibernate, Ignore, NoReply, Ok, Reply, Stop
from .supervisor import Spec, Supervisor

__all__ = [
    "HIBERNATE", "IGNORE", "TIMEOUT", "After", "CallExit", "CallTimeout", "Caller", "Child", "ChildError", "Continue",
    "Down", "Error", "Exit", "GenServer", "Hibernate", "Ignore", "NoReply", "Node", "Ok", "OtpContext", "Pid", "ProcessExit",
    "ReceiveTimeout", "Ref", "Reply", "Spec", "StartError", "Stop", "Supervisor", "TableId", "Throw", "Timeout",
    "check_childspecs", "count_children", "delete_child", "get_childspec", "restart_child", "start_child", "terminate_child",
    "which_children",
]  # fmt: skip
