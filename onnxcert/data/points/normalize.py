"""Normalisation of a point cloud: the origin and unit of length that a model expects."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from onnxcert._typing import FloatArray
from onnxcert.data.points.point_cloud import PointCloud
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
