"""Point clouds saved as NumPy arrays, one (`.npy`) or several with names (`.npz`)."""

from __future__ import annotations

import math
import zipfile
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from onnxcert.errors import InputError
from onnxcert.inputs.archive import header_of, load_member, members_of
from onnxcert.inputs.clouds import keys
from onnxcert.inputs.clouds.assembly import from_table
from onnxcert.inputs.clouds.cloud import PointCloud
from onnxcert.inputs.clouds.columns import Columns
from onnxcert.inputs.clouds.limits import MAX_NUMBERS, check_counts
from onnxcert.inputs.decoding import load_array

_MAX_NAME: Final = 4096


def read_npy(path: Path, where: str, columns: Columns | None) -> PointCloud:
    """The cloud in a `.npy` file [N, k]; see `read_cloud`; only inside `decoding`."""
    npy_size(path, where)
    return from_table(where, load_array(path), columns, keys.row)


def npy_size(path: Path, where: str) -> int:
    """How many points a `.npy` file has; only inside `decoding`."""
    array = load_array(path, mapped=True)
    keys.check_numbers(where, "it", array.dtype)
    return _points(where, array.shape)


def read_npz(path: Path, where: str, columns: Columns | None) -> PointCloud:
    """The cloud in a `.npz` file; see `read_cloud`; only inside `decoding`."""
    with zipfile.ZipFile(path) as archive:
        members = members_of(where, archive)

        def load(wanted: tuple[str, ...]) -> npt.NDArray[Any] | None:
            name = keys.one_of(where, members, wanted)
            return None if name is None else _load(where, archive, name, members[name])

        points = load(keys.POINTS)
        if points is None:
            raise keys.no_points(where, members)
        _points(where, points.shape)
        return keys.from_arrays(
            where,
            points,
            columns,
            normals=load(keys.NORMALS),
            features=load(keys.FEATURES),
            rgb=load(keys.COLOURS),
            labels=load(keys.LABELS),
            category=_category(where, archive, members),
        )


def npz_size(path: Path, where: str) -> int:
    """How many points a `.npz` file has; only inside `decoding`."""
    with zipfile.ZipFile(path) as archive:
        members = members_of(where, archive)
        name = keys.one_of(where, members, keys.POINTS)
        if name is None:
            raise keys.no_points(where, members)
        return _points(where, header_of(archive, members[name])[0])


def _points(where: str, shape: tuple[int, ...]) -> int:
    keys.check_table(where, shape)
    check_counts(where, *shape)
    return shape[0]


def _load(
    where: str, archive: zipfile.ZipFile, name: str, member: zipfile.ZipInfo
) -> npt.NDArray[Any]:
    keys.check_numbers(where, name, header_of(archive, member)[1])
    return load_member(where, archive, name, member, limit=MAX_NUMBERS)


def _category(where: str, archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo]) -> str:
    name = keys.one_of(where, members, keys.CATEGORY)
    if name is None:
        return ""
    shape, dtype = header_of(archive, members[name])
    if math.prod(shape) != 1 or dtype.kind not in "USiu" or dtype.itemsize > _MAX_NAME:
        raise InputError(
            f"{where}: expected one name of a category, but it is {str(dtype)[:60]} of shape "
            f"{list(shape)}: save a text."
        )
    with archive.open(members[name]) as file:
        value = np.lib.format.read_array(file, allow_pickle=False).reshape(-1)[0]
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)
