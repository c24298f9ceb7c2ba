"""Read a point cloud, or the class of each of its points, from a file of any supported format."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from onnxcert.data.arrays import open_array
from onnxcert.data.decoding import check_file, decoding_errors, open_file
from onnxcert.data.points import arrays, hdf5, ply, text
from onnxcert.data.points.point_cloud import PointCloud
from onnxcert.data.points.table import MAX_BYTES, MAX_NUMBERS, Columns, to_classes
from onnxcert.errors import InputError

SUFFIXES: Final = (".npy", ".npz", ".ply", *text.SUFFIXES, *hdf5.SUFFIXES)
LABEL_SUFFIXES: Final = (".npy", ".txt", ".seg")

_EXPECTED: Final = "a point cloud as .npy, .npz, .txt, .pts, .xyz, .ply or .h5"
_LABELS: Final = "a label file as .npy or as text with one integer for each point"

# Functions that read a point cloud, and count its points.
_Format = tuple[
    Callable[[Path, str, Columns | None, int | None], PointCloud], Callable[[Path, str], int]
]
_TEXT: Final[_Format] = (text.read_text, text.count_text_points)
# By suffix; all other files are text.
_FORMATS: Final[dict[str, _Format]] = {
    ".npy": (arrays.read_npy, arrays.count_npy_points),
    ".npz": (arrays.read_npz, arrays.count_npz_points),
    ".ply": (ply.read_ply, ply.count_ply_points),
    **dict.fromkeys(hdf5.SUFFIXES, (hdf5.read_hdf5, hdf5.count_hdf5_points)),
}


def describe_source(path: Path, index: int | None) -> str:
    """Return the name of a point cloud in messages: its file and, if any, its shape index."""
    return str(path) if index is None else f"{path}, shape {index}"


def read_cloud(path: Path, *, columns: str | None = None, index: int | None = None) -> PointCloud:
    """Read the point cloud in a file; the suffix gives the format, and any other suffix means text.

    * `.txt`, `.pts`, `.xyz`: one point per line, numbers separated by spaces or commas, ``#``
      begins a comment; the first line may be the number of points.
    * `.npy`: integers or floats [N, k].
    * `.npz`: an array ``points`` (``xyz``, ``pos``, ``coords``, ``data``) [N, k], and optionally
      ``normals`` [N, 3], ``features`` [N, k], ``colors`` (``rgb``) [N, 3], ``labels`` (``label``,
      ``seg``, ``pid``, ``mask``) [N] and ``category``, a string.
    * `.ply`: the vertices; ``x y z``, ``nx ny nz``, ``red green blue``, and a property called
      label, class, seg, part or similar; the category from a line ``comment category NAME``.
    * `.h5`: datasets named as in `.npz`, of one shape or, with a further first axis, of many; a
      ``label`` of one number per shape is its category, as text.

    Integer colours become features in [0, 1]; in `.npz` and `.h5`, floats are not scaled.

    Args:
        path: the file.
        columns: meaning of unnamed columns, such as ``xyz,normals,label``; see `Columns`. Without
            it they are x y z, x y z and a unit normal, or both and a class; all others are refused.
            Ignored if the file names its numbers.
        index: index of the shape, from 0, in a file of several.

    Raises:
        InputError: the file is missing, damaged, too large, or holds something else; the message
            names the line or point.
        ParameterError: `columns` is invalid.
    """
    parsed = None if columns is None else Columns.parse(columns)
    read, _ = _FORMATS.get(path.suffix.lower(), _TEXT)
    with decoding_errors(path, _EXPECTED):
        check_file(path, limit=MAX_BYTES)
        return read(path, describe_source(path, index), parsed, index)


def count_points(path: Path) -> int:
    """Return the number of points of the point cloud, or of each shape, from the file's header.

    Of a text file, count the lines without parsing their numbers.

    Raises:
        InputError: as for `read_cloud`, except for errors that only the numbers show.
    """
    _, count = _FORMATS.get(path.suffix.lower(), _TEXT)
    with decoding_errors(path, _EXPECTED):
        check_file(path, limit=MAX_BYTES)
        return count(path, str(path))


def count_shapes(path: Path) -> int | None:
    """Return the number of shapes in a file; None if it holds one shape without an index.

    Raises:
        InputError: as for `count_points`.
    """
    if path.suffix.lower() not in hdf5.SUFFIXES:
        return None
    with decoding_errors(path, _EXPECTED):
        check_file(path, limit=MAX_BYTES)
        return hdf5.count_hdf5_shapes(path, str(path))


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
    with decoding_errors(path, _LABELS):
        if path.suffix.lower() == ".npy":
            with open_array(path) as array:
                if array.shape not in ((points,), (points, 1)) or array.dtype.kind not in "iu":
                    raise InputError(
                        f"{path}: expected integers [{points}], one for each point, but it is "
                        f"{str(array.dtype)[:60]} of shape {list(array.shape)}: use the labels of "
                        "this point cloud."
                    )
                values = array.read(limit=MAX_NUMBERS).reshape(points)
            return to_classes(str(path), values, arrays.describe_point)
        with open_file(path, limit=MAX_BYTES) as file:
            rows = text.read_rows(file, str(path), width=1)
        if len(rows.lines) != points:
            raise InputError(
                f"{path}: expected {points:,} lines, one for each point, but there are "
                f"{len(rows.lines):,}: use the labels of this point cloud."
            )
        return to_classes(str(path), rows.values[:, 0], rows.describe_row)
