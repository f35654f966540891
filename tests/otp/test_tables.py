"""Tables: who may use them, what becomes of them, what is in them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_sandbox.model.errors import UsageError
from jupyter_sandbox.otp import ANY, END, Node, OtpContext, Transfer, Var
from jupyter_sandbox.runtime.table import Table
from jupyter_sandbox.runtime.table_keys import exact, ordered


def run(function: Any) -> Any:
    return Node().run_function(function)


def test_values_are_copied_in_and_out() -> None:
    async def main(self: OtpContext) -> Any:
        table = self.ets.new("t")
        inner = [1]
        self.ets.insert(table, ("k", inner))
        inner.append(2)
        self.ets.lookup(table, "k")[0][1].append(3)
        return self.ets.lookup(table, "k")

    assert run(main) == [("k", [1])]


@pytest.mark.parametrize(
    ("access", "read", "write"), [("public", True, True), ("protected", True, False), ("private", False, False)]
)
def test_what_others_may_do_with_a_table(access: str, read: bool, write: bool) -> None:
    async def other(self: OtpContext, table: Any, asker: Any) -> None:
        self.send(asker, (_works(lambda: self.ets.lookup(table, 1)), _works(lambda: self.ets.insert(table, (1, 2)))))

    async def main(self: OtpContext) -> Any:
        self.spawn(other, self.ets.new("t", access=access), self.pid)
        return await self.receive()

    assert run(main) == (read, write)


def _works(action: Any) -> bool:
    try:
        action()
    except UsageError as error:
        assert error.kind == "badarg"
        return False
    return True


def test_an_heir_gets_the_table_and_is_told() -> None:
    async def owner(self: OtpContext, heir: Any) -> None:
        table = self.ets.new("t", heir=heir, heir_data="yours")
        self.ets.insert(table, ("k", 1))

    async def main(self: OtpContext) -> Any:
        pid = self.spawn(owner, self.pid)
        transfer = await self.receive(Transfer)
        return transfer.sender == pid, transfer.data, self.ets.to_list(transfer.table)

    assert run(main) == (True, "yours", [("k", 1)])


def test_a_hashed_table_tells_numbers_apart_and_an_ordered_one_does_not() -> None:
    async def main(self: OtpContext) -> Any:
        sizes = []
        for kind in ("set", "ordered_set"):
            table = self.ets.new("t", kind=kind)
            self.ets.insert(table, [(1, "int"), (1.0, "float"), (True, "bool")])
            sizes.append(self.ets.info(table)["size"])  # type: ignore[index]
        return sizes

    assert run(main) == [3, 2]


def test_match_takes_out_what_the_variables_stand_for() -> None:
    async def main(self: OtpContext) -> Any:
        table = self.ets.new("t", kind="ordered_set")
        self.ets.insert(table, [(1, "a", "x"), (2, "b", "x"), (3, "a", "a")])
        return (
            self.ets.match(table, (Var(2), Var(1), "x")),
            self.ets.match(table, (ANY, Var(1), Var(1))),
            self.ets.select(table, lambda item: item[0] > 1),
            self.ets.match_delete(table, (ANY, "a", ANY)),
            self.ets.to_list(table),
        )

    assert run(main) == ([["a", 1], ["b", 2]], [["a"]], [(2, "b", "x"), (3, "a", "a")], 2, [(2, "b", "x")])


def test_a_traversal_visits_every_key_once() -> None:
    async def main(self: OtpContext) -> Any:
        table = self.ets.new("t")
        self.ets.insert(table, [(number, None) for number in range(50)])
        seen, key = [], self.ets.first(table)
        while key != END:
            seen.append(key)
            key = self.ets.next(table, key)
        return sorted(seen)

    assert run(main) == list(range(50))


def test_counters_change_all_or_nothing() -> None:
    async def main(self: OtpContext) -> Any:
        table = self.ets.new("t")
        self.ets.insert(table, ("c", 1, "no number"))
        with pytest.raises(UsageError):
            self.ets.update_counter(table, "c", [(1, 5), (2, 1)])
        return self.ets.lookup(table, "c")

    assert run(main) == [("c", 1, "no number")]


keys = st.recursive(
    st.one_of(st.integers(-3, 3), st.sampled_from([0.0, 1.0, 1.5, "a", "b", b"a", True, None])),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.tuples(inner), st.tuples(inner, inner)),
    max_leaves=4,
)


@given(items=st.lists(st.tuples(keys, st.integers(0, 2)), max_size=20), gone=keys)
def test_a_set_is_a_dictionary_by_exact_key(items: list[tuple[Any, int]], gone: Any) -> None:
    table, model = Table("set", 0), {}
    table.insert(items)
    for item in items:
        model[exact(item[0])] = item
    table.take(gone)
    model.pop(exact(gone), None)

    assert [repr(item) for item in table] == [repr(item) for item in model.values()]


@given(items=st.lists(st.tuples(keys, st.integers(0, 2)), max_size=20))
def test_an_ordered_set_is_sorted_and_next_and_previous_are_inverse(items: list[tuple[Any, int]]) -> None:
    table = Table("ordered_set", 0)
    table.insert(items)
    found = [item[0] for item in table]

    assert [ordered(key) for key in found] == sorted({ordered(key) for key, _ in items})
    for one, other in pairwise(found):
        assert repr(table.next(one)) == repr(other) and repr(table.previous(other)) == repr(one)


@given(
    kind=st.sampled_from(["set", "ordered_set", "bag", "duplicate_bag"]),
    keys=st.lists(st.integers(0, 20), max_size=12, unique=True),
    changes=st.lists(st.tuples(st.booleans(), st.integers(0, 25)), max_size=20),
)
def test_a_fixed_table_is_traversed_once_whatever_comes_and_goes(
    kind: str, keys: list[int], changes: list[tuple[bool, int]]
) -> None:
    async def main(self: OtpContext) -> None:
        table = self.ets.new("t", kind=kind)
        self.ets.insert(table, [(key, 0) for key in keys])
        stayed, seen, left = set(keys), [], list(changes)
        with self.ets.fixed(table):
            key = self.ets.first(table)
            while key != END:
                seen.append(key)
                for insert, other in [left.pop() for _ in range(2) if left]:
                    if insert:
                        self.ets.insert(table, (other, 1))
                    else:
                        self.ets.delete(table, other)
                        stayed.discard(other)
                key = self.ets.next(table, key)
        assert len(seen) == len(set(seen)) or (kind == "ordered_set" and seen == sorted(set(seen)))
        assert stayed <= set(seen)
        info = self.ets.info(table)
        assert info is not None and info["fixed"] is False

    run(main)


def test_a_table_stays_fixed_as_long_as_anybody_wants_it() -> None:
    async def other(self: OtpContext, table: Any) -> None:
        self.ets.fix(table)
        self.ets.fix(table)
        await self.receive()

    async def main(self: OtpContext) -> Any:
        def fixed() -> bool:
            info = self.ets.info(table)
            assert info is not None
            return bool(info["fixed"])

        table = self.ets.new("t")
        self.ets.insert(table, [(1,), (2,), (3,)])
        pid, ref = self.spawn_monitor(other, table)
        self.ets.fix(table)
        await self.sleep(1)
        self.ets.unfix(table)
        self.ets.unfix(table)  # one too many does nothing
        told = [fixed()]
        self.ets.delete(table, 1)
        told.append(self.ets.next(table, 1))
        self.send(pid, "end")
        await self.receive(lambda message: getattr(message, "ref", None) == ref)
        told.append(fixed())
        with pytest.raises(UsageError, match="not in the table any more"):
            self.ets.next(table, 1)
        return told

    assert run(main) == [True, 2, False]


def test_only_who_may_read_a_table_may_fix_it() -> None:
    async def other(self: OtpContext, table: Any, asker: Any) -> None:
        self.send(asker, _works(lambda: self.ets.fix(table)))

    async def main(self: OtpContext) -> Any:
        allowed = []
        for access in ("private", "protected"):
            self.spawn(other, self.ets.new("t", access=access), self.pid)
            allowed.append(await self.receive())
        return allowed

    assert run(main) == [False, True]


@pytest.mark.parametrize("there", [True, False])
def test_the_default_of_a_counter_is_a_tuple_whether_it_is_needed_or_not(there: bool) -> None:
    async def main(self: OtpContext) -> Any:
        table = self.ets.new("hits")
        self.ets.insert(table, [("page", 1)] if there else [])
        with pytest.raises(UsageError, match="give a tuple"):
            self.ets.update_counter(table, "page", 1, "none")  # type: ignore[arg-type]
        return self.ets.to_list(table)

    assert Node().run_function(main) == ([("page", 1)] if there else [])


def test_a_dictionary_has_one_key_where_erlang_has_1_and_1_0_and_a_table_has_two() -> None:
    async def main(self: OtpContext) -> Any:
        table = self.ets.new("table")
        self.ets.insert(table, [(1, "whole"), (1.0, "real")])
        self.ets.insert(table, [({1: "a"}, "whole"), ({1.0: "a"}, "real")])
        return sorted(value for _, value in self.ets.to_list(table))

    assert Node().run_function(main) == ["real", "real", "whole", "whole"]
    assert len(dict.fromkeys((1, 1.0))) == 1, "a message with both keys cannot even be written down"
