"""Completion of ``%sandbox`` lines inside IPython and Jupyter. Answers from what is known; it never asks a sandbox."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from IPython.core.completer import CompletionContext, SimpleCompletion, SimpleMatcherResult, context_matcher

from .complete import Completions, complete
from .mirror import Mirror

_MAGIC = re.compile(r"(?:^|=)\s*(%{1,2})sandbox\s(.*)$", re.DOTALL)


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
            if found is None or not found.words:
                return {"completions": [], "suppress": False}
            words = [SimpleCompletion(word, type=found.kinds[word]) for word in found.words]
            return {"completions": words, "matched_fragment": found.fragment, "suppress": True, "ordered": True}

        named: Callable[[CompletionContext], SimpleMatcherResult] = matcher
        return named
