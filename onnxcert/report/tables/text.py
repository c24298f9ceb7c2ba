"""Plain-text tables."""

from __future__ import annotations

from collections.abc import Sequence


def format_columns(cells: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table: first column left-aligned, the others right-aligned.

    The first row holds the headings; a heading may have several lines. They are underlined.
    """
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


def format_number(value: float | None) -> str:
    """Return the value with three decimals, or a dash for None."""
    return "-" if value is None else f"{value:.3f}"
