"""One command on its way: what was asked, of which sandbox, in which notebook. Handlers get nothing else."""

from __future__ import annotations

import builtins
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..model.errors import UsageError
from ..model.views import TreeView
from ..widgets.picture import Open, TreePicture
from .cells import Cells
from .grammar import Invocation
from .mirror import Mirror

if TYPE_CHECKING:
    from ..manager.manager import SandboxManager
    from ..manager.sandbox import Sandbox

_PLAIN = re.compile(r"[\w.-]+")
"""Words without spaces, brackets, commas or quotes: probably meant as text."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What all turns share: the manager, the notebook's namespace, what is known without asking."""

    manager: SandboxManager
    mirror: Mirror
    cells: Cells
    namespace: Mapping[str, Any]
    open_live: Open | None
    """Opens a live picture; None where there is no page to show it on."""
    follow: Callable[[str], None]
    """Have the trees of a sandbox told from now on; its first one is known on return."""
    store: Callable[[str, object], None]
    """Give a value a name in the notebook."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One invocation. ``body`` is the rest of the cell for a cell magic."""

    desk: Desk
    given: Invocation
    line: str
    body: str | None = None
    local: Mapping[str, Any] | None = None

    @property
    def name(self) -> str:
        """The name of the sandbox."""
        assert self.given.sandbox is not None
        return self.given.sandbox

    @property
    def sandbox(self) -> Sandbox:
        """The sandbox. Raises UsageError when there is none of that name."""
        return self.desk.manager.get(self.name)

    def picture(self, view: TreeView, *, live: bool = True, note: str = "") -> TreePicture:
        """The tree as the result of a command; ``note`` is a line below it."""
        return TreePicture(view, self.desk.open_live if live else None, note)

    def value(self, argument: str) -> Any:
        """The value of an expression, in the notebook's namespace. Raises UsageError in one line."""
        source = self.given.text(argument)
        self._refuse_builtin(argument, source)
        return self._evaluate(argument, source)

    def values(self, argument: str) -> tuple[Any, ...]:
        """The values of expressions with commas between them; empty when there are none."""
        source = self.given.values.get(argument)
        return () if source is None else tuple(self._evaluate(argument, str(source), many=True))

    def _evaluate(self, argument: str, source: str, *, many: bool = False) -> Any:
        try:
            code = compile(f"({source},)" if many else source, f"<{argument}>", "eval")
            return eval(code, dict(self.desk.namespace), self.local)
        except NameError as error:
            if f" --{error.name}" in source:
                verb = self.given.verb.name
                raise UsageError(f"{verb} has no option --{error.name}", hint=f"type %sandbox {verb} --help") from None
            text = source if _PLAIN.fullmatch(source) else error.name
            own = "what cells of a sandbox define is known to `%%sandbox exec` alone"
            hint = f"define it in the notebook first ({own}), or put quotes around it if it is text: {text!r}"
            raise UsageError(f"{argument} {source}: {error}", hint=hint) from None
        except Exception as error:
            text = f"{argument} {source}: {type(error).__name__}: {error}"
            raise UsageError(text, hint="it is evaluated in the notebook; try it in a cell of its own") from None

    def _refuse_builtin(self, argument: str, source: str) -> None:
        """``call front next`` would send the function ``next``, which nobody means."""
        known = source in self.desk.namespace or (self.local is not None and source in self.local)
        if source.isidentifier() and not known and callable(getattr(builtins, source, None)):
            raise UsageError(f"{argument} {source} is a function of Python", hint=f'for the text type "{source}"')
