"""Help texts, written from the table of verbs. Pure."""

from __future__ import annotations

from .grammar import Kind, Naming, Option, Verb
from .parse import usage
from .verbs import GROUPS, VERBS


def overview() -> str:
    """What ``%sandbox?`` and ``%sandbox help`` show."""
    lines = [
        "Run, watch, step, crash and hot-reload systems of supervised processes.",
        "",
        "  %sandbox VERB [NAME] …     one command; the result can be assigned: t = %sandbox tree",
        "  %%sandbox VERB [NAME] …    a command on the rest of the cell",
        "",
        "NAME may be left out when there is one sandbox. `%sandbox VERB --help` tells more.",
    ]
    width = max(len(verb.name) for verb in VERBS.values())
    for group, title in GROUPS.items():
        lines += ["", title]
        for verb in VERBS.values():
            if verb.group == group:
                lines.append(f"  {verb.magic.rjust(9)} {verb.name.ljust(width)}  {verb.summary}")
    return "\n".join(lines)


def explain(verb: Verb) -> str:
    """What ``%sandbox VERB --help`` shows."""
    options = " [OPTIONS]" if verb.options else ""
    lines = [f"{verb.magic} {usage(verb)}{options}", "", f"  {verb.summary}"]
    rows = [(_name_row())] if verb.naming is not Naming.NONE else []
    if verb.naming is Naming.EITHER:
        rows = [("NAME", "the sandbox; made when it does not exist, may be left out when there is exactly one")]
    if verb.naming is Naming.NEW:
        rows = [("NAME", "name of the new sandbox (default: sandbox_1, sandbox_2, …)")]
    rows += [(argument.name, argument.help) for argument in verb.arguments]
    rows += [(_option_head(option), _option_help(option)) for option in verb.options]
    if rows:
        width = max(len(head) for head, _ in rows)
        lines += ["", *(f"  {head.ljust(width)}  {text}" for head, text in rows)]
    return "\n".join([*lines, "", f"  Example: {verb.magic} {verb.example}"])


def _name_row() -> tuple[str, str]:
    return ("NAME", "the sandbox; may be left out when there is exactly one")


def _option_head(option: Option) -> str:
    return f"--{option.name}" if option.kind is Kind.FLAG else f"--{option.name} {option.value}"


def _option_help(option: Option) -> str:
    return f"{option.help}: {', '.join(option.choices)}" if option.choices else option.help
