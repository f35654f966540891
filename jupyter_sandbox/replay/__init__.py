"""Runs a journal again. The law: the same seed and inputs give the same steps, told by the same rolling hash."""

from .recording import Recording, record
from .replayer import replay

__all__ = ["Recording", "record", "replay"]
