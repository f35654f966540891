"""Verbs that hold a sandbox and take it step by step. What each does is said in the table of verbs."""

from __future__ import annotations

from ...model.errors import UsageError
from ...widgets.story import Lines, Steps
from ..turn import Turn


def pause(turn: Turn) -> Lines:
    step = turn.sandbox.pause()
    return Lines([f"{turn.name} is paused at step {step}; next: %sandbox step {turn.name}"])


def resume(turn: Turn) -> Lines:
    turn.sandbox.resume()
    return Lines([f"{turn.name} runs"])


def step(turn: Turn) -> Steps:
    told = turn.sandbox.step(turn.given.number("COUNT", 1))
    idle = f"give a process something to do: %sandbox cast {turn.name} TARGET MESSAGE, or %sandbox resume {turn.name}"
    return Steps(told.steps, told.step, told.waiting, idle if told.waiting == "idle" else "")


def back(turn: Turn) -> Steps:
    told = turn.sandbox.back(turn.given.number("COUNT", 1))
    return Steps(told.steps, told.step, told.waiting, f"{turn.name} is back at step {told.step}")


def until(turn: Turn) -> Steps:
    conditions = {name.replace("-", "_"): value for name, value in turn.given.options.items()}
    if not conditions.keys() - {"max_steps"}:
        raise UsageError("until needs a condition", hint=f"type %sandbox until {turn.name} --process TARGET")
    told = turn.sandbox.until(**conditions)  # type: ignore[arg-type]
    note = f"{turn.name} is paused at step {told.step}; next: %sandbox resume {turn.name}"
    first = told.steps[0].step if told.steps else told.step
    wanted = conditions.get("step")
    if isinstance(wanted, int) and wanted < first:
        note = f"step {wanted} was past already; to go back to it: %sandbox back {turn.name} {told.step - wanted}"
    return Steps(told.steps, told.step, told.waiting, note)
