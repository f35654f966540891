"""DynamicSupervisor: children are added one by one, have no id, and are stopped all at once. Rules: Elixir's."""

from __future__ import annotations

from typing import Any

from .supervisor import Spec, Supervisor


class DynamicSupervisor(Supervisor):
    """A supervisor for any number of children that are started on demand with ``start_child``.

    >>> from jupyter_sandbox.otp import Child, ChildError, GenServer, Node, count_children, start_child
    >>> class Session(GenServer):
    ...     pass
    >>> class Sessions(DynamicSupervisor):
    ...     max_children = 2
    >>> async def main(self):
    ...     top = await self.start(Sessions)
    ...     for user in ("ada", "bob", "cyd"):
    ...         try:
    ...             await start_child(self, top, Child(Session, user, restart="temporary"))
    ...         except ChildError as error:
    ...             return error.reason
    >>> Node().run_function(main)
    'max_children'

    Its strategy is one_for_one. ``init`` may return ``Spec((), max_children=...)``
    to set the flags by its argument; ``terminate_child`` takes a pid.
    """

    dynamic = True
    max_children: int | None = None
    extra_arguments: tuple[Any, ...] = ()
    """What every child's init gets before its own argument; both together are a tuple."""

    def init(self, argument: Any) -> Any:
        """The flags; by default those of the class."""
        return Spec(
            (), "one_for_one", self.intensity, self.period_s, "never", self.max_children, self.extra_arguments
        )  # fmt: skip
