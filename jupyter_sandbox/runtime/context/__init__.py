"""What ``self`` is inside a process: every operation a callback can perform. There is no current process elsewhere.

Operations that wait return awaitables and need an ``async def`` callback;
all others act at once. Rules: Erlang's reference manual, "Processes". ``self`` is
one object; each file here has the operations of one kind.
"""

from __future__ import annotations

from .births import Args, Births
from .calls import Calls
from .ends import Ends
from .identity import set_class, set_process
from .messages import Messages
from .names import Names
from .timers import Timers
from .waits import check_duration

__all__ = ["Args", "Context", "check_duration", "set_class", "set_process"]


class Context(Messages, Calls, Births, Ends, Names, Timers):
    """The process as its own code sees it.

    >>> from jupyter_sandbox.runtime import Node
    >>> async def main(self):
    ...     async def echo(self):
    ...         request = await self.receive()
    ...         self.reply(request.caller, request.message)
    ...     return await self.call(self.spawn(echo), "hello")
    >>> Node().run_function(main)
    'hello'
    """
