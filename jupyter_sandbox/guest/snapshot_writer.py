"""Writes the pickles of a snapshot: each of them bounded, and what cannot be saved is named with what it is part of."""

from __future__ import annotations

import itertools
import pickle
from typing import Any, Final

from ..model.anatomy import own_name
from ..model.errors import SnapshotError
from ..runtime.crashes import text_of
from ..runtime.process import Process
from . import held_values
from .aside import HandlerTimeout
from .bounded import Bounded, Overfull
from .refilling import SAVED, count_parts
from .snapshot_names import by_name
from .too_large import MOST, Endless, TooLarge, no_memory, too_large
from .tracebacks import diagnostic_of

_LARGE: Final = 10_000
_ALL: Final = "the state of the sandbox"


class Writer:
    """Writes one pickle after another. The node, processes and contexts are never copied: they are named.

    All of them together have to travel in one frame, so that there is an end to it before it takes long. ``sandbox``
    stands in the commands that errors tell the user to type.
    """

    def __init__(self, sandbox: str) -> None:
        self._named = by_name()
        self._sandbox, self._room = sandbox, MOST
        self.met: held_values.Met = {}
        """What each pickle begins with: it is in another one."""
        self._begin()

    def _begin(self) -> None:
        self._out = Bounded()
        self._pickler = pickle.Pickler(self._out, pickle.HIGHEST_PROTOCOL)
        self._pickler.dispatch_table = {**SAVED, **self._named}

    def dumps(self, value: Any, of: Process | str) -> bytes:
        """Raises SnapshotError that says of what it was."""
        try:
            blob = self._plainly(value)
        except (Overfull, MemoryError) as error:
            raise self._too_much(error, of) from None
        except HandlerTimeout as error:
            raise _takes_too_long(error, of) from None
        except BaseException:  # the user's __reduce__ may raise anything
            blob = self._dumps_by_value(value, of)
        self._room -= len(blob)
        return blob

    def _plainly(self, value: Any) -> bytes:
        self._out.clear(self._room)
        if self.met:
            self._pickler.memo = self.met
        else:
            self._pickler.clear_memo()
        self._pickler.dump(value)
        blob = self._out.getvalue()
        if len(blob) > _LARGE:
            self._begin()  # forgetting takes as long as the longest memory it ever had
        return blob

    def _dumps_by_value(self, value: Any, of: Process | str) -> bytes:
        """Functions and classes made inside functions travel by value, for which cloudpickle knows how.

        Its error is the one to tell: what only plain pickle cannot save is no obstacle.
        """
        try:
            return self._by_value(value, self.met, self._room)[0]
        except (Overfull, MemoryError) as error:
            raise self._too_much(error, of) from None
        except HandlerTimeout as error:
            raise _takes_too_long(error, of) from None
        except BaseException as error:
            raise SnapshotError(
                f"{_of(of)} cannot be saved: {said(error)}. Keep plain data in states, and open files and connections "
                "through `await self.outside(...)`"
            ) from None

    def _by_value(self, value: Any, met: held_values.Met, room: int) -> tuple[bytes, held_values.Met]:
        import cloudpickle

        self._out.clear(room)
        pickler = cloudpickle.Pickler(self._out)
        pickler.dispatch_table = {**pickler.dispatch_table, itertools.count: count_parts, **self._named}
        if met:
            pickler.memo = met
        pickler.dump(value)
        return self._out.getvalue(), pickler.memo.copy()

    def try_dumps(self, value: Any, met: held_values.Met, room: int) -> tuple[bytes, held_values.Met]:
        """A pickle that begins with what another one has met, and what it has met then.

        Raises whatever the hooks of the value raise, and Overfull.
        """
        try:
            self._out.clear(room)
            self._pickler.memo = met
            self._pickler.dump(value)
            return self._out.getvalue(), self._pickler.memo.copy()
        except (Overfull, MemoryError, HandlerTimeout):
            raise
        except BaseException:
            return self._by_value(value, met, room)
        finally:
            self._begin()

    def take(self, size: int) -> None:
        """So much of the room is used."""
        self._room -= size

    def whole(self, saved: Any) -> bytes:
        """All that was written, in one. Raises SnapshotError."""
        try:
            blob = pickle.dumps(saved, pickle.HIGHEST_PROTOCOL)
        except MemoryError as error:
            raise self._too_much(error, _ALL, MOST - self._room) from None
        if len(blob) > MOST:
            raise self._too_much(Overfull(), _ALL, len(blob))
        return blob

    def make_sure_of_memory(self, size: int) -> None:
        """What was saved is copied on its way; an answer must not fail half way. Untouched memory costs nothing."""
        try:
            bytes(size)
        except MemoryError as error:
            raise self._too_much(error, _ALL, MOST - self._room) from None

    def _too_much(self, error: Overfull | MemoryError, of: Process | str, size: int | None = None) -> TooLarge:
        """``size`` is how much it is, as far as that is known: it may be more."""
        others = MOST - self._room if size is None else 0
        size = self._out.wanted if size is None else size
        if isinstance(error, MemoryError):
            return no_memory(_of(of), size, self._sandbox)
        return too_large(_of(of), size, others)


def _of(of: Process | str) -> str:
    return of if isinstance(of, str) else f"the state of {of.name or of.pid}"


def _takes_too_long(error: HandlerTimeout, of: Process | str) -> Endless:
    place = diagnostic_of(error)
    where = f", at {place.file} line {place.line}" if place else ""
    return Endless(
        f"{_of(of)} cannot be saved: saving it took longer than handler_budget allows{where}. Look for an endless loop "
        "in how its class is pickled"
    )


def said(error: BaseException) -> str:
    """In words, whatever the user's exception makes of them."""
    return text_of(error)[:500] or own_name(type(error))
