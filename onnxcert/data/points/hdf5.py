"""Point clouds in HDF5 files of one shape or, as for ModelNet and ShapeNet, of many.

Call the functions of this module inside `decoding_errors`. h5py is imported only when an HDF5 file
is read.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from onnxcert.data.points import arrays
from onnxcert.data.points.point_cloud import PointCloud
from onnxcert.data.points.table import Columns, check_counts
from onnxcert.errors import InputError

SUFFIXES: Final = (".h5", ".hdf5")

_MAX_SHAPES: Final = 100_000
_MAX_CHUNK: Final = 2**29
_MAX_NAMES: Final = 1000
_MAX_NAME: Final = 4096


@dataclass(frozen=True)
class _Shapes:
    """An open HDF5 file of point clouds.

    Attributes:
        datasets: its datasets by name.
        points: the dataset with the coordinates.
        shapes: number of shapes; None if the points are [N, k].
    """

    datasets: dict[str, Any]
    points: Any
    shapes: int | None


def read_hdf5(path: Path, where: str, columns: Columns | None, index: int | None) -> PointCloud:
    """Read shape `index` of an HDF5 file; see `read_cloud`."""
    with _open_file(path, where) as file:
        if file.shapes is None:
            at: Any = ()
            if index is not None:
                raise InputError(
                    f"{where}: expected several shapes, but the file holds one without an index: "
                    "list the file again if it has changed."
                )
        else:
            if index is None and file.shapes > 1:
                raise InputError(
                    f"{where}: expected one shape, but it holds {file.shapes:,}: give the file as "
                    "an input, which stands for all of them."
                )
            at = index or 0
            if not 0 <= at < file.shapes:
                raise InputError(
                    f"{where}: expected more than {at:,} shapes, but it holds {file.shapes:,}: "
                    "list the file again if it has changed."
                )
        n_points = file.points.shape[-2]

        def load(wanted: tuple[str, ...]) -> npt.NDArray[Any] | None:
            return _load(where, file, wanted, at)

        labels, category = _read_labels(where, file, at, n_points)
        return arrays.from_arrays(
            where,
            _read_values(where, file.points, at),
            columns,
            normals=load(arrays.NORMALS),
            features=load(arrays.FEATURES),
            rgb=load(arrays.COLOURS),
            labels=labels,
            category=category,
        )


def count_hdf5_points(path: Path, where: str) -> int:
    """Return the number of points of each shape in an HDF5 file."""
    with _open_file(path, where) as file:
        return int(file.points.shape[-2])


def count_hdf5_shapes(path: Path, where: str) -> int | None:
    """Return the number of shapes in an HDF5 file, None if its points are [N, k]."""
    with _open_file(path, where) as file:
        return file.shapes


@contextmanager
def _open_file(path: Path, where: str) -> Iterator[_Shapes]:
    import h5py

    # Do not lock: the file may be on a file system without locks, or open in other programs.
    with h5py.File(path, "r", locking=False) as file:
        if len(file) > _MAX_NAMES:
            raise InputError(
                f"{where}: expected the arrays of point clouds, but it has {len(file):,} members: "
                "save the points of all shapes as one array."
            )
        # Do not follow links into other files.
        datasets = {
            name: file[name]
            for name in file
            if isinstance(file.get(name, getlink=True), h5py.HardLink)
            and file.get(name, getclass=True) is h5py.Dataset
        }
        name = arrays.find_name(where, datasets, arrays.POINTS)
        if name is None:
            raise arrays.missing_points_error(where, datasets)
        shape = tuple(datasets[name].shape or ())
        arrays.check_table(where, shape[1:] if len(shape) == 3 else shape)
        check_counts(where, *shape[-2:])
        shapes = shape[0] if len(shape) == 3 else None
        if shapes is not None and not 1 <= shapes <= _MAX_SHAPES:
            raise InputError(
                f"{where}: expected 1 to {_MAX_SHAPES:,} shapes, but it holds {shapes:,}: split "
                "the file."
            )
        yield _Shapes(datasets, datasets[name], shapes)


def _load(
    where: str, file: _Shapes, wanted: tuple[str, ...], at: int | tuple[()]
) -> npt.NDArray[Any] | None:
    name = arrays.find_name(where, file.datasets, wanted)
    return None if name is None else _read_values(where, file.datasets[name], at, file.shapes)


def _read_values(
    where: str, dataset: Any, at: int | tuple[()], shapes: int | None = None
) -> npt.NDArray[Any]:
    name = dataset.name.lstrip("/")[:40]
    arrays.check_numbers(where, name, dataset.dtype)
    shape = tuple(dataset.shape or ())
    if shapes is not None and shape[:1] != (shapes,):
        raise InputError(
            f"{where}: expected {name} for each of {shapes:,} shapes, but it is {list(shape)}: "
            "reshape it."
        )
    part = shape[1:] if at != () else shape
    check_counts(where, 1, max(1, math.prod(part)))
    _check_storage(where, dataset)
    return np.asarray(dataset[at])


def _check_storage(where: str, dataset: Any) -> None:
    name = dataset.name.lstrip("/")[:40]
    if dataset.is_virtual or dataset.external:
        raise InputError(
            f"{where}: expected numbers in the file itself, but {name} refers to other files: "
            "copy them into one."
        )
    chunk = math.prod(dataset.chunks or (0,)) * dataset.dtype.itemsize
    if chunk > _MAX_CHUNK:
        raise InputError(
            f"{where}: expected chunks of at most {_MAX_CHUNK >> 20} MiB, but {name} has chunks "
            f"of {chunk >> 20:,} MiB: save it in smaller chunks."
        )


def _read_labels(
    where: str, file: _Shapes, at: int | tuple[()], n_points: int
) -> tuple[npt.NDArray[Any] | None, str]:
    """Return the point labels, and the category of the shape (a name, or a number as text).

    A dataset ``label`` with one number per shape is the category; point labels then have another
    name.
    """
    names = set(file.datasets)
    category = ""
    label = file.datasets.get("label")
    if label is not None and n_points > 1 and _is_per_shape(label, file.shapes):
        names -= {"label"}
        number = _read_values(where, label, at, file.shapes)
        category = str(int(number.reshape(-1)[0])) if np.isfinite(number).all() else ""
    if "category" in names:
        category = _read_name(where, file.datasets["category"], at)
    chosen = arrays.find_name(where, names, arrays.LABELS)
    if chosen is None:
        return None, category
    return _read_values(where, file.datasets[chosen], at, file.shapes), category


def _is_per_shape(dataset: Any, shapes: int | None) -> bool:
    shape = tuple(dataset.shape or ())
    return shape in (((), (1,)) if shapes is None else ((shapes,), (shapes, 1)))


def _read_name(where: str, dataset: Any, at: int | tuple[()]) -> str:
    shape, dtype = tuple(dataset.shape or ()), dataset.dtype
    is_name = shape in ((), (1,)) if at == () else len(shape) == 1 and at < shape[0]
    # Refuse strings of variable length: in a damaged file they can make HDF5 allocate gigabytes.
    if not is_name or dtype.kind not in "Siu" or dtype.itemsize > _MAX_NAME:
        raise InputError(
            f"{where}: expected a category name for each shape as a string of fixed length, but it "
            f"is {str(dtype)[:60]} of shape {list(shape)}: save it as numpy.bytes_."
        )
    _check_storage(where, dataset)
    value = np.asarray(dataset[at]).reshape(-1)[0]
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)
