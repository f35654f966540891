"""Which frames are allowed when: the whole protocol as two tables. Changes nothing, decides nothing else."""

from __future__ import annotations

import enum
from typing import get_args

from . import messages as m


class ConnectionState(enum.StrEnum):
    """Life of one connection, the same on both ends."""

    STARTING = "starting"
    """The guest has not said Ready; requests may already be on their way."""
    RUNNING = "running"
    CANCELLED = "cancelled"
    """Shutdown was asked before Ready."""
    STOPPING = "stopping"
    """Shutdown was asked: answers still come, no new request goes."""
    CLOSED = "closed"
    """Shutdown was answered, or the stream ended."""
    FAILED = "failed"
    """The other side broke the protocol: nothing it says is read any more."""


class Kind(enum.StrEnum):
    """What a frame means to the state."""

    READY = "Ready"
    REQUEST = "request"
    SHUTDOWN = "Shutdown"
    ANSWER = "answer"
    LAST_ANSWER = "answer to Shutdown"
    PUSH = "push"


_S, _K = ConnectionState, Kind

TRANSITIONS: dict[tuple[ConnectionState, Kind], ConnectionState] = {
    (_S.STARTING, _K.READY): _S.RUNNING,
    (_S.STARTING, _K.REQUEST): _S.STARTING,
    (_S.STARTING, _K.SHUTDOWN): _S.CANCELLED,
    (_S.RUNNING, _K.REQUEST): _S.RUNNING,
    (_S.RUNNING, _K.ANSWER): _S.RUNNING,
    (_S.RUNNING, _K.PUSH): _S.RUNNING,
    (_S.RUNNING, _K.SHUTDOWN): _S.STOPPING,
    (_S.CANCELLED, _K.READY): _S.STOPPING,
    (_S.STOPPING, _K.ANSWER): _S.STOPPING,
    (_S.STOPPING, _K.PUSH): _S.STOPPING,
    (_S.STOPPING, _K.LAST_ANSWER): _S.CLOSED,
}
"""Anything that is not in here is illegal."""

ANSWERS: dict[type[m.Request], tuple[type[m.Answer], ...]] = {
    m.Bring: (m.Brought,),
    m.Load: (m.Loaded, m.Tried),
    m.Versions: (m.VersionList,),
    m.Execute: (m.Value, m.Pictured, m.Oversized),
    m.CallOff: (m.Done,),
    m.SetLimits: (m.Done,),
    m.Begin: (m.Done,),
    m.Start: (m.Done,),
    m.Stop: (m.Done,),
    m.Shutdown: (m.Done,),
    m.Call: (m.Value, m.Oversized),
    m.Cast: (m.Done, m.Sent),
    m.Send: (m.Sent,),
    m.Spawn: (m.Sent,),
    m.Kill: (m.Done,),
    m.Suspend: (m.Done,),
    m.Unsuspend: (m.Done,),
    m.Flush: (m.Done,),
    m.GetState: (m.Value, m.Oversized),
    m.SetState: (m.Value,),
    m.ChildAction: (m.Value,),
    m.Children: (m.Value,),
    m.Tree: (m.TreeReply,),
    m.Inspect: (m.InspectReply,),
    m.Events: (m.EventList,),
    m.Why: (m.WhyList,),
    m.Waits: (m.WaitList,),
    m.Watch: (m.TreeReply,),
    m.Pause: (m.PausedAt,),
    m.Resume: (m.Done,),
    m.Step: (m.Stepped,),
    m.Until: (m.Stepped,),
    m.TakeSnapshot: (m.SnapshotBlob,),
    m.RestoreSnapshot: (m.Done,),
    m.TakeJournal: (m.SnapshotBlob,),
    m.ReplayJournal: (m.Stepped,),
}
"""Answers to each request, besides Failed, which answers any."""

_MIB = 1 << 20
LARGE: dict[str, int] = {
    "SnapshotBlob": 64 * _MIB,
    "Brought": 24 * _MIB,
    "Tried": 16 * _MIB,
    "Value": 8 * _MIB,
    "Pictured": 4 * _MIB,
    "TreeReply": 8 * _MIB,
    "TreeChanged": 8 * _MIB,
    "EventList": 2 * _MIB,
    "Stepped": 8 * _MIB,
    "Sample": 2 * _MIB,
}
"""Bytes that a guest's frame of this type may have when it is longer than one piece. The others must fit in one:
a megabyte of the smallest things decodes to about ten, and 64 of them would hurt the kernel."""


KINDS: dict[type, Kind] = {
    m.Ready: Kind.READY,
    m.Failed: Kind.ANSWER,
    **{answer: Kind.ANSWER for answers in ANSWERS.values() for answer in answers},
    **dict.fromkeys(get_args(m.Pushed), Kind.PUSH),
    **dict.fromkeys(ANSWERS, Kind.REQUEST),
    m.Shutdown: Kind.SHUTDOWN,
}
"""The meaning of a frame by its type. Whether an answer is the last one depends on its id: see the connection."""
