"""Point clouds as lines of text."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from onnxcert.inputs.clouds.assembly import from_table
from onnxcert.inputs.clouds.cloud import PointCloud
from onnxcert.inputs.clouds.columns import Columns
from onnxcert.inputs.clouds.rows import count_rows, read_rows

SUFFIXES: Final = (".txt", ".pts", ".xyz")


def read_text(path: Path, where: str, columns: Columns | None) -> PointCloud:
    """The cloud in a text file of one point a line; see `read_cloud`; only inside `decoding`."""
    with path.open("rb") as file:
        rows = read_rows(file, where)
    return from_table(where, rows.values, columns, rows.place)


def text_size(path: Path, where: str) -> int:
    """How many points a text file has; only inside `decoding`."""
    with path.open("rb") as file:
        return count_rows(file, where)
