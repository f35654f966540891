"""Which process it is, and what it knows of itself. The one attribute that a context has is here.

A context keeps nothing else: what a process knows is in the state that its callbacks return.
"""

from __future__ import annotations

import random
from abc import ABCMeta
from collections.abc import Callable
from typing import Any, Final, NoReturn

from ...model.ids import Pid
from ..process import Process


class _NoAttributes(ABCMeta):
    """Gives every class no instance attributes: what a process knows is in the state its callbacks return.

    A behaviour may be an abstract base of others, as any class of Python may.
    """

    def __new__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any) -> Any:
        namespace.setdefault("__slots__", ())
        return super().__new__(cls, name, bases, namespace, **options)


class Identity(metaclass=_NoAttributes):
    """The process that all operations are those of."""

    __slots__ = ("_process",)
    _process: Process

    def __init__(self, process: Process) -> None:
        set_process(self, process)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(
            f"cannot set self.{name}: a process keeps its state in what its callbacks return, "
            f"for example `return NoReply(new_state)`"
        )

    @property
    def pid(self) -> Pid:
        """This process's own pid."""
        return self._process.pid

    @property
    def parent(self) -> Pid | None:
        """The process that started this one."""
        return self._process.parent

    def now(self) -> int:
        """The node's time in milliseconds. It stands still while the sandbox is paused and during a step."""
        return self._process.node.now_ms

    @property
    def random(self) -> random.Random:
        """A random stream of this process alone, from the sandbox's seed.

        >>> from jupyter_sandbox.otp import Node
        >>> async def throw(self):
        ...     return [self.random.randint(1, 6) for _ in range(20)]
        >>> def dice(seed):
        ...     return Node(seed=seed).run_function(throw)
        >>> dice(1) == dice(1), dice(1) == dice(2)
        (True, False)
        """
        found = self.dictionary.get("$random")
        if found is None:
            found = self.dictionary["$random"] = self._process.node.random_stream(f"process {self._process.number}")
        assert isinstance(found, random.Random)
        return found

    @property
    def dictionary(self) -> dict[Any, Any]:
        """The process dictionary: private to this process, for data about it rather than its state."""
        if self._process.dictionary is None:
            self._process.dictionary = {}
        return self._process.dictionary

    def set_label(self, label: object) -> None:
        """A label for people to read where the process has no name (``proc_lib:set_label``)."""
        self._process.label = label

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._process.name or self._process.pid}>"


set_process: Final[Callable[[Identity, Process], None]] = Identity.__dict__["_process"].__set__
"""Sets the one attribute there is, past ``__setattr__``, which refuses."""
set_class: Final[Callable[[Identity, type[Identity]], None]] = object.__dict__["__class__"].__set__
"""Makes it the ``self`` of another behaviour, past ``__setattr__``: one met before its class was known."""
