"""Understand a magic line by the table of verbs. Pure: it knows the sandboxes' names because it is told them.

Every refusal is a UsageError of one line that says what to type instead.
Expressions are checked for their form only; who runs the verb evaluates them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..model.errors import UsageError
from ..model.given import MOST
from .grammar import RAW, Argument, Invocation, Kind, Naming, Option, Verb
from .verbs import VERBS
from .words import Word, complaint, split, without_comment

_NEGATIVE = re.compile(r"-\d[\d_]*")
_SIZE = re.compile(r"(\d[\d_]*)\s*(|b|kb|mb|gb)", re.IGNORECASE)
_UNITS = {"": 1, "b": 1, "kb": 1_000, "mb": 1_000_000, "gb": 1_000_000_000}
_UNIT_ALONE = re.compile("[kmg]b", re.IGNORECASE)
Given = dict[str, dict[int, str]]
"""The values of each option, by where in the line it stands."""
_OPTION = re.compile(r"--([a-z-]+)(?:=(.*))?", re.DOTALL)


def parse(line: str, sandboxes: Sequence[str], *, cell: bool = False) -> Invocation:
    """The invocation a line stands for. Raises UsageError.

    >>> parse('call front ("add", 2)', ["shop"]).values
    {'TARGET': 'front', 'REQUEST': '("add", 2)'}
    """
    line = without_comment(line)
    words = split(line)
    verb = _verb(words, cell)
    if any(word.text in ("--help", "-h") for word in words[1:]):
        return Invocation(VERBS["help"], None, {"VERB": verb.name}, {})
    _check_magic(verb, cell)
    plain, options = _options(verb, words[1:])
    return _bind(verb, plain, options, line, sandboxes)


def _verb(words: list[Word], cell: bool) -> Verb:
    if not words:
        return VERBS["list"] if not cell else _no_cell_verb()
    name = words[0].text
    if name in ("--help", "-h"):
        return VERBS["help"]
    verb = VERBS.get(name)
    if verb is None:
        known = [verb.name for verb in VERBS.values() if verb.cell or not cell]
        raise UsageError("verb", name, allowed=known, hint="Type %sandbox help")
    return verb


def _no_cell_verb() -> Verb:
    raise UsageError("%%sandbox needs a verb", hint="type %%sandbox module NAME MODULE or %%sandbox exec NAME")


def _check_magic(verb: Verb, cell: bool) -> None:
    if verb.cell and not cell:
        raise UsageError(f"{verb.name} works on a cell", hint=f"begin the cell with %%sandbox {usage(verb)}")
    if cell and not verb.cell and verb.name != "help":
        code = ", and let a cell with code begin with %%sandbox module NAME MODULE" if verb.name == "create" else ""
        raise UsageError(f"{verb.name} works on a line", hint=f"type %sandbox {usage(verb)} with one %{code}")


# --- options ----------------------------------------------------------------------------------------------------------


def _options(verb: Verb, words: list[Word]) -> tuple[list[Word], Given]:
    """Take the options out of the words. In a verb with an expression they end where the expression begins."""
    before_raw = _words_before_raw(verb)
    plain: list[Word] = []
    given: Given = {}
    index = 0
    while index < len(words):
        word = words[index]
        if word.text.startswith("--") and len(word.text) > 2 and len(plain) <= before_raw:
            index = _take_option(verb, words, index, given)
        else:
            plain.append(word)
            index += 1
    return plain, given


def _words_before_raw(verb: Verb) -> int:
    return len(verb.arguments) if _is_raw(verb) else 1_000  # NAME and all but the last


def _is_raw(verb: Verb) -> bool:
    return bool(verb.arguments) and verb.arguments[-1].kind in RAW


def _take_option(verb: Verb, words: list[Word], index: int, given: Given) -> int:
    name, equals, value = words[index].text[2:].partition("=")
    option = _known_option(verb, name)
    if option.kind is Kind.FLAG:
        if equals:  # of --net=no nobody may think that it keeps the network closed
            raise UsageError(f"--{name} takes no value", hint=f"type --{name} alone, or leave it out")
        given.setdefault(name, {})[words[index].start] = "yes"
        return index + 1
    start = words[index].start
    if not equals:
        index += 1
        if index == len(words):
            raise _needs_value(option)
        value = words[index].text
    _refuse_blank(option, value, words[index + 1 : index + 2])
    given.setdefault(name, {})[start] = Word(value, 0).plain
    return index + 1


def _refuse_blank(option: Option, value: str, following: list[Word]) -> None:
    """``--max-memory 50 MB``: the unit would be taken for something else."""
    if option.kind is Kind.SIZE and following and value.isdecimal() and _UNIT_ALONE.fullmatch(following[0].text):
        written = f"{value} {following[0].text}"
        raise UsageError(f"--{option.name}", written, hint=f"write it without the blank: {written.replace(' ', '')}")


def _needs_value(option: Option) -> UsageError:
    return UsageError(f"--{option.name} needs a value", hint=f"type --{option.name} {option.value}")


def _known_option(verb: Verb, name: str) -> Option:
    option = verb.option(name)
    if option is None:
        raise _no_option(verb, name)
    return option


def _no_option(verb: Verb, name: str) -> UsageError:
    allowed = [f"--{known.name}" for known in verb.options]
    if not allowed:
        return UsageError(f"{verb.name} has no option --{name}", hint=f"type %sandbox {verb.name} --help")
    return UsageError("option", f"--{name}", allowed=allowed, hint=f"Type %sandbox {verb.name} --help")


# --- arguments --------------------------------------------------------------------------------------------------------


def _bind(verb: Verb, words: list[Word], options: Given, line: str, sandboxes: Sequence[str]) -> Invocation:
    if verb.naming is Naming.NONE:
        return _fill(verb, None, words, options, line)
    if verb.naming is Naming.NEW:
        name = words[0].plain if words else None
        return _fill(verb, name, words[1:], options, line)
    if words and (words[0].plain in sandboxes or (verb.naming is Naming.EITHER and _has_all(verb, words[1:]))):
        return _bind_named(verb, words, options, line, sandboxes)
    if len(sandboxes) == 1:
        return _bind_unnamed(verb, words, options, line, sandboxes)
    raise _no_such_sandbox(verb, words, sandboxes)


def _bind_named(verb: Verb, words: list[Word], options: Given, line: str, sandboxes: Sequence[str]) -> Invocation:
    try:
        return _fill(verb, words[0].plain, words[1:], options, line)
    except UsageError:
        # One sandbox and a process of the same name: `state shop` means the process.
        meant = verb.lenient and _has_all(verb, words) and not (_has_all(verb, words[1:]) or _is_raw(verb))
        if len(sandboxes) == 1 and meant:
            return _fill(verb, sandboxes[0], words, options, line)
        raise


def _bind_unnamed(verb: Verb, words: list[Word], options: Given, line: str, sandboxes: Sequence[str]) -> Invocation:
    try:
        return _fill(verb, sandboxes[0], words, options, line)
    except UsageError:
        if _may_be_name(words) and _fits(verb, words[1:], options, line) and _has_all(verb, words[1:]):
            raise UsageError("sandbox", words[0].plain, allowed=sandboxes) from None
        raise


def _may_be_name(words: list[Word]) -> bool:
    """Whether the first word could name a sandbox: ``-3`` is a number gone wrong."""
    return bool(words) and (words[0].plain[:1].isalpha() or words[0].plain[:1] == "_")


def _fits(verb: Verb, words: list[Word], options: Given, line: str) -> bool:
    try:
        _fill(verb, "", words, options, line)
    except UsageError:
        return False
    return True


def _has_all(verb: Verb, words: list[Word]) -> bool:
    return len(words) >= sum(argument.required for argument in verb.arguments)


def _no_such_sandbox(verb: Verb, words: list[Word], sandboxes: Sequence[str]) -> UsageError:
    if not sandboxes and verb.naming is Naming.EITHER:
        return UsageError(f"{verb.name} needs a sandbox", hint=f"type {verb.magic} {usage(verb)}")
    if not sandboxes:
        return UsageError("there is no sandbox yet", hint="type %sandbox create NAME, or %%sandbox module NAME MODULE")
    if not words:
        names = ", ".join(sandboxes)
        more = " …" if _needs_more(verb) else ""
        hint = f"type {verb.magic} {verb.name} {sandboxes[0]}{more}"
        return UsageError(f"which sandbox? There are {names}", hint=hint)
    hint = f"There are several, so type which: {verb.magic} {verb.name} {sandboxes[0]} …" if len(sandboxes) > 1 else ""
    return UsageError("sandbox", words[0].plain, allowed=sandboxes, hint=hint)


def _needs_more(verb: Verb) -> bool:
    return any(argument.required for argument in verb.arguments)


def _fill(verb: Verb, name: str | None, words: list[Word], options: Given, line: str) -> Invocation:
    options = {option: dict(values) for option, values in options.items()}
    values: dict[str, str | int | None] = {}
    for index, argument in enumerate(verb.arguments):
        if index >= len(words):
            if argument.required:
                raise UsageError(f"{verb.name} needs {argument.name}", hint=f"type {verb.magic} {usage(verb)}")
            values[argument.name] = None
        elif argument.kind in RAW:
            values[argument.name] = _raw(verb, argument, words[index], line, options)
        else:
            values[argument.name] = _value(argument.name, argument.kind, words[index].plain)
    _refuse_surplus(verb, words)
    return Invocation(verb, name, values, _option_values(verb, options))


def _refuse_surplus(verb: Verb, words: list[Word]) -> None:
    if len(words) <= len(verb.arguments) or _is_raw(verb):
        return
    surplus = words[len(verb.arguments)].plain
    raise UsageError(f"{verb.name} does not take {surplus!r}", hint=f"type {verb.magic} {usage(verb)}")


def _raw(verb: Verb, argument: Argument, word: Word, line: str, options: Given) -> str:
    """The expression that begins with a word, without the options after it; what looks like one in quotes is its part.

    ``"x" --timeout -5`` is one option, though Python could subtract it.
    """
    many, source = argument.kind is Kind.EXPRESSIONS, line[word.start :]
    wrong = _complaint(source, many)
    while (found := _last_option(split(source))) is not None:
        start, name, value = found
        option = verb.option(name)
        if option is None:
            if wrong is not None and _complaint(source[:start], many) is None:
                raise _no_option(verb, name)
            break
        if value is None and option.kind is not Kind.FLAG:
            raise _needs_value(option)
        options.setdefault(name, {})[word.start + start] = "yes" if value is None else value
        source = source[:start].rstrip()
        wrong = _complaint(source, many)
    if wrong is None:
        return source.strip()
    raise UsageError(
        f"{argument.name} {source!r} is no Python expression ({wrong})",
        hint=f"texts stand in quotes; type {verb.magic} {usage(verb)}, such as {verb.magic} {verb.example}",
    )


def _last_option(words: list[Word]) -> tuple[int, str, str | None] | None:
    """Where the option at the end of the words begins, its name and its value. The first word is never one."""
    for back in (1, 2):
        if len(words) > back and (found := _OPTION.fullmatch(words[-back].text)) is not None:
            value = words[-1].plain if back == 2 else found.group(2)
            return None if back == 2 and found.group(2) is not None else (words[-back].start, found.group(1), value)
    return None


def _complaint(source: str, many: bool) -> str | None:
    return complaint(f"({source},)" if many else source)


# --- values -----------------------------------------------------------------------------------------------------------


def _option_values(verb: Verb, given: Given) -> dict[str, str | int | bool | tuple[str, ...]]:
    values: dict[str, str | int | bool | tuple[str, ...]] = {}
    for name, places in given.items():
        option, texts = verb.option(name), [text for _, text in sorted(places.items())]
        assert option is not None
        if len(texts) > 1 and not option.repeat:  # of two values the user means one, and nobody can tell which
            raise UsageError(f"--{name} is given twice", hint="give it once")
        if not all(text.strip() for text in texts):
            raise _needs_value(option)
        if option.kind is Kind.FLAG:
            values[name] = True
        elif option.repeat:
            values[name] = tuple(texts)
        elif option.kind is Kind.CHOICE and texts[-1] not in option.choices:
            raise UsageError(f"--{name}", texts[-1], allowed=option.choices)
        else:
            values[name] = _value(f"--{name}", option.kind, texts[-1], option.least)
    return values


def _value(name: str, kind: Kind, text: str, least: int = 1) -> str | int:
    if kind is Kind.NUMBER:
        if _NEGATIVE.fullmatch(text):
            raise UsageError(name, text, hint=f"give at least {least}")
        if not text.replace("_", "").isdecimal():
            raise UsageError(name, text, hint="give a whole number")
        number = _whole(name, text)
        if number < least:
            raise UsageError(name, text, hint=f"give at least {least}")
        return number
    if kind is Kind.SIZE:
        found = _SIZE.fullmatch(text)
        size = 0 if found is None else _whole(name, found.group(1)) * _UNITS[found.group(2).lower()]
        if size == 0:
            raise UsageError(name, text, hint="give bytes, or a whole number of KB, MB or GB such as 50MB")
        return size
    return text


def _whole(name: str, text: str) -> int:
    """Python itself refuses to read numbers of thousands of digits."""
    digits = text.replace("_", "")
    if len(digits) > 16 or int(digits) > MOST:
        raise UsageError(name, text, hint=f"give a whole number of at most {MOST}")
    return int(digits)


def usage(verb: Verb) -> str:
    """``call [NAME] TARGET REQUEST``."""
    names = {Naming.NONE: [], Naming.EITHER: ["NAME"], Naming.NEW: ["[NAME]"], Naming.KNOWN: ["[NAME]"]}[verb.naming]
    arguments = [argument.name if argument.required else f"[{argument.name}]" for argument in verb.arguments]
    return " ".join([verb.name, *names, *arguments])
