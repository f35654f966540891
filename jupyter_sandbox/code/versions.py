"""Which versions of each module a sandbox holds: the current one and at most one old one. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from ..model.code import ModuleCode
from ..model.views import ModuleVersion


@dataclass(frozen=True, slots=True)
class Version:
    """One loaded version of a module, counted from 1."""

    module: str
    number: int
    digest: str
    file: str
    loaded_step: int


@dataclass(frozen=True, slots=True)
class Entry:
    """What is kept of one module."""

    current: Version
    old: Version | None = None


@dataclass(frozen=True, slots=True)
class VersionTable:
    """All modules of a sandbox. Every change gives a new table, so a failed load just drops it.

    >>> first, second = (ModuleCode("counter", b"", digest=digest) for digest in ("aa", "bb"))
    >>> table = VersionTable().loaded([first], 0).loaded([second], 7)
    >>> [(v.version, v.current) for v in table.views({})]
    [(2, True), (1, False)]
    """

    entries: Mapping[str, Entry] = field(default_factory=dict)

    def is_current(self, module: str, digest: str) -> bool:
        """Whether exactly this code is loaded already, so that loading it again would change nothing."""
        entry = self.entries.get(module)
        return entry is not None and entry.current.digest == digest

    def number(self, module: str) -> int:
        """The current version's number; 0 when the module is not loaded."""
        entry = self.entries.get(module)
        return entry.current.number if entry else 0

    def loaded(self, modules: Iterable[ModuleCode], step: int) -> VersionTable:
        """The table after a load: what was current is old, what was old is gone."""
        entries = dict(self.entries)
        for module in modules:
            before = entries.get(module.name)
            number = before.current.number + 1 if before else 1
            version = Version(module.name, number, module.digest, module.file, step)
            entries[module.name] = Entry(version, before.current if before else None)
        return replace(self, entries=entries)

    def views(self, processes: Mapping[tuple[str, int], int]) -> list[ModuleVersion]:
        """For ``%sandbox versions``: by module, newest first, with the number of processes that run each."""
        return [
            ModuleVersion(
                module=version.module,
                version=version.number,
                digest=version.digest,
                current=version is entry.current,
                file=version.file,
                loaded_step=version.loaded_step,
                processes=processes.get((version.module, version.number), 0),
            )
            for _, entry in sorted(self.entries.items())
            for version in (entry.current, entry.old)
            if version is not None
        ]
