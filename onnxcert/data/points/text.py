"""Text lines of numbers, read one by one so that an error can name the line.

pandas is faster, but reads a line that is too short, or a word such as NA, as NaN without an error.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np

from onnxcert._typing import LevelArray
from onnxcert.data.points.point_cloud import PointCloud
from onnxcert.data.points.table import MAX_NUMBERS, MAX_POINTS, Columns, check_counts, from_table
from onnxcert.errors import InputError

SUFFIXES: Final = (".txt", ".pts", ".xyz")

_LONGEST: Final = 2**14
# A file of only empty lines would take Python minutes.
_MAX_BLANK: Final = 1_000_000
_BOM: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Rows:
    """A table of numbers with the line number, from 1, of each row.

    Attributes:
        values: float64 [N, k].
        lines: N line numbers.
    """

    values: LevelArray
    lines: array[int]

    def describe_row(self, row: int) -> str:
        """Return the line of a row, for messages."""
        return f"line {self.lines[row]}"


def read_line(file: BinaryIO, where: str, number: int) -> bytes:
    """Return the next line, empty at the end of the file; raise InputError if it is too long."""
    line = file.readline(_LONGEST)
    if len(line) == _LONGEST:
        raise InputError(
            f"{where}: expected lines of less than {_LONGEST:,} bytes, but line {number} is "
            "longer: write one point per line."
        )
    return line


def read_rows(
    file: BinaryIO, where: str, *, before: int = 0, width: int = 0, count: int | None = None
) -> Rows:
    """Read the remaining rows of numbers, separated by spaces or commas; skip empty lines.

    Without `count`, ``#`` begins a comment. Without `count` and `width`, a first line of one number
    is the number of points, as in `.pts` files of scanners.

    Args:
        file: opened for bytes.
        where: the file, for messages.
        before: number of lines that were already read.
        width: numbers per line; 0 for as many as the first line has, three at least.
        count: rows to read; None for all.

    Raises:
        InputError: a line is not a row of `width` numbers, or there are too few or too many rows.
    """
    values, lines, number, announced = array("d"), array("L"), before, None
    most = min(MAX_POINTS, MAX_NUMBERS // max(1, width))
    while count is None or len(lines) < count:
        number += 1
        line = read_line(file, where, number)
        if not line:
            break
        if number == 1:
            line = line.removeprefix(_BOM)
        if count is None:
            line = line.partition(b"#")[0]
        fields = line.replace(b",", b" ").split()
        if not fields:
            _check_blank(where, number - before - len(lines))
            continue
        if not width:
            if announced is None and len(fields) == 1:
                announced = _number(fields[0], where, number)
                continue
            width = max(3, len(fields))
            most = min(MAX_POINTS, MAX_NUMBERS // width)
        if len(fields) != width:
            raise InputError(
                f"{where}: expected {width} number{'s' * (width > 1)} per line, but line {number} "
                f"has {len(fields)}: fix the line."
            )
        if len(lines) >= most:
            check_counts(where, len(lines) + 1, width)
        try:
            if b"_" in line:  # Python reads 1_0 as ten
                raise ValueError
            values.extend(map(float, fields))
        except ValueError:
            del values[len(lines) * width :]
            for field in fields:
                _number(field, where, number)
        lines.append(number)
    wanted = count if announced is None else announced
    if not lines or wanted not in (None, len(lines)):
        promised = "a point on each line" if wanted is None else f"{wanted:,.15g} points"
        raise InputError(
            f"{where}: expected {promised}, but there are {len(lines):,}: fix the file, or leave "
            "it out."
        )
    return Rows(np.frombuffer(values).reshape(len(lines), width), lines)


def _check_blank(where: str, lines: int) -> None:
    if lines > _MAX_BLANK:
        raise InputError(
            f"{where}: expected at most {_MAX_BLANK:,} empty lines and comments, but there are "
            "more: remove them."
        )


def _number(field: bytes, where: str, number: int) -> float:
    try:
        if b"_" in field:
            raise ValueError
        return float(field)
    except ValueError:
        raise InputError(
            f"{where}: expected numbers, but line {number} has "
            f"{field[:40].decode('ascii', 'replace')!r}: fix the line."
        ) from None


def read_text(path: Path, where: str, columns: Columns | None, _index: int | None) -> PointCloud:
    """Read the point cloud in a text file of one point per line; see `read_cloud`."""
    with path.open("rb") as file:
        rows = read_rows(file, where)
    return from_table(where, rows.values, columns, rows.describe_row)


def count_text_points(path: Path, where: str) -> int:
    """Return the number of points in a text file, without parsing their numbers."""
    number = count = 0
    announced = False
    with path.open("rb") as file:
        while line := read_line(file, where, number + 1):
            number += 1
            if number == 1:
                line = line.removeprefix(_BOM)
            fields = line.partition(b"#")[0].replace(b",", b" ").split(None, 1)
            if fields and not (announced or count) and len(fields) == 1:
                announced = True
            elif fields:
                count += 1
            else:
                _check_blank(where, number - count)
    check_counts(where, count)
    return count
