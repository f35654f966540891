"""Verbs about the life of a sandbox. What each does is said in the table of verbs."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from itertools import zip_longest

from ...isolation.layers import processor_seconds
from ...manager.news import AT_ONCE, PER_SECOND
from ...model.errors import UsageError
from ...model.limits import (
    DISK_BYTES,
    DISK_FILES,
    FILE_SIZE,
    LEAST_MEMORY,
    MANY_FILES,
    OPEN_FILES,
    THREADS,
    Limits,
)  # fmt: skip
from ...model.sandbox import NoticeTold, SandboxInfo, SandboxStatus, Update
from ...widgets.picture import TreePicture
from ...widgets.safe import clean
from ...widgets.story import OUR_OWN, Card, Fact, Lines
from ...widgets.table import Column, Table
from ..turn import Turn


def _mb(size: int) -> str:
    return f"{size / 1_000_000:.1f}".removesuffix(".0")


REASON = 48
"""Characters of a reason in the list, which is to fit on a line; ``info`` shows all of it."""
OPENINGS = ("net", "ports", "subprocess", "read", "write")
"""What can be opened by name; each is an option, too."""

_STATUS = {
    SandboxStatus.STARTING: "◔",
    SandboxStatus.RUNNING: "●",
    SandboxStatus.PAUSED: "‖",
    SandboxStatus.RELOADING: "↻",
    SandboxStatus.STOPPING: "◔",
    SandboxStatus.STOPPED: "○",
    SandboxStatus.CRASHED: "✕",
}

SANDBOXES: tuple[Column[SandboxInfo], ...] = (
    Column("name", lambda info: info.name),
    Column("status", lambda info: f"{_STATUS[info.status]} {info.status.value}"),
    Column("main", lambda info: info.main or ""),
    Column("protection", lambda info: info.protection.level if info.protection else "–"),
    Column("processes", lambda info: f"{info.counters.processes} of {info.limits.max_processes}", right=True),
    Column("memory", lambda info: f"{_mb(info.memory)} of {_mb(info.limits.max_memory)} MB", right=True),
    Column("run time", lambda info: f"{info.lived_s} of {info.limits.max_runtime / 1000:g} s", right=True),
    Column("reason", lambda info: clean(info.reason, REASON)),
)


def create(turn: Turn) -> object:
    """The new sandbox itself: the same object that the Python API gives."""
    options = turn.given.options
    limits = _limit_options(turn)
    extra: dict[str, object] = {
        name: options[name] for name in ("seed", "clock", "isolation", "profile") if name in options
    }
    extra |= _flavour(turn)
    if allow := _allow(turn):
        _refuse_to_open(next(iter(allow)), str(options.get("profile", "standard")))
        extra["allow"] = allow
    sandbox = turn.desk.manager.create(turn.given.sandbox, limits=limits or None, **extra)  # type: ignore[arg-type]
    turn.desk.follow(sandbox.name)
    return sandbox


def _allow(turn: Turn) -> dict[str, object]:
    options = turn.given.options
    allow: dict[str, object] = {name: options[name] for name in OPENINGS if name in options}
    if "ports" in allow:
        allow["ports"] = _ports(options["ports"])  # type: ignore[arg-type]
    return allow


def _ports(texts: tuple[str, ...]) -> list[int]:
    """``--ports 443,8080 --ports 9000``."""
    ports = [port.strip() for text in texts for port in text.split(",")]
    for port in ports:
        if not (port.isascii() and port.isdecimal() and len(port) <= 5 and 0 < int(port) < 65536):
            raise UsageError("--ports", port, hint="give numbers from 1 to 65535, such as 443,8080")
    return [int(port) for port in ports]


def _refuse_to_open(option: str, profile: str) -> None:
    """The manager refuses it too, in the words of Python."""
    if profile != "standard":
        hint = f"profile {profile} opens nothing by name; use --profile standard, or leave --profile out"
        raise UsageError(f"--{option}", hint=hint)


def _flavour(turn: Turn) -> dict[str, object]:
    options = turn.given.options
    named: dict[str, object] = {"flavour": options["flavour"]} if "flavour" in options else {}
    if "preimport" in options:
        named["preimport"] = ",".join(options["preimport"])  # type: ignore[arg-type]
    return named


def start(turn: Turn) -> TreePicture:
    main = turn.given.values["MAIN"]
    view = turn.sandbox.start(None if main is None else str(main), *turn.values("ARGS"))
    return turn.picture(view)


def stop(turn: Turn) -> Lines:
    turn.sandbox.stop()
    turn.desk.manager.refresh(turn.name)
    info = turn.desk.cells.labelled(turn.sandbox.info())
    if info.status is SandboxStatus.CRASHED:
        again = f"start it again with %sandbox restart {turn.name}"
        return Lines([f"{turn.name} crashed, so nothing is left to be stopped ({clean(info.reason, 500)}); {again}"])
    return Lines([f"{turn.name} is stopped; start it again with %sandbox start {turn.name}{_beside(info)}"])


def _beside(info: SandboxInfo) -> str:
    """What becomes of processes that are not its application's, if there are any."""
    count = info.counters.processes
    stand = "1 process beside its application stands" if count == 1 else f"{count} processes beside it stand"
    return f". Until then {stand} still; a restart ends what is there: %sandbox tree {info.name}" if count else ""


def restart(turn: Turn) -> TreePicture:
    return turn.picture(turn.sandbox.restart())


def destroy(turn: Turn) -> Lines:
    turn.desk.manager.destroy(turn.name)
    return Lines([f"{turn.name} is destroyed"])


