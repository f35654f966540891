"""What protects the user from one sandbox: each layer requested, active, verified, and in words what is not stopped."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Layer:
    """One protection. ``verified``: an attempt to get around it failed, or the OS confirms it from outside."""

    name: str
    requested: bool
    active: bool
    verified: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Protection:
    """The report of one sandbox: ``profile`` in force (off, basic, standard, strict), layers, what is not stopped."""

    profile: str
    layers: tuple[Layer, ...] = ()
    not_stopped: tuple[str, ...] = ()
    opened: tuple[str, ...] = ()
    """What ``standard`` opens here, by the words of ``allow``."""

    @property
    def level(self) -> str:
        """The profile with what it opens.

        >>> Protection("standard", opened=("net", "read")).level, Protection("strict").level
        ('standard (net, read)', 'strict')
        """
        return f"{self.profile} ({', '.join(self.opened)})" if self.opened else self.profile

    def has(self, name: str) -> bool:
        """Whether this layer is in force and was tried.

        >>> Protection("basic", (Layer("rlimits", True, True, True),)).has("landlock")
        False
        """
        return any(layer.active and layer.verified for layer in self.layers if layer.name == name)

    def line(self) -> str:
        """``basic · rlimits ✓ · no_new_privs ✓ · seccomp – (not requested)``."""
        return " · ".join([self.level, *(_mark(layer) for layer in self.layers)])


def _mark(layer: Layer) -> str:
    if layer.active:
        return f"{layer.name} ✓" if layer.verified else f"{layer.name} (not verified)"
    return f"{layer.name} –" + (f" ({layer.reason})" if layer.reason else "")
