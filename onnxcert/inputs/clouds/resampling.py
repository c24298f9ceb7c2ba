"""Which points are kept: chosen once, before the noise, by their number and never by content.

A choice that looked at the points would be another one at x + d than at x, and the smoothed model
another function there; a certificate of the one would say nothing about the other.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from onnxcert.errors import InputError, ParameterError
from onnxcert.inputs.clouds.cloud import PointCloud
from onnxcert.inputs.clouds.limits import MAX_POINTS

# Any number does; it must stay this one, as stored results depend on it.
_SEED: Final = 20210722


def chosen(many: int, count: int) -> npt.NDArray[np.intp]:
    """Rows of `many` points that make `count`, ascending; a function of these two numbers alone.

    Fewer are a pseudo-random choice without repeats; more hold every row as often as any other,
    or once more, again by a pseudo-random choice. Of one cloud, fewer points are among more.
    The order is that of raw numbers of PCG64, which NumPy never changes, unlike its methods.

    Raises:
        ParameterError: `count` is below 1, or more than are ever read.
    """
    if not 1 <= count <= MAX_POINTS:
        raise ParameterError(f"expected 1 to {MAX_POINTS:,} points of a cloud, got {count:,}.")
    whole, rest = divmod(count, many)
    order = np.argsort(np.random.PCG64(_SEED).random_raw(many), kind="stable")
    return np.sort(np.concatenate([np.tile(np.arange(many), whole), order[:rest]]))


def kept(cloud: PointCloud, count: int | None, *, fill: bool) -> PointCloud:
    """The cloud with `count` points, in their order; None keeps all of them.

    Args:
        cloud: before any noise.
        count: points that the model takes.
        fill: repeat points where there are fewer; each copy is a component of its own.

    Raises:
        InputError: there are fewer points, and `fill` is not given.
        ParameterError: see `chosen`.
    """
    if count is None:
        return cloud
    many = len(cloud)
    if many < count and not fill:
        raise InputError(
            f"expected at least {count:,} points, as many as the model takes, but there are "
            f"{many:,}: pass --fill to repeat some of them, or leave the cloud out."
        )
    rows = chosen(many, count)
    return replace(
        cloud,
        points=cloud.points[rows],
        normals=None if cloud.normals is None else cloud.normals[rows],
        features=None if cloud.features is None else cloud.features[rows],
        labels=None if cloud.labels is None else cloud.labels[rows],
    )
