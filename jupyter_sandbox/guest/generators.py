"""Random generators that modules made while the zygote imported them: found once there, seeded anew in each sandbox.

Without this, all sandboxes of a flavour would draw the same numbers from them,
and a replay in another kernel other ones. Nothing that a module drew while it was imported can be
drawn again: it is data by then, like any other.
"""

from __future__ import annotations

import functools
import gc
import random
import sys
import types
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from ..model import anatomy

Reseed = Callable[[random.Random], object]
"""Seeds one generator with what it draws from a stream."""
_MOST_LOOKED_AT: Final = 300_000
"""Objects that are looked at for the name of a generator."""
_LEAVES: Final = frozenset({str, bytes, int, float, bool, type(None), types.CodeType})
_OPAQUE: Final = frozenset({
    types.CellType, types.MethodType, types.BuiltinMethodType, functools.partial, deque, staticmethod, classmethod,
})  # fmt: skip
"""Whose parts have no names."""
_OWN: Final = frozenset({"jupyter_sandbox", "msgspec", "typing_extensions", "__main__"})


class Generators:
    """Those of this OS process at the moment it is made.

    >>> import json
    >>> json.dice = random.Random()
    >>> found = Generators()
    >>> found.reseed(7); first = json.dice.random(); found.reseed(7); json.dice.random() == first
    True
    >>> del json.dice
    """

    def __init__(self) -> None:
        made = _made()
        if made:
            made.clear()
            gc.collect()
            made = _made()  # without those that nobody holds any more
        named = _names(made)
        self._seeded = [(name, again) for name, one in named if (again := _reseeder(one)) is not None]
        self._c = _c_seeders() if foreign(sys.modules) else ()

    def __bool__(self) -> bool:
        return bool(self._seeded or self._c)

    def reseed(self, seed: int) -> None:
        """From now on each gives what belongs to this seed and to the place where it was found."""
        for name, again in self._seeded:
            again(random.Random(f"{seed}:{name}"))
        for set_seed in self._c:
            set_seed(random.Random(f"{seed}:C").getrandbits(32))


def foreign(modules: Iterable[str]) -> bool:
    """Whether somebody's modules are among these, beyond Python's own and what a guest needs."""
    return not {name.partition(".")[0] for name in modules} <= _OWN | sys.stdlib_module_names


# --- what is seeded, and how ------------------------------------------------------------------------------------------


def _made() -> dict[int, Any]:
    """All generators but the shared ones, which ``entropy`` seeds anyway, and those that have no seed."""
    kinds: tuple[type, ...] = (random.Random,)
    shared = {id(random._inst)}
    numpy: Any = sys.modules.get("numpy.random")  # never imported for this: only where a flavour has it
    if numpy is not None:
        # A Generator's state is its BitGenerator; a RandomState keeps a number besides, for the next draw.
        kinds = (*kinds, numpy.BitGenerator, numpy.RandomState)
        shared |= {id(numpy.mtrand._rand), id(numpy.mtrand._rand._bit_generator)}
    found = (one for one in gc.get_objects() if issubclass(type(one), kinds))
    return {id(one): one for one in found if id(one) not in shared and not isinstance(one, random.SystemRandom)}


def _reseeder(one: Any) -> Reseed | None:
    """How a generator is seeded; None for one that cannot be."""
    again: Reseed
    if isinstance(one, random.Random):
        # Not the method of a subclass: what that does besides, it did when the object was made.
        again = functools.partial(_seed_random, one)
    elif hasattr(one, "seed"):
        again = functools.partial(_seed_legacy, one)
    else:
        again = functools.partial(_seed_bits, one)
    try:
        again(random.Random(0))
    except Exception:  # of a class of its own, with a seed of another kind
        return None
    return again


def _seed_random(one: random.Random, stream: random.Random) -> None:
    random.Random.seed(one, stream.getrandbits(128))


def _seed_legacy(one: Any, stream: random.Random) -> None:
    one.seed([stream.getrandbits(32) for _ in range(4)])


def _seed_bits(one: Any, stream: random.Random) -> None:
    one.state = type(one)(stream.getrandbits(128)).state


def _c_seeders() -> tuple[Callable[[int], object], ...]:
    """``rand``, ``random`` and ``drand48`` of the C library, which extension modules may have seeded."""
    import ctypes

    library = ctypes.CDLL(None)
    names = ("srand", "srandom", "srand48")
    return tuple(getattr(library, name) for name in names if hasattr(library, name))


# --- where they are ---------------------------------------------------------------------------------------------------


def _names(made: dict[int, Any]) -> list[tuple[str, Any]]:
    """Each with the place where it is kept, which is the same in every zygote that imports the same modules."""
    left, named = dict(made), []
    for place, one in _places() if left else ():
        if left.pop(id(one), None) is not None:
            named.append((place, one))
            if not left:
                break
    return [*named, *((f"kept elsewhere {number}", one) for number, one in enumerate(left.values()))]


def _places() -> Iterator[tuple[str, Any]]:
    """What modules hold, the nearest first: those of others before Python's own."""
    modules = sorted(sys.modules.items(), key=lambda item: (not foreign([item[0]]), item[0]))
    waiting = deque((name, module) for name, module in modules if type(module) is types.ModuleType)
    seen = {id(module) for _, module in waiting}
    while waiting and len(seen) < _MOST_LOOKED_AT:
        place, holder = waiting.popleft()
        for label, held in _held(holder):
            if id(held) not in seen:
                seen.add(id(held))
                found = f"{place}.{label}"
                waiting.append((found, held))
                yield found, held


def _held(holder: Any) -> Iterator[tuple[str, Any]]:
    """What an object keeps, with names for it; none of its own code is run."""
    kind = type(holder)
    if kind in _LEAVES:
        return
    if anatomy.isinstance_of(holder, dict):
        for number, (key, held) in enumerate(list(dict.items(holder))):
            yield repr(key) if type(key) in (str, int) else f"item{number}", held
    for base in (list, tuple):
        if anatomy.isinstance_of(holder, base):
            yield from _numbered("item", list(base.__iter__(holder)))
    if kind is types.ModuleType or kind is type:
        yield from list(vars(holder).items())
    elif kind is types.FunctionType:
        yield from _numbered("default", (*(holder.__defaults__ or ()), *(holder.__kwdefaults__ or {}).values()))
        yield from _numbered("cell", holder.__closure__ or ())
    elif kind in _OPAQUE or anatomy.full_name(kind).startswith("numpy.random."):
        yield from _numbered("part", gc.get_referents(holder))
    else:
        yield from anatomy.instance_fields(holder)


def _numbered(label: str, parts: Iterable[Any]) -> Iterator[tuple[str, Any]]:
    return ((f"{label}{number}", part) for number, part in enumerate(parts))
