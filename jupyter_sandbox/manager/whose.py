"""Whose a guest's word is: the manager's knowledge of who sent a frame takes the place of what the frame says. Pure.

A tree names its sandbox, and pictures act on the sandbox that their tree names. Other frames name none: what they tell
is told under the name of the sandbox whose channel they came by.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import msgspec

from ..wire.messages import TreeChanged, TreeReply

F = TypeVar("F")


def told_by(name: str, frame: F) -> F:
    """The frame with the name of the sandbox that sent it.

    >>> from ..model.views import TreeDiff
    >>> told_by("a", TreeChanged(diff=TreeDiff("b", 1, 0))).diff.sandbox
    'a'
    """
    match frame:
        case TreeReply(tree=tree) if tree.sandbox != name:
            return msgspec.structs.replace(frame, tree=replace(tree, sandbox=name))
        case TreeChanged(diff=diff) if diff.sandbox != name:
            return msgspec.structs.replace(frame, diff=replace(diff, sandbox=name))
        case _:
            return frame
