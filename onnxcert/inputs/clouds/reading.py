"""A point cloud from a file of any format."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from onnxcert.inputs.bounds import check_file
from onnxcert.inputs.clouds import hdf5, text
from onnxcert.inputs.clouds.arrays import npy_size, npz_size, read_npy, read_npz
from onnxcert.inputs.clouds.cloud import PointCloud
from onnxcert.inputs.clouds.columns import Columns
from onnxcert.inputs.clouds.limits import MAX_BYTES
from onnxcert.inputs.clouds.ply import ply_size, read_ply
from onnxcert.inputs.decoding import decoding

SUFFIXES: Final = (".npy", ".npz", ".ply", *text.SUFFIXES, *hdf5.SUFFIXES)

_EXPECTED: Final = "a point cloud as .npy, .npz, .txt, .pts, .xyz, .ply or .h5"


def called(path: Path, index: int | None) -> str:
    """A cloud in messages: its file, and which of the shapes in it."""
    return str(path) if index is None else f"{path}, shape {index}"


def read_cloud(path: Path, *, columns: str | None = None, index: int | None = None) -> PointCloud:
    """Read the point cloud in a file; the suffix tells the format, and any other means text.

    * `.txt`, `.pts`, `.xyz`: one point a line, numbers parted by blanks or commas, ``#`` before
      comments; the first line may be the number of points.
    * `.npy`: integers or floats [N, k].
    * `.npz`: an array ``points`` (``xyz``, ``pos``, ``coords``, ``data``) [N, k], and where there
      are, ``normals`` [N, 3], ``features`` [N, k], ``colors`` (``rgb``) [N, 3], ``labels``
      (``label``, ``seg``, ``pid``, ``mask``) [N] and ``category``, a text.
    * `.ply`: the vertices; ``x y z``, ``nx ny nz``, ``red green blue``, and a property called
      label, class, seg, part or the like; the category from a line ``comment category NAME``.
    * `.h5`: datasets called as in `.npz`, of one shape or, with one more axis in front, of many;
      a ``label`` of one number a shape is its category, as text.

    Colours as integers become features in [0, 1]; in `.npz` and `.h5`, floats stay as they are.

    Args:
        path: the file.
        columns: what the columns of nameless numbers are, such as ``xyz,normals,label``; see
            `Columns`. Without it they are x y z, x y z and a unit normal, or both and a class;
            any others are refused. Of no effect where the file names its numbers.
        index: which shape of a file that holds many, from 0.

    Raises:
        InputError: the file is missing, damaged, too large, or holds something else; the message
            names the line or the point.
        ParameterError: `columns` is no description.
    """
    where, told = called(path, index), None if columns is None else Columns.parse(columns)
    suffix = path.suffix.lower()
    with decoding(path, _EXPECTED):
        check_file(path, limit=MAX_BYTES)
        if suffix == ".npy":
            return read_npy(path, where, told)
        if suffix == ".npz":
            return read_npz(path, where, told)
        if suffix == ".ply":
            return read_ply(path, where)
        if suffix in hdf5.SUFFIXES:
            return hdf5.read_hdf5(path, where, told, index)
        return text.read_text(path, where, told)


def cloud_size(path: Path) -> int:
    """The number of points of the cloud, or of each shape, in a file, from its header.

    Of a text file the lines are counted, none is read as numbers.

    Raises:
        InputError: as for `read_cloud`, except for what only the numbers show.
    """
    suffix, where = path.suffix.lower(), str(path)
    with decoding(path, _EXPECTED):
        check_file(path, limit=MAX_BYTES)
        if suffix == ".npy":
            return npy_size(path, where)
        if suffix == ".npz":
            return npz_size(path, where)
        if suffix == ".ply":
            return ply_size(path, where)
        if suffix in hdf5.SUFFIXES:
            return hdf5.hdf5_size(path, where)
        return text.text_size(path, where)


def cloud_shapes(path: Path) -> int | None:
    """How many shapes a file holds; None where it is one and has no index.

    Raises:
        InputError: as for `cloud_size`.
    """
    if path.suffix.lower() not in hdf5.SUFFIXES:
        return None
    with decoding(path, _EXPECTED):
        check_file(path, limit=MAX_BYTES)
        return hdf5.hdf5_shapes(path, str(path))
