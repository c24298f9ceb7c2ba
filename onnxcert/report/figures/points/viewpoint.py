"""Orthographic camera."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self, final

import numpy as np
import numpy.typing as npt

from onnxcert.errors import ParameterError

Vector = tuple[float, float, float]
Vectors = npt.NDArray[np.float64]

UP: Final[Vector] = (0.0, 1.0, 0.0)  # of ShapeNet, and of the bundled shapes


@final
@dataclass(frozen=True)
class Viewpoint:
    """Orthonormal frame of the camera, as unit vectors in the coordinates of the shape.

    Attributes:
        right: direction to the right in the image.
        above: upward direction in the image.
        near: direction towards the viewer.
    """

    right: Vector
    above: Vector
    near: Vector

    @classmethod
    def around(cls, azimuth: float, elevation: float, up: Vector = UP) -> Self:
        """Look at the origin from the side `azimuth` and from `elevation` above the ground.

        Args:
            azimuth: degrees. With +y up, azimuth 0 is the side of +x and 90 that of -z: the front
                in the two versions of ShapeNet.
            elevation: degrees.
            up: upright direction in the image; not zero.
        """
        upright = _unit(up)
        # The axis two after the one that is nearest to `up`: x if that is y.
        first = np.eye(3)[(int(np.abs(upright).argmax()) + 2) % 3]
        first = _unit(first - (first @ upright) * upright)
        second = np.cross(upright, first)
        turn, rise = np.deg2rad(azimuth), np.deg2rad(elevation)
        level = np.cos(turn) * first + np.sin(turn) * second
        return cls._of(np.cos(rise) * level + np.sin(rise) * upright, upright)

    @classmethod
    def along(cls, axis: Vector, up: Vector = UP) -> Self:
        """Look along `axis` from its tip; `up` is upright unless it is parallel to `axis`."""
        near, upright = _unit(axis), _unit(up)
        if abs(near @ upright) > 1 - 1e-6:
            upright = np.eye(3)[(int(np.abs(near).argmax()) + 2) % 3]
        return cls._of(near, upright)

    @classmethod
    def _of(cls, near: Vectors, upright: Vectors) -> Self:
        right = _unit(np.cross(upright, near))
        return cls(_vector(right), _vector(np.cross(near, right)), _vector(near))

    @property
    def frame(self) -> Vectors:
        """Rotation matrix with the rows right, above, near; float64 [3, 3]."""
        return np.array([self.right, self.above, self.near])

    def project(self, vectors: npt.NDArray[np.floating]) -> Vectors:
        """Transform vectors [N, 3] to camera coordinates (right, above, near); float64 [N, 3]."""
        projected: Vectors = vectors.astype(np.float64) @ self.frame.T
        return projected


def _unit(vector: Vector | Vectors) -> Vectors:
    array = np.asarray(vector, np.float64)
    length = float(np.linalg.norm(array))
    if not 0 < length < np.inf:
        raise ParameterError(f"expected a direction, got {vector}; give one that is not zero.")
    unit: Vectors = array / length
    return unit


def _vector(array: Vectors) -> Vector:
    x, y, z = (float(value) for value in array)
    return x, y, z
