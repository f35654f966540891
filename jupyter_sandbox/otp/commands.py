"""What one asks of a running supervisor: start, stop, restart, delete, list its children; ``self`` comes first."""

from __future__ import annotations

from typing import Any, Final

from ..model.errors import ProcessError
from ..model.reasons import refused
from ..model.text import short_text
from ..runtime.context import Context
from ..runtime.storytelling import who
from . import restart
from .child import Child, SpecError, as_child
from .child_keys import key_of
from .returns import Error

_LISTS: Final = ("which_children", "count_children")
"""The requests without an argument. All of them are the messages of Erlang's supervisor."""


class ChildError(ProcessError):
    """A supervisor refused: ``reason`` is OTP's error, such as ``not_found`` or ``("already_started", pid)``.

    >>> from jupyter_sandbox.otp import Child, ChildError, GenServer, Node, Supervisor, delete_child
    >>> class Worker(GenServer):
    ...     pass
    >>> class Top(Supervisor):
    ...     def init(self, argument):
    ...         return [Child(Worker, id="w")]
    >>> async def main(self):
    ...     top = await self.start(Top)
    ...     try:
    ...         await delete_child(self, top, "nobody")
    ...     except ChildError as error:
    ...         return error.reason
    >>> Node().run_function(main)
    'not_found'
    """

    kind = "child_error"

    def __init__(self, what: str, reason: Any) -> None:
        super().__init__(f"{what} was refused: {refused(reason)}")
        self.reason = reason


async def start_child(ctx: Context, supervisor: Any, *child: Any) -> Any:
    """Start one more child: its pid, None when its init said ignore, ``(pid, info)`` if its start function says so.

    For ``simple_one_for_one`` give what the new child is to get besides its
    template's argument. Raises ChildError with OTP's reason.

    >>> from jupyter_sandbox.otp import Child, GenServer, Node, Supervisor, start_child, which_children
    >>> class Worker(GenServer):
    ...     pass
    >>> class Top(Supervisor):
    ...     def init(self, argument):
    ...         return [Child(Worker, id="w")]
    >>> async def main(self):
    ...     top = await self.start(Top)
    ...     pid = await start_child(self, top, Child(Worker, id="v"))
    ...     return (await which_children(self, top))[0] == ("v", pid, "worker", ["Worker"])
    >>> Node().run_function(main)
    True
    """
    return await _ask(ctx, supervisor, "start_child", child)


async def terminate_child(ctx: Context, supervisor: Any, id: Any) -> None:
    """Stop a child and keep its specification; stopping a stopped one is fine. By pid for ``simple_one_for_one``.

    >>> from jupyter_sandbox.otp import (
    ...     Child, ChildError, GenServer, Node, Supervisor, delete_child, restart_child, which_children)
    >>> class Worker(GenServer):
    ...     pass
    >>> class Top(Supervisor):
    ...     def init(self, argument):
    ...         return [Child(Worker, id="w")]
    >>> async def main(self):
    ...     top = await self.start(Top)
    ...     try:
    ...         await delete_child(self, top, "w")
    ...     except ChildError as error:
    ...         refused = error.reason
    ...     await terminate_child(self, top, "w")
    ...     stopped = await which_children(self, top)
    ...     await restart_child(self, top, "w")
    ...     await terminate_child(self, top, "w")
    ...     await delete_child(self, top, "w")
    ...     return refused, stopped[0][:2], await which_children(self, top)
    >>> Node().run_function(main)
    ('running', ('w', 'undefined'), [])
    """
    await _ask(ctx, supervisor, "terminate_child", id)


async def restart_child(ctx: Context, supervisor: Any, id: Any) -> Any:
    """Start a stopped child again, with ``start_child``'s result; this does not count as a restart.

    >>> from jupyter_sandbox.otp import Child, GenServer, Node, Supervisor, restart_child, terminate_child
    >>> class Worker(GenServer):
    ...     pass
    >>> class Top(Supervisor):
    ...     def init(self, argument):
    ...         return [Child(Worker, id="w")]
    >>> async def main(self):
    ...     top = await self.start(Top)
    ...     before = self.whereis("w")
    ...     await terminate_child(self, top, "w")
    ...     return type(await restart_child(self, top, "w")).__name__
    >>> Node().run_function(main)
    'Pid'
    """
    return await _ask(ctx, supervisor, "restart_child", id)


