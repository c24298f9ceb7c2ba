"""Read a point cloud from a file of any supported format."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from onnxcert.data.files.decoding import decoding_errors
from onnxcert.data.files.limits import check_file
from onnxcert.data.points import hdf5
from onnxcert.data.points import rows as text
from onnxcert.data.points.arrays import count_npy_points, count_npz_points, read_npy, read_npz
from onnxcert.data.points.columns import Columns
from onnxcert.data.points.ply import count_ply_points, read_ply
from onnxcert.data.points.point_cloud import PointCloud
from onnxcert.data.points.validation import MAX_BYTES

SUFFIXES: Final = (".npy", ".npz", ".ply", *text.SUFFIXES, *hdf5.SUFFIXES)

_EXPECTED: Final = "a point cloud as .npy, .npz, .txt, .pts, .xyz, .ply or .h5"


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
    where = describe_source(path, index)
    parsed = None if columns is None else Columns.parse(columns)
    suffix = path.suffix.lower()
    with decoding_errors(path, _EXPECTED):
        check_file(path, limit=MAX_BYTES)
        if suffix == ".npy":
            return read_npy(path, where, parsed)
        if suffix == ".npz":
            return read_npz(path, where, parsed)
        if suffix == ".ply":
            return read_ply(path, where)
        if suffix in hdf5.SUFFIXES:
            return hdf5.read_hdf5(path, where, parsed, index)
        return text.read_text(path, where, parsed)


def count_points(path: Path) -> int:
    """Return the number of points of the point cloud, or of each shape, from the file's header.

    Of a text file, count the lines without parsing their numbers.

    Raises:
        InputError: as for `read_cloud`, except for errors that only the numbers show.
    """
    suffix, where = path.suffix.lower(), str(path)
    with decoding_errors(path, _EXPECTED):
        check_file(path, limit=MAX_BYTES)
        if suffix == ".npy":
            return count_npy_points(path, where)
        if suffix == ".npz":
            return count_npz_points(path, where)
        if suffix == ".ply":
            return count_ply_points(path, where)
        if suffix in hdf5.SUFFIXES:
            return hdf5.count_hdf5_points(path, where)
        return text.count_text_points(path, where)


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
