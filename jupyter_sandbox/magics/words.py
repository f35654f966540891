"""Split a magic line into words with their places, so that the rest of the line can be taken as it stands. Pure."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

_OPEN, _CLOSE, _QUOTES = "([{", ")]}", "'\""


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a line and where it begins in it."""

    text: str
    start: int

    @property
    def plain(self) -> str:
        """The word without the quotes around it, if it is a quoted text.

        >>> Word("'two words'", 0).plain
        'two words'
        """
        if len(self.text) > 1 and self.text[0] in _QUOTES and self.text[-1] == self.text[0]:
            try:
                value = ast.literal_eval(self.text)
            except (ValueError, SyntaxError):
                return self.text
            return value if isinstance(value, str) else self.text
        return self.text


def without_comment(line: str) -> str:
    """The line up to a ``#`` that stands outside quotes and after a space.

    >>> without_comment('call front "#1"   # ask')
    'call front "#1"'
    """
    for index, char, quoted in _scan(line):
        if char == "#" and not quoted and (index == 0 or line[index - 1].isspace()):
            return line[:index].rstrip()
    return line.rstrip()


def split(line: str) -> list[Word]:
    """Words of a line; quotes and brackets hold a word together.

    >>> [word.text for word in split('call front ("add", 2)')]
    ['call', 'front', '("add", 2)']
    """
    words: list[Word] = []
    start, depth = -1, 0
    for index, char, quoted in _scan(line):
        if not quoted and char.isspace() and depth <= 0:
            if start >= 0:
                words.append(Word(line[start:index], start))
            start, depth = -1, 0
            continue
        if not quoted:
            depth += (char in _OPEN) - (char in _CLOSE)
        start = index if start < 0 else start
    return [*words, Word(line[start:], start)] if start >= 0 else words


def _scan(line: str) -> Iterator[tuple[int, str, bool]]:
    """Every character with its place and whether it is in quotes, the quotes themselves included."""
    quote, escaped = "", False
    for index, char in enumerate(line):
        if quote:
            yield index, char, True
            quote = "" if char == quote and not escaped else quote
            escaped = char == "\\" and not escaped
        else:
            quote = char if char in _QUOTES else ""
            yield index, char, bool(quote)


def complaint(source: str) -> str | None:
    """None for a Python expression, else what Python says is wrong with it.

    >>> complaint('("add", ')
    "'(' was never closed"
    """
    try:
        ast.parse(source.strip(), mode="eval")
    except SyntaxError as error:
        return error.msg
    except ValueError as error:  # null bytes
        return str(error)
    return None
