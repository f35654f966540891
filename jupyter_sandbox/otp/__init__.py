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
from .gen_statem import GenStatem
from .node import Node
from .process import OtpContext
from .returns import HIBERNATE, IGNORE, TIMEOUT, After, Continue, Error, Hibernate, Ignore, NoReply, Ok, Reply, Stop
from .statem import (
    KEEP,
    POSTPONE,
    UPDATE,
    Answer,
    Call,
    Cast,
    Enter,
    EventTimeout,
    GenericTimeout,
    Info,
    Internal,
    Keep,
    KeepState,
    NextEvent,
    NextState,
    RepeatState,
    SetEventTimeout,
    SetStateTimeout,
    SetTimeout,
    StateTimeout,
)  # fmt: skip
from .supervisor import Spec, Supervisor
from .table_match import ANY, Var

__all__ = [
    "ANY", "After", "Answer", "Call", "CallExit", "CallTimeout", "Caller", "Cast", "Child", "ChildError",
    "Continue", "Down", "DynamicSupervisor", "END", "Enter", "Error", "EventTimeout", "Exit",
    "GenServer", "GenStatem", "GenericTimeout", "HIBERNATE", "Hibernate", "IGNORE", "Ignore", "Info", "Internal",
    "KEEP", "Keep", "KeepState", "NextEvent", "NextState", "NoReply", "Node", "Ok", "OtpContext", "POSTPONE", "Pid",
    "ProcessExit", "ReceiveTimeout", "Ref", "RepeatState", "Reply", "SetEventTimeout",
    "SetStateTimeout", "SetTimeout", "Spec", "StartError", "StateTimeout", "Stop",
    "Supervisor", "TIMEOUT", "TableId", "Throw", "Timeout", "Transfer", "UPDATE", "Var",
    "check_childspecs", "count_children", "delete_child", "get_childspec", "restart_child", "start_child",
    "terminate_child", "which_children",
]  # fmt: skip
