"""Point clouds as lines of text; call these functions inside `decoding_errors`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from onnxcert.inputs.clouds.assembly import from_table
from onnxcert.inputs.clouds.cloud import PointCloud
from onnxcert.inputs.clouds.columns import Columns
from onnxcert.inputs.clouds.rows import count_rows, read_rows

SUFFIXES: Final = (".txt", ".pts", ".xyz")


def read_text(path: Path, where: str, columns: Columns | None) -> PointCloud:
    """Read the point cloud in a text file of one point per line; see `read_cloud`."""
    with path.open("rb") as file:
        rows = read_rows(file, where)
    return from_table(where, rows.values, columns, rows.describe_row)


def count_text_points(path: Path, where: str) -> int:
    """Return the number of points in a text file."""
    with path.open("rb") as file:
        return count_rows(file, where)
