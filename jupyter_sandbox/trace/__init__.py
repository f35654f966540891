"""What a node did: a bounded log of events, counters, and the history that explains restarts."""

from .history import History
from .log import EventLog

__all__ = ["EventLog", "History"]
