"""Text tables, numbers and notes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from typing import Final

# Widest line of a table, in characters; None for no limit. The command line sets it on a terminal.
LINE_WIDTH: Final[ContextVar[int | None]] = ContextVar("line_width", default=None)

_NUMBERS: Final = re.compile(r"\d[\d,.]*(e-?\d+)?")


def format_columns(cells: Sequence[Sequence[str]], *, left: int = 1) -> list[str]:
    """Return the lines of a table, underlined below the headings in the first row.

    A table that is wider than `LINE_WIDTH` has one block for each row, one line for each cell.

    Args:
        cells: the rows; a heading may have several lines.
        left: number of columns that are left-aligned, the others are right-aligned.
    """
    heads = [head.split("\n") for head in cells[0]]
    tall = max(map(len, heads))
    heads = [[""] * (tall - len(head)) + head for head in heads]
    rows = [*zip(*heads, strict=True), *cells[1:]]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    limit = LINE_WIDTH.get()
    if limit is not None and sum(widths) + 2 * (len(widths) - 1) > limit:
        return _format_blocks(cells)
    lines = [
        "  ".join(
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    return [*(line.rstrip() for line in lines[:tall]), "-" * len(lines[0]), *lines[tall:]]


def _format_blocks(cells: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table as one block for each row, headed by its first cell."""
    headings = [" ".join(heading.split()) for heading in cells[0][1:]]
    width = max(map(len, headings), default=0)
    lines = []
    for first, *others in cells[1:]:
        lines.append(first)
        lines += [
            f"  {heading:{width}}  {cell}".rstrip()
            for heading, cell in zip(headings, others, strict=True)
        ]
    return lines


def format_number(value: float | None) -> str:
    """Return the value with three decimals, or a dash for None."""
    return "-" if value is None else f"{value:.3f}"


def count_similar(notes: Mapping[str, int], inputs: int) -> list[str]:
    """Return each kind of note once, with the number of inputs that have it.

    Args:
        notes: note -> number of inputs that have it.
        inputs: number of all inputs.
    """
    found = []
    for group in _group_similar(notes):
        many = sum(notes[note] for note in group)
        differ = ", with different numbers" if len(group) > 1 else ""
        found.append(f"{group[0]} ({many} of {inputs} inputs{differ})")
    return found


def merge_similar(notes: Iterable[str]) -> list[str]:
    """Return each kind of note once, with how many more differ only in numbers."""
    return [
        group[0]
        + (f" (and {len(group) - 1} more with different numbers)" if len(group) > 1 else "")
        for group in _group_similar(notes)
    ]


def _group_similar(notes: Iterable[str]) -> list[list[str]]:
    """Group the notes that differ only in numbers, in the order of the first of each group."""
    groups: dict[str, list[str]] = {}
    for note in notes:
        groups.setdefault(_NUMBERS.sub("#", note), []).append(note)
    return list(groups.values())
