"""What a verb is made of: arguments, options, and how its NAME is found. Plain data; the table is in ``verbs``."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Kind(enum.Enum):
    """What an argument or an option's value is; decides how it is checked and completed."""

    WORD = "word"
    PATH = "path"
    """On the user's machine, or a variable."""
    PROCESS = "process"
    MODULE = "module"
    MAIN = "main"
    SNAPSHOT = "snapshot"
    VERB = "verb"
    NUMBER = "number"
    SIZE = "size"
    CHOICE = "choice"
    FLAG = "flag"
    EXPRESSION = "expression"
    EXPRESSIONS = "expressions"


RAW = (Kind.EXPRESSION, Kind.EXPRESSIONS)
"""Kinds that take the rest of the line as it stands."""


class Naming(enum.Enum):
    """How a verb treats NAME, the sandbox it acts on."""

    NONE = "none"
    NEW = "new"
    """Names a sandbox to be made; may be left out."""
    KNOWN = "known"
    """Must exist; may be left out when there is exactly one."""
    EITHER = "either"
    """Is made when it does not exist; may be left out when there is exactly one."""


@dataclass(frozen=True, slots=True)
class Argument:
    """A positional argument; one of a raw kind has to be the last."""

    name: str
    kind: Kind
    help: str
    required: bool = True


@dataclass(frozen=True, slots=True)
class Option:
    """``--name VALUE``, or ``--name`` alone when it is a flag. ``value`` names the value in the help; ``least`` is the
    smallest number."""

    name: str
    kind: Kind
    help: str
    value: str = ""
    choices: tuple[str, ...] = ()
    repeat: bool = False
    least: int = 1


@dataclass(frozen=True, slots=True)
class Verb:
    """One command: declared once, and everything else (parsing, help, completion, errors) follows from it."""

    name: str
    group: str
    summary: str
    example: str
    arguments: tuple[Argument, ...] = ()
    options: tuple[Option, ...] = ()
    naming: Naming = Naming.KNOWN
    cell: bool = False
    """Works on the body of a cell: ``%%sandbox``."""

    @property
    def lenient(self) -> bool:
        """Whether `VERB shop` may mean a process of the only sandbox, though that is called shop, too.

        Not where it would do harm: `kill shop` would end the whole system, when only the process was forgotten.
        """
        return self.group == "looking" or self.name in ("state", "children", "restart-child", "terminate-child")

    @property
    def magic(self) -> str:
        """``%%sandbox`` for a verb that needs a cell, else ``%sandbox``."""
        return "%%sandbox" if self.cell else "%sandbox"

    def option(self, name: str) -> Option | None:
        """The option of that name, if the verb has it."""
        return next((option for option in self.options if option.name == name), None)


@dataclass(frozen=True, slots=True)
class Invocation:
    """A line understood: the verb, the sandbox (None: not named and not needed), the values by name."""

    verb: Verb
    sandbox: str | None
    values: dict[str, str | int | None]
    options: dict[str, str | int | bool | tuple[str, ...]]

    def text(self, name: str) -> str:
        """A value that is always there, as text."""
        return str(self.values[name])

    def number(self, name: str, default: int) -> int:
        """A number, from the arguments or the options, or the default."""
        value = self.values.get(name, self.options.get(name))
        return default if value is None else int(value)  # type: ignore[arg-type]

    def option(self, name: str) -> str | None:
        """A text option, None when it was not given."""
        value = self.options.get(name)
        return None if value is None else str(value)
