"""The frames between the kernel and a guest: two closed unions of typed structs, all of them under one roof.

Everything a guest sends is data of these types and nothing else; the kernel
never unpickles or evaluates a byte of it. When each is allowed: see ``legality``.
"""

from __future__ import annotations

from .answers import *  # noqa: F403 - a frame is named where it is declared and in its union, and nowhere again
from .answers import AnswerFrame
from .pushes import *  # noqa: F403
from .pushes import Pushed, Ready
from .requests import *  # noqa: F403

GuestFrame = Ready | AnswerFrame | Pushed

PROTOCOL = 1
