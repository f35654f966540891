"""The value of a cell as its user gets it: plain data, and its picture if there is one that passes. Pure."""

from __future__ import annotations

from ..model.harmless import shortened
from ..model.images import checked
from ..model.picture import Drawn, Picture
from ..wire.messages import Pictured, Value
from ..wire.values import decode_reply, decode_value

_LONGEST = 400
"""Characters of a reason."""


def shown(answer: Value, *, cut: bool = False) -> object:
    """The value, cut or whole; a ``Drawn`` when its class draws it. Raises RemoteProtocolError for what is no value.

    >>> from ..wire.values import encode_value
    >>> shown(Pictured(id=1, data=encode_value(7), image=b"<svg>"), cut=True)
    7
    (no picture: image/png was refused: it does not begin as a PNG does)
    """
    value = decode_value(answer.data) if cut else decode_reply(answer.data)
    if not isinstance(answer, Pictured):
        return value
    picture, why = _picture(answer)
    return Drawn(value, picture, shortened(" ".join(why[:_LONGEST].split()), _LONGEST))


def _picture(answer: Pictured) -> tuple[Picture | None, str]:
    if not answer.image:
        return None, answer.why
    try:
        return checked(answer.mime, answer.image), ""
    except ValueError as refused:
        return None, f"{answer.mime} was refused: {refused}"
