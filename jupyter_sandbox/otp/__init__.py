"""OTP in Python: behaviours with explicit state, supervised exactly as Erlang/OTP supervises."""

from ..model.ids import Pid, Ref
from ..runtime import Caller, CallExit, CallTimeout, Down, Exit, ProcessExit, ReceiveTimeout, StartError, Throw, Timeout
from ..runtime.table import END
from ..runtime.tables import TableId, Transfer
from .child import Child
from .commands import (
    ChildError,
    check_childspecs,
    count_children,
    delete_child,
    get_childspec,
    restart_child,
    start_child,
    terminate_child,
    which_children,
)  # fmt: skip
from .dynamic_supervisor import DynamicSupervisor
from .gen_server import GenServer
from .node import Node
from .process import OtpContext
from .returns import HIBERNATE, IGNORE, TIMEOUT, After, Continue, Error, Hibernate, Ignore, NoReply, Ok, Reply, Stop
from .supervisor import Spec, Supervisor
from .table_match import ANY, Var

__all__ = [
    "ANY", "After", "CallExit", "CallTimeout", "Caller", "Child", "ChildError", "Continue", "Down",
    "DynamicSupervisor", "END", "Error", "Exit", "GenServer", "HIBERNATE", "Hibernate", "IGNORE", "Ignore",
    "NoReply", "Node", "Ok", "OtpContext", "Pid", "ProcessExit", "ReceiveTimeout", "Ref", "Reply", "Spec",
    "StartError", "Stop", "Supervisor", "TIMEOUT", "TableId", "Throw", "Timeout", "Transfer", "Var",
    "check_childspecs", "count_children", "delete_child", "get_childspec", "restart_child", "start_child",
    "terminate_child", "which_children",
]  # fmt: skip
