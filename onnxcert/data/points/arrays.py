"""Point clouds saved as NumPy arrays: one array (`.npy`) or several named ones (`.npz`).

Call the functions of this module inside `decoding_errors`.
"""

from __future__ import annotations

import math
import zipfile
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from onnxcert.data.files.archive import list_members, read_array_header, read_member
from onnxcert.data.files.decoding import load_array
from onnxcert.data.points import archive_fields as keys
from onnxcert.data.points.columns import Columns
from onnxcert.data.points.point_cloud import PointCloud
from onnxcert.data.points.validation import MAX_NUMBERS, check_counts, from_table
from onnxcert.errors import InputError

_MAX_NAME: Final = 4096


def read_npy(path: Path, where: str, columns: Columns | None) -> PointCloud:
    """Read the point cloud in a `.npy` file [N, k]; see `read_cloud`."""
    count_npy_points(path, where)
    return from_table(where, load_array(path), columns, keys.describe_point)


def count_npy_points(path: Path, where: str) -> int:
    """Return the number of points in a `.npy` file."""
    array = load_array(path, mapped=True)
    keys.check_numbers(where, "it", array.dtype)
    return _check_points(where, array.shape)


def read_npz(path: Path, where: str, columns: Columns | None) -> PointCloud:
    """Read the point cloud in a `.npz` file; see `read_cloud`."""
    with zipfile.ZipFile(path) as archive:
        members = list_members(where, archive)

        def load(wanted: tuple[str, ...]) -> npt.NDArray[Any] | None:
            name = keys.find_name(where, members, wanted)
            return None if name is None else _load_member(where, archive, name, members[name])

        points = load(keys.POINTS)
        if points is None:
            raise keys.missing_points_error(where, members)
        _check_points(where, points.shape)
        return keys.from_arrays(
            where,
            points,
            columns,
            normals=load(keys.NORMALS),
            features=load(keys.FEATURES),
            rgb=load(keys.COLOURS),
            labels=load(keys.LABELS),
            category=_read_category(where, archive, members),
        )


def count_npz_points(path: Path, where: str) -> int:
    """Return the number of points in a `.npz` file."""
    with zipfile.ZipFile(path) as archive:
        members = list_members(where, archive)
        name = keys.find_name(where, members, keys.POINTS)
        if name is None:
            raise keys.missing_points_error(where, members)
        return _check_points(where, read_array_header(archive, members[name])[0])


def _check_points(where: str, shape: tuple[int, ...]) -> int:
    keys.check_table(where, shape)
    check_counts(where, *shape)
    return shape[0]


def _load_member(
    where: str, archive: zipfile.ZipFile, name: str, member: zipfile.ZipInfo
) -> npt.NDArray[Any]:
    keys.check_numbers(where, name, read_array_header(archive, member)[1])
    return read_member(where, archive, name, member, limit=MAX_NUMBERS)


def _read_category(
    where: str, archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo]
) -> str:
    name = keys.find_name(where, members, keys.CATEGORY)
    if name is None:
        return ""
    shape, dtype = read_array_header(archive, members[name])
    if math.prod(shape) != 1 or dtype.kind not in "USiu" or dtype.itemsize > _MAX_NAME:
        raise InputError(
            f"{where}: expected one category name, but it is {str(dtype)[:60]} of shape "
            f"{list(shape)}: save a string."
        )
    with archive.open(members[name]) as file:
        value = np.lib.format.read_array(file, allow_pickle=False).reshape(-1)[0]
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)
