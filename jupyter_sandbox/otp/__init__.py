"""OTP in Python: behaviours with explicit state, supervised exactly as Erlang/OTP supervises."""

from ..model.ids import Pid, Ref
from ..runtime import Caller, CallExit, CallTimeout, Down, Exit, ProcessExit, ReceiveTimeout, StartError, Throw, Timeout
from ..runtime.signals import Asks, Response
from ..runtime.table import END
from ..runtime.tables import TableId, Transfer
from .agent import Agent
from .application import Application
from .backoff import Backoff
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
from .hints import CallResult, CastResult, EventResult, InitResult
from .node import Node
from .partition_supervisor import Partition, Partitions, PartitionSupervisor
from .process import OtpContext
from .registry import Registered, Registry, Unregistered, Via
from .returns import HIBERNATE, IGNORE, TIMEOUT, After, Continue, Error, Hibernate, Ignore, NoReply, Ok, Reply, Stop
from .statem_actions import (
    POSTPONE,
    UPDATE,
    Answer,
    NextEvent,
    SetEventTimeout,
    SetStateTimeout,
    SetTimeout,
)  # fmt: skip
from .statem_events import (
    Call,
    Cast,
    Enter,
    Event,
    EventTimeout,
    GenericTimeout,
    Info,
    Internal,
    StateTimeout,
)  # fmt: skip
from .statem_returns import KEEP, Keep, KeepState, NextState, RepeatState, StopAndReply
from .supervisor import Spec, Supervisor
from .table_match import ANY, Var
from .task import Task
from .task_supervisor import TaskSupervisor
from .task_wait import Died, Done, TaskReply

__all__ = [
    "ANY", "After", "Agent", "Answer", "Application", "Asks", "Backoff", "Call", "CallExit", "CallResult",
    "CallTimeout", "Caller", "Cast", "CastResult", "Child", "ChildError", "Continue", "Died", "Done", "Down",
    "DynamicSupervisor", "END",
    "Enter", "Error", "Event", "EventResult", "EventTimeout", "Exit", "GenServer", "GenStatem", "GenericTimeout",
    "HIBERNATE", "Hibernate", "IGNORE", "Ignore", "Info", "InitResult", "Internal", "KEEP", "Keep", "KeepState",
    "NextEvent", "NextState", "NoReply", "Node", "Ok", "OtpContext", "POSTPONE", "Partition", "PartitionSupervisor",
    "Partitions", "Pid", "ProcessExit", "ReceiveTimeout", "Ref", "Registered", "Registry", "RepeatState", "Reply",
    "Response", "SetEventTimeout", "SetStateTimeout", "SetTimeout", "Spec", "StartError", "StateTimeout", "Stop",
    "StopAndReply", "Supervisor", "TIMEOUT", "TableId", "Task", "TaskReply", "TaskSupervisor", "Throw", "Timeout",
    "Transfer", "UPDATE", "Unregistered", "Var", "Via", "check_childspecs", "count_children", "delete_child",
    "get_childspec", "restart_child", "start_child", "terminate_child", "which_children",
]  # fmt: skip
