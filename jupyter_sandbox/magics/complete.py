"""Completion of magic lines, by the table of verbs and names that are already known. Pure: it never asks a sandbox."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..model.typed import typable
from .grammar import RAW, Kind, Naming, Verb
from .verbs import VERBS


@dataclass(frozen=True, slots=True)
class Known:
    """Names that can be completed in one sandbox."""

    processes: Sequence[str] = ()
    modules: Sequence[str] = ()
    mains: Sequence[str] = ()
    snapshots: Sequence[str] = ()

    def of(self, kind: Kind) -> Sequence[str]:
        """The names that fit an argument of this kind."""
        match kind:
            case Kind.PROCESS:
                return self.processes
            case Kind.MODULE:
                return self.modules
            case Kind.MAIN:
                return [*self.mains, *self.modules]
            case Kind.SNAPSHOT:
                return self.snapshots
            case Kind.VERB:
                return list(VERBS)
            case _:
                return ()


@dataclass(frozen=True, slots=True)
class Completions:
    """What could stand in place of the last ``len(fragment)`` characters."""

    fragment: str
    words: tuple[str, ...] = ()
    kinds: Mapping[str, str] = field(default_factory=dict)
    beside: Kind | None = None
    """What else may stand there that is none of ours: ``PATH`` a file of the user's, ``EXPRESSION`` Python."""


def complete(text: str, sandboxes: Mapping[str, Known], *, cell: bool = False) -> Completions:
    """Completions for the text between ``%sandbox `` and the cursor.

    >>> complete("st", {}).words
    ('start', 'stop', 'state', 'step')
    """
    words = text.split()
    fragment = "" if not text or text[-1].isspace() else words.pop()
    if not words:
        return _fitting(fragment, {verb.name: "verb" for verb in VERBS.values() if not cell or verb.cell})
    verb = VERBS.get(words[0])
    if verb is None:
        return Completions(fragment)
    return _candidates(verb, words[1:], fragment, sandboxes)


def _candidates(verb: Verb, words: list[str], fragment: str, sandboxes: Mapping[str, Known]) -> Completions:
    option = verb.option(words[-1][2:]) if words and words[-1].startswith("--") else None
    name, used = _name(verb, words, sandboxes)
    known = sandboxes.get(name, Known()) if name is not None else Known()
    if option is not None and option.kind is not Kind.FLAG:
        offered = dict.fromkeys(option.choices or known.of(option.kind), option.kind.value)
        return _fitting(fragment, offered, option.kind)
    if fragment.startswith("--"):
        options = [each for each in verb.options if each.repeat or f"--{each.name}" not in words]
        return _fitting(fragment, dict.fromkeys([*(f"--{each.name}" for each in options), "--help"], "option"))
    plain = [word for word in words if not word.startswith("--")]
    kind = _kind(verb, len(plain) - used)
    found: dict[str, str] = {}
    if not plain and verb.naming in (Naming.KNOWN, Naming.EITHER):
        found |= dict.fromkeys(sandboxes, "sandbox")
    if kind is not None:
        found |= {word: kind.value for word in known.of(kind) if word not in found}
    return _fitting(fragment, found, kind)


def _kind(verb: Verb, place: int) -> Kind | None:
    """Of the argument at this place; one of a raw kind, which is the last, takes all that follows."""
    arguments = verb.arguments
    if arguments and place >= len(arguments) and arguments[-1].kind in RAW:
        return arguments[-1].kind
    return arguments[place].kind if 0 <= place < len(arguments) else None


def _name(verb: Verb, words: list[str], sandboxes: Mapping[str, Known]) -> tuple[str | None, int]:
    """The sandbox the line is about, and how many words name it."""
    if verb.naming is Naming.NONE:
        return None, 0
    if words and words[0] in sandboxes:
        return words[0], 1
    return (next(iter(sandboxes)), 0) if len(sandboxes) == 1 else (None, 1)


def _fitting(fragment: str, candidates: Mapping[str, str], kind: Kind | None = None) -> Completions:
    """A word that is chosen goes into the user's cell, and the cell runs in the kernel: it has to be one plain word.

    Names that would have to be quoted are not offered. Options are our own.
    """
    words = tuple(
        word for word, what in candidates.items() if word.startswith(fragment) and (typable(word) or what == "option")
    )
    beside = Kind.EXPRESSION if kind in RAW else Kind.PATH if kind is Kind.PATH else None
    return Completions(fragment, words, candidates, beside)
