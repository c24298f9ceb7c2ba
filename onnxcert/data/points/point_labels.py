"""Class labels of points in a separate file."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from onnxcert.data.files.decoding import decoding_errors, load_array
from onnxcert.data.files.limits import check_file
from onnxcert.data.points.archive_fields import describe_point
from onnxcert.data.points.rows import read_rows
from onnxcert.data.points.validation import MAX_BYTES, to_classes
from onnxcert.errors import InputError

SUFFIXES: Final = (".npy", ".txt", ".seg")

_EXPECTED: Final = "a label file as .npy or as text with one integer for each point"


def read_cloud_labels(path: Path, points: int) -> npt.NDArray[np.int32]:
    """Read the class of each point: `.npy` integers [N], or text with one integer per line.

    Args:
        path: the label file.
        points: N, the number of points of the point cloud.

    Returns:
        int32 [N], in file order.

    Raises:
        InputError: the file is missing, damaged, or does not hold N integers.
    """
    with decoding_errors(path, _EXPECTED):
        check_file(path, limit=MAX_BYTES)
        if path.suffix.lower() == ".npy":
            mapped = load_array(path, mapped=True)
            if mapped.shape not in ((points,), (points, 1)) or mapped.dtype.kind not in "iu":
                raise InputError(
                    f"{path}: expected integers [{points}], one for each point, but it is "
                    f"{str(mapped.dtype)[:60]} of shape {list(mapped.shape)}: use the labels of "
                    "this point cloud."
                )
            return to_classes(str(path), load_array(path).reshape(points), describe_point)
        with path.open("rb") as file:
            rows = read_rows(file, str(path), width=1)
        if len(rows.lines) != points:
            raise InputError(
                f"{path}: expected {points:,} lines, one for each point, but there are "
                f"{len(rows.lines):,}: use the labels of this point cloud."
            )
        return to_classes(str(path), rows.values[:, 0], rows.describe_row)
