"""Choose which points are kept: once, before the noise, by index and never by content.

A choice that depends on coordinates could differ between x and x + d. The smoothed model would then
be another function at x + d, and a certificate for one would not hold for the other.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from onnxcert.data.points.point_cloud import PointCloud
from onnxcert.data.points.validation import MAX_POINTS
from onnxcert.errors import InputError, ParameterError

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
