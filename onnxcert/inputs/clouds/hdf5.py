"""Point clouds in HDF5 files, which hold one shape or, as ModelNet's and ShapeNet's do, many.

Whoever only reads clouds of other formats loads no h5py.
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

from onnxcert.errors import InputError
from onnxcert.inputs.clouds import keys
from onnxcert.inputs.clouds.cloud import PointCloud
from onnxcert.inputs.clouds.columns import Columns
from onnxcert.inputs.clouds.limits import check_counts

SUFFIXES: Final = (".h5", ".hdf5")

_MAX_SHAPES: Final = 100_000
_MAX_CHUNK: Final = 2**29
_MAX_NAMES: Final = 1000
_MAX_NAME: Final = 4096


@dataclass(frozen=True)
class _Shapes:
    """An open file: its datasets by name, and how many shapes of how many points it holds."""

    datasets: dict[str, Any]
    points: Any
    shapes: int | None


def read_hdf5(path: Path, where: str, columns: Columns | None, index: int | None) -> PointCloud:
    """Shape `index` of an HDF5 file; see `read_cloud`; only inside `decoding`."""
    with _opened(path, where) as file:
        if file.shapes is None:
            at: Any = ()
            if index is not None:
                raise InputError(
                    f"{where}: expected several shapes, but the file holds one without an index: "
                    "list the file again if it was changed."
                )
        else:
            if index is None and file.shapes > 1:
                raise InputError(
                    f"{where}: expected one shape, but it holds {file.shapes:,}: name the file as "
                    "an input of its own, which stands for all of them."
                )
            at = index or 0
            if not 0 <= at < file.shapes:
                raise InputError(
                    f"{where}: expected more than {at:,} shapes, but it holds {file.shapes:,}: "
                    "list the file again if it was changed."
                )
        many = file.points.shape[-2]

        def load(wanted: tuple[str, ...]) -> npt.NDArray[Any] | None:
            return _load(where, file, wanted, at)

        labels, category = _classes(where, file, at, many)
        return keys.from_arrays(
            where,
            _values(where, file.points, at),
            columns,
            normals=load(keys.NORMALS),
            features=load(keys.FEATURES),
            rgb=load(keys.COLOURS),
            labels=labels,
            category=category,
        )


def hdf5_size(path: Path, where: str) -> int:
    """How many points each shape of an HDF5 file has; only inside `decoding`."""
    with _opened(path, where) as file:
        return int(file.points.shape[-2])


def hdf5_shapes(path: Path, where: str) -> int | None:
    """How many shapes an HDF5 file holds, None if its points are [N, k]; inside `decoding`."""
    with _opened(path, where) as file:
        return file.shapes


@contextmanager
def _opened(path: Path, where: str) -> Iterator[_Shapes]:
    import h5py

    # Not locked: what is only read may lie where nothing can be locked, or be read by others.
    with h5py.File(path, "r", locking=False) as file:
        if len(file) > _MAX_NAMES:
            raise InputError(
                f"{where}: expected the arrays of point clouds, but it has {len(file):,} members: "
                "save the points of all shapes as one array."
            )
        # Links into other files are not followed, wherever they lead.
        datasets = {
            name: file[name]
            for name in file
            if isinstance(file.get(name, getlink=True), h5py.HardLink)
            and file.get(name, getclass=True) is h5py.Dataset
        }
        name = keys.one_of(where, datasets, keys.POINTS)
        if name is None:
            raise keys.no_points(where, datasets)
        shape = tuple(datasets[name].shape or ())
        keys.check_table(where, shape[1:] if len(shape) == 3 else shape)
        check_counts(where, *shape[-2:])
        shapes = shape[0] if len(shape) == 3 else None
        if shapes is not None and not 1 <= shapes <= _MAX_SHAPES:
            raise InputError(
                f"{where}: expected 1 to {_MAX_SHAPES:,} shapes, but it holds {shapes:,}: cut the "
                "file into parts."
            )
        yield _Shapes(datasets, datasets[name], shapes)


def _load(
    where: str, file: _Shapes, wanted: tuple[str, ...], at: int | tuple[()]
) -> npt.NDArray[Any] | None:
    name = keys.one_of(where, file.datasets, wanted)
    return None if name is None else _values(where, file.datasets[name], at, file.shapes)


def _values(
    where: str, dataset: Any, at: int | tuple[()], shapes: int | None = None
) -> npt.NDArray[Any]:
    name = dataset.name.lstrip("/")[:40]
    keys.check_numbers(where, name, dataset.dtype)
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
            f"of {chunk >> 20:,} MiB: save it in smaller ones."
        )


def _classes(
    where: str, file: _Shapes, at: int | tuple[()], many: int
) -> tuple[npt.NDArray[Any] | None, str]:
    """Labels of the points, and the category of the shape, a number as text or a name.

    A ``label`` of one number a shape is its category, beside other labels of its points.
    """
    names = set(file.datasets)
    category = ""
    label = file.datasets.get("label")
    if label is not None and many > 1 and _one_a_shape(label, file.shapes):
        names -= {"label"}
        number = _values(where, label, at, file.shapes)
        category = str(int(number.reshape(-1)[0])) if np.isfinite(number).all() else ""
    if "category" in names:
        category = _name(where, file.datasets["category"], at)
    chosen = keys.one_of(where, names, keys.LABELS)
    if chosen is None:
        return None, category
    return _values(where, file.datasets[chosen], at, file.shapes), category


def _one_a_shape(dataset: Any, shapes: int | None) -> bool:
    shape = tuple(dataset.shape or ())
    return shape in (((), (1,)) if shapes is None else ((shapes,), (shapes, 1)))


def _name(where: str, dataset: Any, at: int | tuple[()]) -> str:
    shape, dtype = tuple(dataset.shape or ()), dataset.dtype
    told = shape in ((), (1,)) if at == () else len(shape) == 1 and at < shape[0]
    # A text of variable length may claim gigabytes in a damaged file, which HDF5 then allocates.
    if not told or dtype.kind not in "Siu" or dtype.itemsize > _MAX_NAME:
        raise InputError(
            f"{where}: expected the name of a category for each shape as text of fixed length, but "
            f"it is {str(dtype)[:60]} of shape {list(shape)}: save it as numpy.bytes_."
        )
    _check_storage(where, dataset)
    value = np.asarray(dataset[at]).reshape(-1)[0]
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)
