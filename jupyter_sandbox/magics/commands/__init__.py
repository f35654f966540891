"""What each verb does: thin functions over the manager's API that answer with something to look at."""

from __future__ import annotations

from collections.abc import Callable

from ..turn import Turn
from . import code, life, looking, processes, snapshots, stepping

Handler = Callable[[Turn], object]

HANDLERS: dict[str, Handler] = {
    "create": life.create,
    "start": life.start,
    "stop": life.stop,
    "restart": life.restart,
    "destroy": life.destroy,
    "list": life.list_all,
    "info": life.info,
    "limits": life.limits,
    "module": code.module,
    "exec": code.execute,
    "load": code.load,
    "versions": code.versions,
    "call": processes.call,
    "cast": processes.cast,
    "send": processes.send,
    "spawn": processes.spawn,
    "kill": processes.kill,
    "suspend": processes.suspend,
    "unsuspend": processes.unsuspend,
    "state": processes.state,
    "set-state": processes.set_state,
    "children": processes.children,
    "restart-child": processes.restart_child,
    "terminate-child": processes.terminate_child,
    "tree": looking.tree,
    "ps": looking.ps,
    "events": looking.events,
    "why": looking.why,
    "waits": looking.waits,
    "metrics": looking.metrics,
    "log": looking.log,
    "pause": stepping.pause,
    "resume": stepping.resume,
    "step": stepping.step,
    "back": stepping.back,
    "until": stepping.until,
    "snapshot": snapshots.snapshot,
    "snapshots": snapshots.snapshots,
    "restore": snapshots.restore,
    "help": looking.explain,
}
