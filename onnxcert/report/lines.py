"""Cells as lines of text."""

from __future__ import annotations

from collections.abc import Sequence


def columns(cells: Sequence[Sequence[str]]) -> list[str]:
    """First column left, the others right, headings underlined; these may have several lines."""
    heads = [head.split("\n") for head in cells[0]]
    tall = max(map(len, heads))
    above = [[""] * (tall - len(head)) + head for head in heads]
    rows = [*([head[i] for head in above] for i in range(tall)), *cells[1:]]
    widths = [max(len(row[i]) for row in rows) for i in range(len(heads))]
    lines = [
        "  ".join(
            [
                row[0].ljust(widths[0]),
                *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True)),
            ]
        )
        for row in rows
    ]
    return [*(line.rstrip() for line in lines[:tall]), "-" * len(lines[0]), *lines[tall:]]


def number(value: float | None) -> str:
    """Three digits behind the point, or a dash."""
    return "-" if value is None else f"{value:.3f}"
