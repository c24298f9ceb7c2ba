"""The frame in which a model sees a cloud: its origin and its unit of length."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from onnxcert._typing import FloatArray
from onnxcert.errors import InputError, ParameterError
from onnxcert.inputs.clouds.cloud import PointCloud

Frame = Literal["unit-sphere", "own"]

FRAMES: Final[tuple[Frame, ...]] = ("unit-sphere", "own")

# float32 keeps unit vectors to 1e-7, text of three digits to 1e-3.
_UNIT: Final = 1e-3


def framed(cloud: PointCloud, frame: Frame) -> PointCloud:
    """The cloud in the frame that the model was made for, its normals of unit length.

    ``unit-sphere``: the mean of all points is subtracted and the largest distance from it becomes
    1, as is usual since Qi et al., PointNet, CVPR 2017. ``own``: coordinates stay as they are.
    In either, a normal whose length is off by more than 1e-3 is scaled to 1; a zero vector, with
    which scanners mark points without a normal, stays zero: as that it turns with any rotation.

    The sum is the exact one, rounded once, and all else is in float64, so that a cloud has the
    same frame on every machine.

    Raises:
        InputError: all points are the same one. ParameterError: the frame is unknown.
    """
    if frame not in FRAMES:
        raise ParameterError(f"expected the frame {' or '.join(FRAMES)}, got {frame!r}.")
    points = cloud.points if frame == "own" else _in_sphere(cloud.points)
    normals = None if cloud.normals is None else _unit(cloud.normals)
    return replace(cloud, points=points, normals=normals)


def _in_sphere(points: FloatArray) -> FloatArray:
    # By the points and not by the distances, which rounding of the mean makes tiny, but not zero.
    if (points == points[0]).all():
        raise InputError(
            "expected points that are not all the same, since their extent becomes the unit of "
            f"length, but all {len(points):,} lie at {', '.join(f'{v:g}' for v in points[0])}: "
            "leave the cloud out."
        )
    wide = points.astype(np.float64)
    wide -= [math.fsum(axis.tolist()) / len(wide) for axis in wide.T]
    wide /= _lengths(wide).max()
    return wide.astype(np.float32)


def _unit(normals: FloatArray) -> FloatArray:
    wide = normals.astype(np.float64)
    length = _lengths(wide)
    off = (np.abs(length - 1) > _UNIT) & (length > 0)
    wide[off] /= length[off, None]
    return wide.astype(np.float32)


def _lengths(vectors: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    x, y, z = vectors.T
    length: npt.NDArray[np.float64] = np.sqrt(x * x + y * y + z * z)
    return length
