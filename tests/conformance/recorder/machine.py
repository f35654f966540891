"""Runs scenarios in Erlang virtual machines with a clock of their own, and reads what they print."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PATIENCE_S = 30

Policy = str | int
"""Who is late: ``plain`` for nobody, a number for anybody by chance, or a process by its name."""

Job = tuple[list[Any], Policy]
"""Ops, and who is late."""


class Machine:
    """The compiled recorder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        subprocess.run(["erlc", "-o", folder, *sorted(HERE.glob("*.erl"))], check=True)
        subprocess.run(["cc", "-shared", "-fPIC", "-o", folder / "clock.so", HERE / "clock.c"], check=True)

    def run(self, jobs: list[Job]) -> list[dict[str, Any] | None]:
        """Execute each job's ops; what each observed, None for those that did not end."""
        found: list[dict[str, Any] | None] = []
        while len(found) < len(jobs):
            done = self._run(jobs[len(found) :])
            end = done.index(None) + 1 if None in done else len(done)  # those behind it have not been begun
            found += done[:end]
        return found

    def _run(self, jobs: list[Job]) -> list[dict[str, Any] | None]:
        """Execute jobs in one virtual machine."""
        terms = [f"{{{number}, {term(policy)}, {term(ops)}}}." for number, (ops, policy) in enumerate(jobs)]
        with tempfile.TemporaryDirectory(dir=self.folder) as place:
            (Path(place) / "jobs").write_text("\n".join(terms))
            (Path(place) / "clock").write_bytes(bytes(8))
            try:
                done = subprocess.run(
                    self._command(place), capture_output=True, timeout=PATIENCE_S, env=self._env(place)
                )
                printed = done.stderr
            except subprocess.TimeoutExpired as error:
                printed = error.stderr or b""
        whole = printed.decode().rpartition("\n")[0]  # who is stopped may leave half a line
        lines = [json.loads(line[1:]) for line in whole.splitlines() if line.startswith("@")]
        return _observed(lines, len(jobs))

    def _command(self, place: str) -> list[str]:
        quiet = ["-kernel", "logger_level", "none", "-noshell", "-noinput"]
        return ["erl", "+S", "1:1", *quiet, "-pa", str(self.folder), "-run", "recorder", "main", f"{place}/jobs"]

    def _env(self, place: str) -> dict[str, str]:
        shim = {"LD_PRELOAD": str(self.folder / "clock.so"), "RECORDER_CLOCK": f"{place}/clock"}
        return {**os.environ, **shim, "ERL_CRASH_DUMP_SECONDS": "0"}


def term(shape: Any) -> str:
    """A scenario's JSON as the text of an Erlang term: strings as atoms, objects as maps."""
    match shape:
        case None:
            return "null"
        case bool():
            return str(shape).lower()
        case str():
            escaped = shape.replace("\\", "\\\\").replace("'", "\\'")
            return f"'{escaped}'"
        case list():
            return f"[{', '.join(map(term, shape))}]"
        case dict():
            return "#{" + ", ".join(f"{term(key)} => {term(value)}" for key, value in shape.items()) + "}"
        case _:
            return repr(shape)


def _observed(lines: list[Any], jobs: int) -> list[dict[str, Any] | None]:
    found: list[dict[str, Any] | None] = [None] * jobs
    log: list[Any] = []
    ops: list[Any] = []
    number = 0
    for line in lines:
        match line:
            case {"job": number}:
                ops = []
            case {"root": True}:
                log = []
            case {"op": observed}:
                ops.append(_observation(observed, log))
                log = []
            case {"final": final}:
                found[number] = {"ops": ops, "final": _sorted(final)}
            case {"node_down": True}:
                found[number] = {"ops": [*ops, {"log": log, "node_down": True}]}
            case event:
                log.append(event)
    return found


def _observation(observed: dict[str, Any], log: list[Any]) -> dict[str, Any]:
    kept = {"ret": observed.get("ret"), "log": log, "exits": sorted(observed.get("exits", ()), key=text)}
    return {key: value for key, value in kept.items() if value}


def _sorted(final: dict[str, Any]) -> dict[str, Any]:
    links = {name: sorted(others) for name, others in final["links"].items()}
    return {"alive": sorted(final["alive"]), "links": links, "registered": final["registered"]}


def text(shape: Any) -> str:
    """The compact JSON text by which everything is sorted and compared."""
    return json.dumps(shape, sort_keys=True, separators=(",", ":"))
