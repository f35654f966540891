"""A cell run inside the sandbox, in a process of its own: its last expression's value comes back."""

from __future__ import annotations

import linecache
from types import CoroutineType
from typing import Any

from ..code.compiler import compile_cell
from ..model.anatomy import own_name
from ..model.errors import CallTimeout, CodeRaised
from ..runtime import Context, Down
from ..runtime.context import check_duration
from ..runtime.crashes import text_of
from .drawing import Drawing, draw
from .met import limit_met
from .tracebacks import error_lines, one_line


async def run(self: Context, source: str, file: str, timeout_ms: int | None) -> tuple[Any, Drawing | None]:
    """Run a cell in a new process and wait for its value, and for what its class draws of it.

    The cell's own ``self`` is that process: ``await self.call("front", "next")``
    works at its top level. Raises CompileError, CodeRaised, or CallTimeout
    after ``timeout_ms``; the process is killed then.
    """
    if timeout_ms is not None:
        check_duration(timeout_ms)  # before there is a process that nobody would wait for
    cell = compile_cell(source, file)
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    outcome: list[Any] = []

    async def exec_cell(self: Context) -> None:
        scope: dict[str, Any] = {"__name__": "__cell__", "__file__": file, "self": self}
        try:
            await _evaluate(cell.body, scope)
            value = None if cell.last is None else await _evaluate(cell.last, scope)
            outcome.append((True, (value, draw(value))))
        except GeneratorExit:
            raise
        except BaseException as error:
            said = text_of(error)  # once: a text without end is broken once
            outcome.append((False, CodeRaised(one_line(error, said), tuple(error_lines(error, said)))))
            _tell_limit(self, file, error, said)

    pid, ref = self.spawn_monitor(exec_cell)
    down = await self.receive(lambda message: isinstance(message, Down) and message.ref == ref, timeout_ms=timeout_ms,
                              default=None)  # fmt: skip
    if down is None:
        self.exit_signal(pid, "kill")
        raise CallTimeout(f"the cell did not finish in {timeout_ms} ms and was ended; give it more time")
    if not outcome:
        raise CodeRaised(f"the cell's process exited: {down.reason!r}")
    succeeded, found = outcome[0]
    if not succeeded:
        raise found
    value, drawing = found
    return value, drawing


def _tell_limit(self: Context, file: str, error: BaseException, said: str) -> None:
    """A process that crashed would be told of by its crash; a cell only hears of its error."""
    node, name = self._process.node, own_name(type(error))
    met = limit_met(name, said, node.name)
    if met is not None:
        node.emit("limit", self._process, (met[0], f"the cell {file} raised {name}: {met[1]}"))


async def _evaluate(code: Any, scope: dict[str, Any]) -> Any:
    result = eval(code, scope)
    return await result if type(result) is CoroutineType else result
