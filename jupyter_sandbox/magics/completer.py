"""Completion of ``%sandbox`` lines inside IPython and Jupyter. Answers from what is known; it never asks a sandbox."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from IPython.core.completer import CompletionContext, SimpleCompletion, SimpleMatcherResult, context_matcher

from .complete import Completions, complete
from .grammar import Kind
from .mirror import Mirror

_MAGIC = re.compile(r"(?:^|=)\s*(%{1,2})sandbox\s(.*)$", re.DOTALL)

_BESIDE: Final[Mapping[Kind | None, frozenset[str]]] = {
    None: frozenset(),
    Kind.PATH: frozenset({"IPCompleter.file_matcher"}),
    Kind.EXPRESSION: frozenset(
        f"IPCompleter.{name}"
        for name in ("jedi_matcher", "python_matcher", "python_func_kw_matcher", "dict_key_matcher")
    ),
}
"""Which of IPython's own matchers may offer something in a line of ours, by what may stand there."""


class Ours(list[SimpleCompletion]):
    """Completions that count as some even where there are none.

    IPython lets nobody else be silenced by a matcher that offers nothing, and asks for the length only to know that.

    >>> len(Ours()), list(Ours())
    (1, [])
    """

    def __len__(self) -> int:
        return super().__len__() or 1


class SandboxCompleter:
    """``matcher`` is what IPython calls."""

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror
        self.matcher: Callable[[CompletionContext], SimpleMatcherResult] = self._make()

    def completions(self, text: str) -> Completions | None:
        """Completions for a line up to the cursor; None when it is no line of ours."""
        found = _MAGIC.search(text)
        if found is None:
            return None
        return complete(found.group(2), self._mirror.known(), cell=found.group(1) == "%%")

    def _make(self) -> Callable[[CompletionContext], SimpleMatcherResult]:
        @context_matcher(identifier="jupyter_sandbox")  # type: ignore[untyped-decorator]
        def matcher(context: Any) -> SimpleMatcherResult:
            found = self.completions(context.text_until_cursor)
            if found is None:
                return {"completions": [], "suppress": False}
            words = Ours(SimpleCompletion(word, type=found.kinds[word]) for word in found.words)
            return {
                "completions": words, "matched_fragment": found.fragment, "ordered": True,
                "suppress": True, "do_not_suppress": set(_BESIDE[found.beside]),
            }  # fmt: skip

        named: Callable[[CompletionContext], SimpleMatcherResult] = matcher
        return named
