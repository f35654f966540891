"""Type parameters that a checker sees and that cost nothing at run time: ``GenServer[int]`` is ``GenServer`` itself.

``typing.Generic`` would make an alias object for each subscription, and ask for
all parameters: defaults come with Python 3.13 only. No module that is imported
at run time may depend on what stands between the brackets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import Generic as Generic

    from typing_extensions import TypeVar as TypeVar  # part of every checker's own stubs, so no dependency
else:
    from typing import TypeVar as _TypeVar

    class Generic:
        """Base of what takes type parameters."""

        __slots__ = ()

        def __class_getitem__(cls, parameters: Any) -> type:
            return cls

    def TypeVar(name: str, **options: Any) -> Any:
        """A type variable; its default is for the checker alone."""
        options.pop("default", None)
        return _TypeVar(name, **options)
