"""Names that others chose, where the user is to type them: each stays one word of a magic line. Pure."""

from __future__ import annotations

import re

_TYPED = re.compile(r"[\w.<][\w./<>:@+,~#-]*")
"""Nothing that IPython reads (``?``, ``!``, ``{``, ``$``, a last backslash), nothing that ends a word or a line."""
_UNSEEN = re.compile("[\u115f\u1160\u3164\uffa0]")
"""Letters, says Unicode, that nobody sees."""
_LONGEST = 200


def typable(name: str) -> bool:
    """Whether a name can stand in a magic line as it is and is read back as this one word and nothing else.

    Only such names may be put into a cell for the user: what a sandbox calls its processes is what its code likes.

    >>> typable("shop/front"), typable("front\\nprint(1)"), typable("--force")
    (True, False, False)
    """
    return len(name) <= _LONGEST and _TYPED.fullmatch(name) is not None and not _UNSEEN.search(name)


def quoted(name: str) -> str:
    """A name as a line of ``%sandbox`` has it: whatever is in it, it stays one word of that line.

    >>> quoted("before"), quoted("two words"), quoted("a\\nb")
    ('before', '"two words"', "'a\\\\nb'")
    """
    if typable(name):
        return name
    return f'"{name}"' if name.isprintable() and not {'"', "\\"} & {*name} else repr(name)
