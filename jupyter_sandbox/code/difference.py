"""What changed between two versions of the same modules, as a unified diff. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from ..model.code import Bundle

_MAX_LINES = 400


def difference(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """Unified diff of sources by module name; '' when nothing changed.

    >>> print(difference({"counter": "n = 1"}, {"counter": "n = 2"}))
    --- counter (before)
    +++ counter (now)
    @@ -1 +1 @@
    -n = 1
    +n = 2

    A module that is new is not shown: there is nothing to compare it with.
    """
    lines: list[str] = []
    for module in sorted(after):
        if module in before:
            old, new = before[module].splitlines(), after[module].splitlines()
            lines += difflib.unified_diff(old, new, f"{module} (before)", f"{module} (now)", lineterm="")
    if len(lines) > _MAX_LINES:
        lines = [*lines[:_MAX_LINES], f"... {len(lines) - _MAX_LINES} more lines"]
    return "\n".join(lines)


def sources(bundle: Bundle) -> dict[str, str]:
    """The sources of a bundle by module; modules that came compiled are left out."""
    return {module.name: module.source for module in bundle.modules if module.source}
