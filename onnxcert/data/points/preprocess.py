"""Read a listed item as the point cloud that a model gets: normalised, resampled, without noise.

Points are chosen by index and never by content. A choice that depends on coordinates could differ
between x and x + d. The smoothed model would then be another function at x + d, and a certificate
for one would not hold for the other.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from onnxcert._typing import FloatArray
from onnxcert.data.listing import Item
from onnxcert.data.points.point_cloud import PointCloud
from onnxcert.data.points.reading import describe_source, read_cloud, read_cloud_labels
from onnxcert.data.points.table import MAX_POINTS
from onnxcert.errors import InputError, ParameterError

Frame = Literal["unit-sphere", "own"]

FRAMES: Final[tuple[Frame, ...]] = ("unit-sphere", "own")

# Tolerance of unit length: rounding to float32 changes it by 1e-7, to three digits by 1e-3.
_UNIT: Final = 1e-3


def normalise(cloud: PointCloud, frame: Frame) -> PointCloud:
    """Normalise the coordinates as the model expects, and the normals to unit length.

    ``unit-sphere``: subtract the mean of all points and divide by the largest distance from it, as
    is usual since Qi et al., PointNet, CVPR 2017. ``own``: keep the coordinates.

    Either way, a normal whose length differs from 1 by more than 1e-3 is scaled to 1. A zero
    vector, which scanners write for a missing normal, stays zero: any rotation maps it to itself.

    The sum is exact and rounded once, and all other arithmetic is in float64, so that the result is
    the same on every machine.

    Args:
        cloud: the point cloud.
        frame: one of `FRAMES`.

    Raises:
        InputError: all points are identical.
        ParameterError: the frame is unknown.
    """
    if frame not in FRAMES:
        raise ParameterError(f"expected the frame {' or '.join(FRAMES)}, got {frame!r}.")
    points = cloud.points if frame == "own" else _scale_to_sphere(cloud.points)
    normals = None if cloud.normals is None else _scale_to_unit_length(cloud.normals)
    return replace(cloud, points=points, normals=normals)


def _scale_to_sphere(points: FloatArray) -> FloatArray:
    # Compare the points: the rounded mean makes the distances tiny, but not zero.
    if (points == points[0]).all():
        raise InputError(
            "expected different points, as their extent becomes the unit of length, but all "
            f"{len(points):,} lie at {', '.join(f'{v:g}' for v in points[0])}: leave the point "
            "cloud out."
        )
    wide = points.astype(np.float64)
    wide -= [math.fsum(axis.tolist()) / len(wide) for axis in wide.T]
    wide /= _compute_lengths(wide).max()
    return wide.astype(np.float32)


def _scale_to_unit_length(normals: FloatArray) -> FloatArray:
    wide = normals.astype(np.float64)
    length = _compute_lengths(wide)
    off = (np.abs(length - 1) > _UNIT) & (length > 0)
    wide[off] /= length[off, None]
    return wide.astype(np.float32)


def _compute_lengths(vectors: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    x, y, z = vectors.T
    length: npt.NDArray[np.float64] = np.sqrt(x * x + y * y + z * z)
    return length


# An arbitrary number; never change it, as stored results depend on it.
_SEED: Final = 20210722


def choose_rows(available: int, count: int) -> npt.NDArray[np.intp]:
    """Return `count` row indices below `available`, ascending; a function of these two numbers.

    Fewer than `available`: a pseudo-random choice without repeats. More: every row the same number
    of times, plus one more for a pseudo-random choice. Of one point cloud, the rows of a smaller
    choice are among those of a larger one. The order uses raw numbers of PCG64, which NumPy never
    changes, unlike its methods.

    Args:
        available: number of points in the file.
        count: number of points wanted.

    Raises:
        ParameterError: `count` is below 1 or above `MAX_POINTS`.
    """
    if not 1 <= count <= MAX_POINTS:
        raise ParameterError(f"expected 1 to {MAX_POINTS:,} points, got {count:,}.")
    whole, rest = divmod(count, available)
    order = np.argsort(np.random.PCG64(_SEED).random_raw(available), kind="stable")
    return np.sort(np.concatenate([np.tile(np.arange(available), whole), order[:rest]]))


def resample(cloud: PointCloud, count: int | None, *, fill: bool) -> PointCloud:
    """Return the point cloud with `count` points, in file order; None keeps all.

    Args:
        cloud: a point cloud without noise.
        count: number of points that the model takes.
        fill: repeat points if there are fewer; each copy is a component of its own.

    Raises:
        InputError: there are fewer points, and `fill` is false.
        ParameterError: see `choose_rows`.
    """
    if count is None:
        return cloud
    available = len(cloud)
    if available < count and not fill:
        raise InputError(
            f"expected at least {count:,} points, as many as the model takes, but there are "
            f"{available:,}: pass --fill to repeat some of them, or leave the point cloud out."
        )
    rows = choose_rows(available, count)
    return replace(
        cloud,
        points=cloud.points[rows],
        normals=None if cloud.normals is None else cloud.normals[rows],
        features=None if cloud.features is None else cloud.features[rows],
        labels=None if cloud.labels is None else cloud.labels[rows],
    )


def read_cloud_item(
    item: Item, *, columns: str | None, frame: Frame, points: int | None, fill: bool
) -> PointCloud:
    """Read the point cloud of an item, normalised and with the number of points the model takes.

    Normalisation uses all points of the file; then points are dropped or repeated. The listing
    takes precedence over the file: labels of `item.label`, and `item.category`.

    Args:
        item: the file, and the shape in it.
        columns: meaning of unnamed columns; see `read_cloud`.
        frame: see `normalise`.
        points: number of points that the model takes, None to keep all.
        fill: repeat points if there are too few; see `resample`.

    Raises:
        InputError: a file cannot be used, or its points are all identical or too few.
        ParameterError: `columns`, `frame` or `points` is invalid.
    """
    cloud = read_cloud(item.path, columns=columns, index=item.index)
    # With a class label for the whole shape, `label` is the table that gives it.
    if item.label is not None and item.class_label is None:
        cloud = replace(cloud, labels=read_cloud_labels(item.label, len(cloud)))
    if item.category:
        cloud = replace(cloud, category=item.category)
    try:
        return resample(normalise(cloud, frame), points, fill=fill)
    except InputError as error:
        raise InputError(f"{describe_source(item.path, item.index)}: {error}") from error
