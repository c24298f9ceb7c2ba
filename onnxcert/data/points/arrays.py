"""Point clouds saved as NumPy arrays, and the names that their arrays have in archives and HDF5.

Call the functions that read files inside `decoding_errors`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from onnxcert.data.arrays import StoredArray, open_archive, open_array
from onnxcert.data.points.point_cloud import PointCloud
from onnxcert.data.points.table import (
    MAX_BYTES,
    MAX_NUMBERS,
    Columns,
    Numbers,
    build_cloud,
    check_counts,
    from_table,
    scale_colours,
)
from onnxcert.errors import InputError

_MAX_NAME: Final = 4096

POINTS: Final = ("points", "point", "xyz", "pos", "coords", "coordinates", "data")
NORMALS: Final = ("normals", "normal")
FEATURES: Final = ("features", "feature")
COLOURS: Final = ("colors", "colours", "color", "colour", "rgb")
LABELS: Final = ("labels", "label", "seg", "segmentation", "label_seg", "pid", "mask")
CATEGORY: Final = ("category",)


def find_name(where: str, names: Collection[str], wanted: tuple[str, ...]) -> str | None:
    """Return the one of the `wanted` names that exists, or None; raise InputError for several."""
    found = [name for name in wanted if name in names]
    if len(found) > 1:
        raise InputError(
            f"{where}: expected one array out of {', '.join(wanted)}, but it has "
            f"{' and '.join(found)}: keep one of them."
        )
    return found[0] if found else None


def missing_points_error(where: str, names: Collection[str]) -> InputError:
    """Return the error for an archive without coordinates."""
    found = ", ".join(repr(name[:40]) for name in sorted(names)[:8]) or "nothing"
    return InputError(
        f"{where}: expected an array called {', '.join(POINTS[:-1])} or {POINTS[-1]}, but there "
        f"is {found}: rename the coordinates."
    )


def describe_point(number: int) -> str:
    """Return the name of a point in messages about arrays, counted from 0."""
    return f"point {number}"


def from_arrays(
    where: str,
    points: Numbers,
    columns: Columns | None,
    *,
    normals: Numbers | None = None,
    features: Numbers | None = None,
    rgb: Numbers | None = None,
    labels: Numbers | None = None,
    category: str = "",
) -> PointCloud:
    """Build a point cloud from named arrays; points of more than three columns are a table.

    Args:
        where: the file, for messages.
        points: [N, k].
        columns: meaning of the columns of `points` if k is more than three.
        normals: [N, 3], or None.
        features: [N, k], or None.
        rgb: [N, 3], or None.
        labels: [N], or None.
        category: shape category.

    Raises:
        InputError: the shapes of the arrays do not match, or a number is invalid.
    """
    n_points = len(points)
    for name, array in (("normals", normals), ("colours", rgb)):
        if array is not None and array.shape != (n_points, 3):
            raise _shape_error(where, name, f"[{n_points}, 3]", array)
    if features is not None and (features.ndim != 2 or len(features) != n_points):
        raise _shape_error(where, "features", f"[{n_points}, k]", features)
    if labels is not None:
        if labels.shape not in ((n_points,), (n_points, 1)):
            raise _shape_error(where, "labels", f"[{n_points}]", labels)
        labels = labels.reshape(n_points)
    further = [] if features is None else [features]
    if rgb is not None:
        if rgb.dtype.kind != "f":
            rgb = scale_colours(where, rgb, _full_scale(rgb), describe_point)
        further.append(rgb)
    if points.shape[1] == 3:
        return build_cloud(
            where,
            points,
            normals=normals,
            features=np.hstack(further) if further else None,
            labels=labels,
            category=category,
            describe_row=describe_point,
        )
    if further or normals is not None:
        raise InputError(
            f"{where}: expected points of 3 columns beside arrays of normals or features, but "
            f"they have {points.shape[1]}: save each once."
        )
    cloud = from_table(where, points, columns, describe_point, category=category)
    if labels is None:
        return cloud
    if cloud.labels is not None:
        raise InputError(
            f"{where}: expected labels once, but the points have a column of them beside the "
            "array: call that column skip in --columns."
        )
    return build_cloud(
        where,
        cloud.points,
        normals=cloud.normals,
        features=cloud.features,
        labels=labels,
        category=category,
        describe_row=describe_point,
    )


def _full_scale(rgb: Numbers) -> int:
    return 2**16 - 1 if rgb.dtype == np.uint16 else 255


def _shape_error(where: str, name: str, wanted: str, array: Numbers) -> InputError:
    return InputError(
        f"{where}: expected {name} as {wanted}, one row per point, but they are "
        f"{list(array.shape)}: reshape them."
    )


def check_numbers(where: str, name: str, dtype: np.dtype[np.generic]) -> None:
    """Raise InputError unless an array holds integers or floats of up to 64 bits."""
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        raise InputError(
            f"{where}: expected integers or floats of up to 64 bits, but {name} holds "
            f"{str(dtype)[:60]}: convert it."
        )


def check_table(where: str, shape: tuple[int, ...]) -> None:
    """Raise InputError unless points are [N, k] with k of three or more."""
    if len(shape) != 2 or shape[1] < 3:
        raise InputError(
            f"{where}: expected points as [N, 3] or [N, k], but they are {list(shape)}: reshape "
            "them, and save each shape in its own file."
        )


def read_npy(path: Path, where: str, columns: Columns | None, _index: int | None) -> PointCloud:
    """Read the point cloud in a `.npy` file [N, k]; see `read_cloud`."""
    with open_array(path) as array:
        _check_points(where, array)
        return from_table(where, array.read(limit=MAX_NUMBERS), columns, describe_point)


def count_npy_points(path: Path, where: str) -> int:
    """Return the number of points in a `.npy` file."""
    with open_array(path) as array:
        return _check_points(where, array)


def read_npz(path: Path, where: str, columns: Columns | None, _index: int | None) -> PointCloud:
    """Read the point cloud in a `.npz` file; see `read_cloud`."""
    with open_archive(path, limit=MAX_BYTES) as arrays:

        def load(wanted: tuple[str, ...]) -> npt.NDArray[Any] | None:
            name = find_name(where, arrays, wanted)
            if name is None:
                return None
            check_numbers(where, name, arrays[name].dtype)
            return arrays[name].read(limit=MAX_NUMBERS)

        _find_points(where, arrays)
        points = load(POINTS)
        assert points is not None
        return from_arrays(
            where,
            points,
            columns,
            normals=load(NORMALS),
            features=load(FEATURES),
            rgb=load(COLOURS),
            labels=load(LABELS),
            category=_read_category(where, arrays),
        )


def count_npz_points(path: Path, where: str) -> int:
    """Return the number of points in a `.npz` file."""
    with open_archive(path, limit=MAX_BYTES) as arrays:
        return _find_points(where, arrays)


def _find_points(where: str, arrays: Mapping[str, StoredArray]) -> int:
    name = find_name(where, arrays, POINTS)
    if name is None:
        raise missing_points_error(where, arrays)
    return _check_points(where, arrays[name])


def _check_points(where: str, array: StoredArray) -> int:
    check_numbers(where, array.name, array.dtype)
    check_table(where, array.shape)
    check_counts(where, *array.shape)
    return array.shape[0]


def _read_category(where: str, arrays: Mapping[str, StoredArray]) -> str:
    name = find_name(where, arrays, CATEGORY)
    if name is None:
        return ""
    shape, dtype = arrays[name].shape, arrays[name].dtype
    if math.prod(shape) != 1 or dtype.kind not in "USiu" or dtype.itemsize > _MAX_NAME:
        raise InputError(
            f"{where}: expected one category name, but it is {str(dtype)[:60]} of shape "
            f"{list(shape)}: save a string."
        )
    value = arrays[name].read(limit=1).reshape(-1)[0]
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)
