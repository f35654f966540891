"""A behaviour may be an abstract base of others, as any class of Python may."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import pytest

from jupyter_sandbox.otp import Application, GenServer, GenStatem, Node, Reply, Supervisor


class Priced(GenServer[int, str, int], ABC):
    def init(self, n: int) -> int:
        return n

    def handle_call(self, request: str, caller: Any, n: int) -> Reply[int, int]:
        return Reply(self.price(n), n)

    @abstractmethod
    def price(self, n: int) -> int: ...


class Double(Priced):
    def price(self, n: int) -> int:
        return 2 * n


def test_a_server_may_have_an_abstract_base() -> None:
    async def main(self: Any) -> Any:
        return await self.call(await self.start(Double, 4), "price")

    assert Node().run_function(main) == 8
    assert "__dict__" not in vars(Double), "what a process knows is in its state, with an abstract base too"


def test_what_is_abstract_does_not_start_and_says_what_is_missing() -> None:
    async def main(self: Any) -> None:
        await self.start(Priced, 4)

    with pytest.raises(Exception, match=r"abstract class Priced .*price"):
        Node().run_function(main)


@pytest.mark.parametrize("behaviour", [Application, GenServer, GenStatem, Supervisor])
def test_every_behaviour_may_be_abstract(behaviour: Any) -> None:
    class Base(behaviour, ABC):  # type: ignore[misc]
        @abstractmethod
        def work(self) -> None: ...

    assert Base.__abstractmethods__ == {"work"}
