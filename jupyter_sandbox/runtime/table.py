"""One table: objects are tuples, found by the element at the key position. It knows nothing of processes."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator
from typing import Any, Final

from ..model.errors import UsageError
from .table_keys import exact, ordered

KINDS: Final = ("set", "ordered_set", "bag", "duplicate_bag")
END: Final = "$end_of_table"
"""What first, last, next and previous return when there is no more key."""

Object = tuple[Any, ...]


class Table:
    """The objects of a table by key. In a bag several objects share one, in the order of their insertion."""

    __slots__ = ("fixed", "key", "kind", "listed", "objects", "order")

    def __init__(self, kind: str, key: int) -> None:
        self.kind, self.key = kind, key
        self.objects: dict[Any, list[Object]] = {}
        self.order: list[Any] = []
        """The keys of an ordered set, sorted."""
        self.listed: tuple[list[Any], dict[Any, int]] | None = None
        """The keys of a hashed table in the order of a traversal, until one comes or goes unless the table is fixed."""
        self.fixed = False
        """Whether a traversal goes on over keys that come and go: ``next`` of a key that is gone still works."""

    def __len__(self) -> int:
        return sum(map(len, self.objects.values())) if self.bag else len(self.objects)

    @property
    def bag(self) -> bool:
        """Whether several objects may have one key."""
        return self.kind in ("bag", "duplicate_bag")

    def place(self, key: Any) -> Any:
        """What stands for a key inside this table."""
        return ordered(key) if self.kind == "ordered_set" else exact(key)

    def checked(self, given: Any) -> list[Object]:
        """The objects to insert: one tuple or a list of them, each long enough to have a key."""
        objects = given if type(given) is list else [given]
        for item in objects:
            if not isinstance(item, tuple) or len(item) <= self.key:
                hint = f"give a tuple of at least {self.key + 1} elements, or a list of such tuples"
                raise UsageError("table object", item, hint=hint, kind="badarg")
        return objects

    def insert(self, objects: Iterable[Object]) -> None:
        """Add objects; in a set they replace those with the same key."""
        for item in objects:
            place = self.place(item[self.key])
            found = self.objects.get(place)
            if found is None:
                self._new(place, [item])
            elif not self.bag:
                found[0] = item
            elif self.kind == "duplicate_bag" or exact(item) not in {exact(other) for other in found}:
                found.append(item)

    def _new(self, place: Any, found: list[Object]) -> None:
        self._came(place)  # first: a listed key without objects is passed by, should a key's own code raise in between
        self.objects[place] = found
        if self.kind == "ordered_set":
            insort(self.order, place)

    def _drop(self, place: Any) -> list[Object]:
        found = self.objects.pop(place, None)
        if found is None:
            return []
        self._listing_changed()
        if self.kind == "ordered_set":
            del self.order[bisect_left(self.order, place)]
        return found

    def lookup(self, key: Any) -> list[Object]:
        """The objects with a key."""
        return self.objects.get(self.place(key), [])

    def take(self, key: Any) -> list[Object]:
        """Remove the objects with a key and return them."""
        return self._drop(self.place(key))

    def delete_object(self, item: Object) -> None:
        """Remove every object that equals this one exactly."""
        place, same = self.place(item[self.key]), exact(item)
        found = self.objects.get(place, [])
        left = [other for other in found if exact(other) != same]
        if not left:
            self._drop(place)
        elif len(left) < len(found):
            self.objects[place] = left

    def clear(self) -> None:
        """Remove everything."""
        self.objects.clear()
        self.order.clear()
        self._listing_changed()

    def replace(self, key: Any, item: Object) -> None:
        """Put another object in the place of the one that a set has under a key."""
        self.objects[self.place(key)][0] = item

    def __iter__(self) -> Iterator[Object]:
        places = self.order if self.kind == "ordered_set" else list(self.objects)
        for place in places:
            yield from self.objects[place]

    def _came(self, place: Any) -> None:
        self._listing_changed()
        if self.listed is not None and place not in self.listed[1]:
            places, numbers = self.listed
            numbers[place] = len(places)
            places.append(place)

    def _listing_changed(self) -> None:
        if not self.fixed:
            self.listed = None

    def fix(self, on: bool) -> None:
        """Keep the order of a traversal from now on, or no longer. An ordered set keeps it anyhow."""
        if on and not self.fixed and self.kind != "ordered_set":
            self._listed()
        self.fixed = on
        if not on:
            self.listed = None

    # --- traversal ----------------------------------------------------------------------------------------------

    def first(self) -> Any:
        """The first key."""
        return self._at(0)

    def last(self) -> Any:
        """The last key of an ordered set; of other tables the same as ``first``, as in Erlang."""
        return self._at(len(self.objects) - 1 if self.kind == "ordered_set" else 0)

    def next(self, key: Any) -> Any:
        """The key after another one, which must be there unless the table is an ordered set."""
        if self.kind == "ordered_set":
            return self._at(bisect_right(self.order, self.place(key)))
        number = self._listed()[1].get(self.place(key))
        if number is None:
            raise UsageError("table key", key, hint="it is not in the table any more", kind="badarg")
        return self._at(number + 1)

    def previous(self, key: Any) -> Any:
        """The key before another one in an ordered set; in other tables the same as ``next``, as in Erlang."""
        if self.kind == "ordered_set":
            return self._at(bisect_left(self.order, self.place(key)) - 1)
        return self.next(key)

    def _at(self, number: int) -> Any:
        places = self.order if self.kind == "ordered_set" else self._listed()[0]
        while 0 <= number < len(places):
            found = self.objects.get(places[number])
            if found is not None:
                return found[0][self.key]
            number += 1  # it is gone: the table is fixed
        return END

    def _listed(self) -> tuple[list[Any], dict[Any, int]]:
        if self.listed is None:
            places = list(self.objects)
            self.listed = places, {place: number for number, place in enumerate(places)}
        return self.listed