def list_all(turn: Turn) -> Table[SandboxInfo]:
    empty = "no sandbox yet: type %sandbox create NAME, or begin a cell with %%sandbox module NAME MODULE"
    turn.desk.manager.refresh()
    return Table([turn.desk.cells.labelled(info) for info in turn.desk.manager.list()], SANDBOXES, empty=empty)


def info(turn: Turn) -> Card:
    turn.desk.manager.refresh(turn.name)
    return card_of(turn.desk.cells.labelled(turn.sandbox.info()))


def card_of(info: SandboxInfo) -> Card:
    """Everything about one sandbox."""
    protection = info.protection
    facts: list[tuple[str, object] | Fact] = [
        ("status", f"{_STATUS[info.status]} {info.status.value}" + (f": {info.reason}" if info.reason else "")),
        ("main", info.main),
        ("modules", ", ".join(info.modules)),
        ("flavour", info.flavour),
        *_use(info),
        ("steps", _told(info, info.counters.steps)),
        ("restarts", _told(info, info.counters.supervisor_restarts)),
        ("OS process", info.os_pid),
        ("application", info.app_name),
        ("created", datetime.fromtimestamp(info.created_at).strftime("%Y-%m-%d %H:%M:%S")),
        ("protection", protection.line() if protection else "none: it has no OS process now"),
        *(Fact("not stopped", text, OUR_OWN) for text in (protection.not_stopped if protection else ())),
        *_alerts(info),
    ]
    return Card(f"sandbox {info.name}", facts, info)


def _alerts(info: SandboxInfo) -> list[tuple[str, str]]:
    """Each with the time of day that it was raised at."""
    times = [datetime.fromtimestamp(at).strftime("%H:%M:%S ") for at in info.alerted_at]
    return [("alert", time + text) for time, text in zip_longest(times, info.alerts, fillvalue="")]


def _use(info: SandboxInfo) -> list[tuple[str, object]]:
    """What it uses of each thing that is limited, and the most that it has had: a peak outlives the OS process."""
    limits, now = info.limits, info.counters
    return [
        ("processes", f"{now.processes} of {limits.max_processes}, at most {info.processes_peak} so far"),
        ("longest queue", f"{now.longest_queue} of {limits.max_mailbox} messages, at most {info.mailbox_peak} so far"),
        ("largest message", f"{info.message_peak:,} of {limits.max_message:,} bytes"),
        ("memory", f"{_mb(info.memory)} of {_mb(limits.max_memory)} MB, at most {_mb(info.memory_peak)} so far"),
        ("run time", f"{info.lived_s} of {limits.max_runtime / 1000:g} s"),
        ("processor time", f"{info.processor_ms / 1000:.1f} of {processor_seconds(limits)} s"),
        ("longest callback", f"{_below(info.callback_peak_ms)} of {limits.handler_budget:,} ms"),
        ("output", f"at most {info.output_peak:,} of {limits.max_output:,} bytes in a cell"),
        ("disk", f"at most {_mb(info.disk_peak)} of {_mb(DISK_BYTES)} MB in {info.files_peak} of {DISK_FILES} files"),
        ("open files", _seen(info.open_files_peak, info.most_files)),
        ("threads", _seen(info.threads_peak, THREADS)),
        ("news", f"at most {info.news_peak} of {AT_ONCE} things told at once"),
    ]


def _told(info: SandboxInfo, count: int) -> int | None:
    """Of a sandbox that ended before it told anything it is not said that there was nothing."""
    return count if count or info.os_pid is not None or info.counters.steps else None


def _below(callback_ms: int) -> str:
    """A callback is only seen that runs while somebody looks."""
    return f"{callback_ms:,}" if callback_ms else "below 100"


def _seen(peak: int, most: int) -> str:
    """Every OS process has some: it ended before anybody counted."""
    return f"at most {peak} of {most} so far" if peak else f"of {most}: not counted yet"


def limits(turn: Turn) -> Card:
    notes = _changed(turn, _limit_options(turn))
    now = turn.sandbox.info().limits
    facts = [(field.name, _with_unit(field.name, getattr(now, field.name))) for field in fields(Limits)]
    return Card(
        f"limits of {turn.name}", [*facts, ("of every sandbox", _FIXED), *(("note", one) for one in notes)], now
    )


def _changed(turn: Turn, changes: dict[str, int]) -> list[str]:
    """Change the limits; what is told of that, because not all of it counts yet."""
    told: list[Update] = []
    unsubscribe = turn.desk.manager.subscribe(told.append)
    try:
        if changes:
            turn.sandbox.limits(**changes)
    finally:
        unsubscribe()
    notes = [one for one in told if isinstance(one, NoticeTold) and one.name == turn.name]
    return [one.text for one in notes if one.level == "warning" and not one.process]


_FIXED = (
    f"{OPEN_FILES} open files ({MANY_FILES:,} in off); files of {_mb(FILE_SIZE)} MB; "
    f"{_mb(DISK_BYTES)} MB in {DISK_FILES} files; {THREADS} threads; "
    f"{AT_ONCE} pieces of news at once, {PER_SECOND} a second"
)


def _with_unit(name: str, value: int) -> str:
    if name in ("max_memory", "max_message", "max_output"):
        return f"{value:_} bytes"
    return f"{value:_} ms" if name in ("max_runtime", "handler_budget") else f"{value:_}"


def _limit_options(turn: Turn) -> dict[str, int]:
    size = turn.given.options.get("max-memory")
    if isinstance(size, int) and size < LEAST_MEMORY:
        raise UsageError("--max-memory", size, hint="a number alone is bytes; give at least 1MB, such as 50MB")
    names = {field.name for field in fields(Limits)}
    given = {name.replace("-", "_"): value for name, value in turn.given.options.items()}
    return {name: int(value) for name, value in given.items() if name in names}  # type: ignore[arg-type]
