"""Identifiers of processes, references and tables: tagged integers, as on BEAM.

They compare and hash at the speed of ``int``. The tag keeps them apart from
ordinary numbers, so ``Pid`` 5 is never equal to the integer 5. The word is
``int``'s own; nothing here looks anything up.
"""

from __future__ import annotations

PID_TAG = 1 << 60
REF_TAG = 1 << 61
_NUMBER = (1 << 48) - 1
_DIGITS = len(str(_NUMBER))
FIRST_CLIENT = 1 << 40
"""The clients of requests from outside are numbered from here, so that they use up no numbers that people see."""


class Pid(int):
    """Names one process of a node for ever; never used again after its death.

    >>> Pid.of(12)
    <0.12.0>
    >>> Pid.of(12) == 12
    False
    """

    __slots__ = ()

    @classmethod
    def of(cls, number: int) -> Pid:
        """The pid with this serial number in its node."""
        return cls(PID_TAG | number)

    @classmethod
    def parse(cls, text: str) -> Pid | None:
        """Read ``<0.12.0>``; None when the text is no pid.

        >>> Pid.parse("<0.12.0>")
        <0.12.0>
        """
        parts = text.strip()[1:-1].split(".") if text.strip()[:1] == "<" else []
        if len(parts) != 3 or not all(part.isdecimal() and len(part) <= _DIGITS for part in parts):
            return None
        number = int(parts[1])
        return cls.of(number) if number <= _NUMBER else None

    @property
    def number(self) -> int:
        """The serial number in the node, counted from 1."""
        return int(self) & _NUMBER

    def __repr__(self) -> str:
        return f"<0.{self.number}.0>"

    __str__ = __repr__


OUTSIDE = Pid.of(_NUMBER)
"""Who asks when the question comes from outside the node."""


class Ref(int):
    """A reference that is unique within its node: a monitor, a timer, an alias, a call.

    >>> Ref.of(7)
    #Ref<7>
    """

    __slots__ = ()

    @classmethod
    def of(cls, number: int) -> Ref:
        """The reference with this serial number in its node."""
        return cls(REF_TAG | number)

    @property
    def number(self) -> int:
        """The serial number in the node."""
        return int(self) & _NUMBER

    def __repr__(self) -> str:
        return f"#Ref<{self.number}>"

    __str__ = __repr__
