"""Text tables, numbers and notes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

_NUMBERS: Final = re.compile(r"\d[\d,.]*(e-?\d+)?")


def format_columns(cells: Sequence[Sequence[str]], *, left: int = 1) -> list[str]:
    """Return the lines of a table, underlined below the headings in the first row.

    Args:
        cells: the rows; a heading may have several lines.
        left: number of columns that are left-aligned, the others are right-aligned.
    """
    heads = [head.split("\n") for head in cells[0]]
    tall = max(map(len, heads))
    heads = [[""] * (tall - len(head)) + head for head in heads]
    rows = [*zip(*heads, strict=True), *cells[1:]]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    return [*(line.rstrip() for line in lines[:tall]), "-" * len(lines[0]), *lines[tall:]]


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
