"""The live tree in a notebook: a small canvas widget that the manager's thread feeds while cells run.

Loads ipywidgets, so only code that is about to show one may import this module.
Its buttons are answered when the kernel is free; for buttons that work while a
cell runs there is the Lab sidebar, which has a channel of its own.
"""

from __future__ import annotations

import uuid
import zlib
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import anywidget
import traitlets

from ..model.errors import SandboxError
from ..model.views import Inspection, TreeDiff, TreeView
from .followed import Followed
from .safe import clean, line
from .told import diff_data, tree_data

Act = Callable[[str, str], object]
"""Does a verb (``kill_process``, ``suspend_process``, …) to the process with this key or pid."""

Inspect = Callable[[str], Inspection]

VERBS = ("kill_process", "suspend_process", "unsuspend_process", "restart_process")


# Not by a path: the package may lie in an archive.
_FILES = files(__package__)
_CODE = _FILES.joinpath("live.js").read_text("utf-8")


def _current(_value: object, widget: LiveTree) -> dict[str, Any]:
    return tree_data(widget.view)


class LiveTree(anywidget.AnyWidget):
    """One live picture of one sandbox. ``push`` and ``freeze`` may be called from any thread."""

    _esm = _FILES.joinpath("once.js").read_text("utf-8")
    code = traitlets.Unicode(_CODE).tag(sync=True)
    """What the module loads, for the first model of a page."""
    edition = traitlets.Unicode(str(zlib.crc32(_CODE.encode()))).tag(sync=True)
    """Which code that is: a page may have models of kernels with other versions."""
    # Told in full whenever a page asks for it; in between only diffs travel, as messages.
    tree = traitlets.Any().tag(sync=True, to_json=_current)
    frozen = traitlets.Unicode("").tag(sync=True)
    status = traitlets.Unicode("").tag(sync=True)
    """What the sandbox does now, in a few words; empty while it just runs."""
    anchor = traitlets.Unicode("").tag(sync=True)
    """Marks the static picture that the live one mounts itself over."""

    def __init__(self, view: TreeView, *, act: Act, inspect: Inspect) -> None:
        self._followed = Followed(view)
        self._act, self._inspect = act, inspect
        super().__init__(anchor=uuid.uuid4().hex)
        self.on_msg(self._receive)

    @property
    def view(self) -> TreeView:
        """The tree as it was told last."""
        return self._followed.view

    def push(self, change: TreeView | TreeDiff) -> None:
        """Show a new tree or a change of it."""
        if self.frozen:
            return
        self._followed.note(change)
        if isinstance(change, TreeView):
            self.send({"type": "tree", "tree": tree_data(change)})
        else:
            self.send({"type": "diff", "diff": diff_data(change)})

    def freeze(self, why: str) -> None:
        """Leave the last picture standing, with the reason why it no longer moves."""
        self.frozen = why

    def give_up(self) -> None:
        """End it in kernel and pages, which show the static picture again."""
        layout = self.layout
        self.close()
        layout.close()

    def _receive(self, _widget: object, content: dict[str, Any], _buffers: object) -> None:
        key = str(content.get("key", ""))
        match content.get("type"):
            case "tell":
                self.send_state(("tree", "frozen", "status"))
                self.send({"type": "told"})
            case "inspect":
                self._answer_inspect(key)
            case "act" if content.get("verb") in VERBS:
                self._answer_act(str(content["verb"]), key, str(content.get("pid") or ""))

    def _answer_inspect(self, key: str) -> None:
        try:
            self.send({"type": "inspection", "key": key, **_facts(self._inspect(key))})
        except SandboxError as error:
            self.send({"type": "answer", "key": key, "note": line(error, 300)})

    def _answer_act(self, verb: str, key: str, pid: str) -> None:
        """To the process that was shown, and to no successor that has its name: a click may come late, or twice."""
        if self.frozen:
            self.send({"type": "answer", "key": key, "note": self.frozen})
            return
        try:
            self._act(verb, pid if pid and verb != "restart_process" else key)
            self.send({"type": "answer", "key": key, "note": "done"})
        except SandboxError as error:
            self.send({"type": "answer", "key": key, "note": line(error, 300)})


def _facts(inspection: Inspection) -> dict[str, Any]:
    omitted = [f"… and {inspection.mailbox_omitted} more"] if inspection.mailbox_omitted else []
    return {
        "mailbox": [clean(text) for text in inspection.mailbox] + omitted,
        "waiting_for": clean(inspection.waiting_for),
        "links": [clean(one) for one in inspection.links],
        "monitors": [clean(one) for one in inspection.monitors],
        "events": [f"#{event.step} {clean(event.kind)}: {clean(event.text)}" for event in inspection.events[:8]],
    }
