"""Composition: what ``%load_ext jupyter_sandbox`` builds and ``%unload_ext`` takes away again, without a trace."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError as IPythonUsageError
from IPython.core.magic import needs_local_scope, no_var_expand

from .. import __version__
from ..manager.default import default_manager
from ..manager.in_use import ROOT, put_back
from ..manager.manager import SandboxManager
from ..manager.sandbox import Sandbox
from ..model.errors import SandboxError
from ..model.views import Inspection, TreeView
from ..widgets.picture import Open, TreePicture
from .cells import Cells
from .commands import HANDLERS
from .commands.life import card_of
from .completer import SandboxCompleter
from .errors import interrupted, shown
from .grammar import Invocation
from .help import overview
from .hub import Hub, status_line
from .lab_bridge import ACTIONS, LabBridge, Wiring
from .lanes import Lanes
from .midcell import show_unless_last
from .mirror import Mirror
from .parse import parse
from .pictures import Hands, Pictures
from .trimming import Trimming
from .turn import Desk, Turn

if TYPE_CHECKING:
    from ..widgets.live import LiveTree

ATTRIBUTE = "_jupyter_sandbox"
"""Where the extension lives: on the shell it was loaded into, so that there is no global."""

BUSY_MS = 100
"""A callback that runs for so long is no new one: an interrupt ends those that can be broken sooner."""
WATCH_MS = 100
"""Shortest time between two changes of a tree that a sandbox tells."""


class Extension:
    """Everything that belongs to one shell. Made by ``load``, ended by ``unload``."""

    def __init__(self, shell: Any, manager: SandboxManager) -> None:
        self.shell, self.manager = shell, manager
        self.kernel = getattr(shell, "kernel", None)
        self.mirror = Mirror()
        self.cells = Cells(shell)
        self.lanes = Lanes(self._lane_failed)
        self.pictures = Pictures(Hands(self._act, self._inspect))
        follow = lambda name: self.lanes.submit(name, lambda: self.follow(name))  # noqa: E731
        self.hub = Hub(self.mirror, self.pictures, follow, self.cells.label, self.cells.label_printed)
        self.completer = SandboxCompleter(self.mirror)
        self.trimming = Trimming(shell)
        self.desk = Desk(self.manager, self.mirror, self.cells, shell.user_ns, self._opener(), self.follow, self._store)
        self._unsubscribe: Callable[[], None] = lambda: None
        self._owner = os.getpid()

    # --- coming and going ---------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Register everything."""
        self._unsubscribe = self.manager.subscribe(self.hub.take)
        self.shell.register_magic_function(self._magic(), "line_cell", "sandbox")
        self.shell.Completer.custom_matchers.append(self.completer.matcher)
        self.trimming.attach()
        self.shell.events.register("pre_run_cell", self._put_back)
        self.shell.events.register("pre_run_cell", self._meet)
        for type_, form in self._forms().items():
            self.shell.display_formatter.mimebundle_formatter.for_type(type_, form)
        if self.kernel is not None and hasattr(self.kernel, "control_handlers"):
            wiring = Wiring(self.manager, self.mirror, self.lanes, self.cells, __version__)
            self.hub.bridge = LabBridge(self.kernel, wiring)
            self.hub.bridge.attach(self._session())
            atexit.register(self._say_good_bye)

    def _say_good_bye(self) -> None:
        """Before all sandboxes end with the kernel: a page hears of no restart that another one asked for."""
        if self.hub.bridge is not None and os.getpid() == self._owner:
            self.hub.bridge.detach()

    def close(self) -> None:
        """Take everything away again and stop every sandbox, which is told: who reloads may not have meant that."""
        ended = self._names()
        self.lanes.close()
        self._unsubscribe()
        self.hub.close()
        self.pictures.close("the extension was unloaded")
        atexit.unregister(self._say_good_bye)
        self._say_good_bye()
        for type_ in self._forms():
            self.shell.display_formatter.mimebundle_formatter.pop(type_, None)
        if self.completer.matcher in self.shell.Completer.custom_matchers:
            self.shell.Completer.custom_matchers.remove(self.completer.matcher)
        self.trimming.detach()
        self.shell.events.unregister("pre_run_cell", self._put_back)
        self.shell.events.unregister("pre_run_cell", self._meet)
        for kind in ("line", "cell"):
            self.shell.magics_manager.magics[kind].pop("sandbox", None)
        self.manager.close()
        if ended:
            sys.stdout.write(f"ended: {', '.join(ended)}; the snapshots that were taken are kept\n")

    def _names(self) -> list[str]:
        """Of all sandboxes that there are; in a fork of the kernel there are none."""
        try:
            return [info.name for info in self.manager.list()]
        except SandboxError:
            return []

    def _forms(self) -> Mapping[type, Callable[..., Any]]:
        """How objects of the Python API look as the last value of a cell."""
        return {
            TreeView: lambda view, **_: TreePicture(view, self.desk.open_live)._repr_mimebundle_(),
            Sandbox: lambda sandbox, **_: card_of(self.cells.labelled(sandbox.info()))._repr_mimebundle_(),
        }

    def _put_back(self, *_: object) -> None:
        """IPython unloads and reloads only what is among the modules, so whoever purged them would have no way out."""
        if ROOT not in sys.modules:
            put_back()

    def _meet(self, *_: object) -> None:
        """A page that runs its first cell may be one that nobody told anything."""
        if self.hub.bridge is not None:
            self.hub.bridge.meet(self._session())

    def _session(self) -> str:
        parent = self.shell.get_parent() if hasattr(self.shell, "get_parent") else {}
        return str(parent.get("header", {}).get("session", ""))

    # --- the magic ----------------------------------------------------------------------------------------------------

    def _magic(self) -> Callable[..., object]:
        def sandbox(line: str, cell: str | None = None, local_ns: Mapping[str, Any] | None = None) -> object:
            value = self.run(line, cell, local_ns)
            if cell is None:
                show_unless_last(self.shell, value)
            return value

        sandbox.__doc__ = overview()
        return needs_local_scope(no_var_expand(sandbox))

    def run(self, line: str, cell: str | None, local: Mapping[str, Any] | None) -> object:
        """One command; errors of sandboxes come out as IPython shows them best."""
        problem: BaseException
        given: Invocation | None = None
        try:
            given = parse(line, [info.name for info in self.manager.list()], cell=cell is not None)
            return HANDLERS[given.verb.name](Turn(self.desk, given, line, cell, local))
        except SandboxError as error:
            problem = shown(error, self.cells, colour=self._colour())
        except KeyboardInterrupt as interrupt:
            problem = interrupted(interrupt, self._busy(given), colour=self._colour())
        finally:
            self.hub.command_ended()
        if isinstance(problem, IPythonUsageError):
            raise problem
        raise problem from None

    def _busy(self, given: Invocation | None) -> str:
        """The sandbox of an interrupted command, if it still runs a callback; '' otherwise."""
        name = (given.sandbox if given is not None else None) or ""
        try:
            return name if name and self.manager.get(name).busy_ms() >= BUSY_MS else ""
        except SandboxError:  # it is gone, or was never made
            return ""

    def _colour(self) -> bool:
        return str(getattr(self.shell, "colors", "nocolor")).lower() != "nocolor"

    def _store(self, name: str, value: object) -> None:
        self.shell.push({name: value})

    # --- watching -----------------------------------------------------------------------------------------------------

    def follow(self, name: str) -> None:
        """Have the trees of a sandbox told from now on."""
        try:
            self.manager.get(name).watch(WATCH_MS)
        except SandboxError:
            return  # it is gone or has nothing to tell yet; its next start is followed again

    def _opener(self) -> Open | None:
        return None if self.kernel is None else self._open_live

    def _open_live(self, view: TreeView) -> LiveTree:
        widget = self.pictures.open(view)
        latest = self.mirror.trees.get(view.sandbox)
        if latest is not None and latest.step > view.step:
            widget.push(latest)
        info = self.mirror.infos.get(view.sandbox)
        widget.status = self.cells.label(status_line(info)) if info is not None else ""
        return widget

    def _act(self, verb: str, name: str, key: str) -> object:
        return ACTIONS[verb](self.manager.get(name), {"target": key})

    def _inspect(self, name: str, key: str) -> Inspection:
        return self.manager.get(name).inspect(key)

    def _lane_failed(self, error: BaseException) -> None:
        if self.kernel is not None:
            self.kernel.log.error("jupyter_sandbox: %s: %s", type(error).__name__, error)


def load(shell: Any, manager: SandboxManager | None = None) -> None:
    """Load into a shell; a second time changes nothing. Without a manager it gets the one that ``control`` uses too."""
    if getattr(shell, ATTRIBUTE, None) is None:
        extension = Extension(shell, manager or default_manager())
        extension.open()
        setattr(shell, ATTRIBUTE, extension)


def unload(shell: Any) -> None:
    """Take it away; when it is not loaded, nothing happens."""
    extension: Extension | None = getattr(shell, ATTRIBUTE, None)
    if extension is not None:
        delattr(shell, ATTRIBUTE)
        extension.close()
