"""Tables of views: the results of ``list``, ``ps``, ``events`` and their like. A sequence of the views themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar, overload

from .result import Result
from .safe import escape, line

T = TypeVar("T")

CELL = 120
"""Characters of one cell."""

ROWS = 1_000
"""Rows that are shown; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Column(Generic[T]):
    """A title and how to read the cell from a view."""

    title: str
    cell: Callable[[T], object]
    right: bool = False


class Table(Result, Sequence[T], Generic[T]):
    """Rows that are views: ``table[0]`` is the first view, ``len(table)`` counts them all."""

    __slots__ = ("_columns", "_empty", "caption", "items")

    def __init__(self, items: Sequence[T], columns: Sequence[Column[T]], *, caption: str = "", empty: str) -> None:
        self.items, self._columns = tuple(items), tuple(columns)
        self.caption, self._empty = caption, empty

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[T, ...]: ...
    def __getitem__(self, index: int | slice) -> T | tuple[T, ...]:
        return self.items[index]

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def text(self) -> str:
        head = [line(self.caption)] if self.caption else []
        if not self.items:
            return "\n".join([*head, self._empty])
        rows = [[column.title for column in self._columns], *self._cells()]
        widths = [max(len(row[index]) for row in rows) for index in range(len(self._columns))]
        return "\n".join([*head, *(self._row(row, widths) for row in rows), *self._more()])

    def html(self) -> str:
        caption = f"<caption>{escape(self.caption)}</caption>" if self.caption else ""
        if not self.items:
            return f"<div>{escape(self.caption)}<p>{escape(self._empty)}</p></div>"
        head = "".join(f'<th scope="col"{_align(column)}>{escape(column.title)}</th>' for column in self._columns)
        body = "".join(f"<tr>{self._html_cells(row)}</tr>" for row in self._cells())
        more = "".join(f"<p>{escape(text)}</p>" for text in self._more())
        return f"<div><table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}</div>"

    def _cells(self) -> list[list[str]]:
        return [[line(column.cell(item), CELL) for column in self._columns] for item in self.items[:ROWS]]

    def _row(self, row: list[str], widths: list[int]) -> str:
        cells = zip(row, widths, self._columns, strict=True)
        return "  ".join(
            cell.rjust(width) if column.right else cell.ljust(width) for cell, width, column in cells
        ).rstrip()

    def _html_cells(self, row: list[str]) -> str:
        pairs = zip(row, self._columns, strict=True)
        return "".join(f"<td{_align(column)}>{escape(cell, CELL + 1)}</td>" for cell, column in pairs)

    def _more(self) -> list[str]:
        return [f"… and {len(self.items) - ROWS} more"] if len(self.items) > ROWS else []


def _align(column: Column[T]) -> str:
    return ' style="text-align:right"' if column.right else ' style="text-align:left"'