async def delete_child(ctx: Context, supervisor: Any, id: Any) -> None:
    """Forget the specification of a stopped child.

    >>> from jupyter_sandbox.otp import (
    ...     Child, GenServer, Node, Supervisor, delete_child, terminate_child, which_children)
    >>> class Worker(GenServer):
    ...     pass
    >>> class Top(Supervisor):
    ...     def init(self, argument):
    ...         return [Child(Worker, id="w")]
    >>> async def main(self):
    ...     top = await self.start(Top)
    ...     await terminate_child(self, top, "w")
    ...     await delete_child(self, top, "w")
    ...     return await which_children(self, top)
    >>> Node().run_function(main)
    []
    """
    await _ask(ctx, supervisor, "delete_child", id)


async def get_childspec(ctx: Context, supervisor: Any, id: Any) -> Child:
    """The specification of a child by id; by pid, too, for ``simple_one_for_one``.

    >>> from jupyter_sandbox.otp import Child, GenServer, Node, Supervisor, get_childspec
    >>> class Worker(GenServer):
    ...     pass
    >>> class Top(Supervisor):
    ...     def init(self, argument):
    ...         return [Child(Worker, id="w")]
    >>> async def main(self):
    ...     top = await self.start(Top)
    ...     child = await get_childspec(self, top, "w")
    ...     return child.restart, child.shutdown_ms
    >>> Node().run_function(main)
    ('permanent', 5000)
    """
    child: Child = await _ask(ctx, supervisor, "get_childspec", id)
    return child


async def which_children(ctx: Context, supervisor: Any) -> list[tuple[Any, Any, str, Any]]:
    """``(id, pid or "undefined" or "restarting", type, modules)`` of each child, the last started first.

    >>> from jupyter_sandbox.otp import Child, GenServer, Node, Supervisor, terminate_child, which_children
    >>> class Worker(GenServer):
    ...     pass
    >>> class Top(Supervisor):
    ...     def init(self, argument):
    ...         return [Child(Worker, id="w")]
    >>> async def main(self):
    ...     top = await self.start(Top)
    ...     await terminate_child(self, top, "w")
    ...     return await which_children(self, top)
    >>> Node().run_function(main)
    [('w', 'undefined', 'worker', ['Worker'])]
    """
    entries: list[tuple[Any, Any, str, Any]] = await _ask(ctx, supervisor, "which_children", None)
    return entries


async def count_children(ctx: Context, supervisor: Any) -> dict[str, int]:
    """How many ``specs``, ``active``, ``supervisors`` and ``workers`` there are.

    >>> from jupyter_sandbox.otp import Child, GenServer, Node, Supervisor, count_children
    >>> class Worker(GenServer):
    ...     pass
    >>> class Top(Supervisor):
    ...     def init(self, argument):
    ...         return [Child(Worker, id="w")]
    >>> async def main(self):
    ...     top = await self.start(Top)
    ...     return await count_children(self, top)
    >>> Node().run_function(main)
    {'specs': 1, 'active': 1, 'supervisors': 0, 'workers': 1}
    """
    counts: dict[str, int] = await _ask(ctx, supervisor, "count_children", None)
    return counts


async def _ask(ctx: Context, supervisor: Any, command: str, argument: Any) -> Any:
    request = command if command in _LISTS else (command, argument)
    answer = await ctx.call(supervisor, request, None)
    if type(answer) is not Error:
        return answer
    child = f" of {short_text(argument, 80)}" if isinstance(argument, (str, int)) else ""
    raise ChildError(f"{command}{child} by {who(ctx._process.node, supervisor)}", answer.reason)


def check_childspecs(specs: Any, auto_shutdown: Any = None) -> Any:
    """None when all specifications are good, else OTP's reason (``supervisor:check_childspecs``).

    >>> from jupyter_sandbox.otp import Child, GenServer
    >>> class Worker(GenServer):
    ...     pass
    >>> check_childspecs([Child(Worker, id=1), Child(Worker, id=2)])
    >>> check_childspecs([Child(Worker, restart="always")])
    ('invalid_restart_type', 'always')
    """
    seen: set[Any] = set()
    if auto_shutdown is not None and auto_shutdown not in restart.AUTO_SHUTDOWN:
        return ("badarg", auto_shutdown)
    if not isinstance(specs, (list, tuple)):
        return ("badarg", specs)
    try:
        for form in specs:
            child = as_child(form, auto_shutdown)
            key = key_of(child.id)
            if key in seen:
                return ("duplicate_child_name", child.id)
            seen.add(key)
    except SpecError as error:
        return error.reason
    return None
