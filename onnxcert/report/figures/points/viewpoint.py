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
@dataclass(frozen=True, eq=False)
class Viewpoint:
    """Camera that looks at the origin.

    Attributes:
        frame: rotation matrix from the coordinates of the shape to those of the camera, with the
            rows right, above, and near (towards the viewer); float64 [3, 3].
    """

    frame: Vectors

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
        first = _axis_beside(upright)
        first = _unit(first - (first @ upright) * upright)
        second = np.cross(upright, first)
        turn, rise = np.deg2rad(azimuth), np.deg2rad(elevation)
        level = np.cos(turn) * first + np.sin(turn) * second
        return cls._of(np.cos(rise) * level + np.sin(rise) * upright, upright)

    @classmethod
    def along(cls, axis: Vector | Vectors, up: Vector | Vectors = UP) -> Self:
        """Look along `axis` from its tip; `up` is upright unless it is parallel to `axis`."""
        near, upright = _unit(axis), _unit(up)
        parallel = abs(near @ upright) > 1 - 1e-6
        return cls._of(near, _axis_beside(near) if parallel else upright)

    @classmethod
    def _of(cls, near: Vectors, upright: Vectors) -> Self:
        right = _unit(np.cross(upright, near))
        return cls(np.array([right, np.cross(near, right), near]))

    def project(self, vectors: npt.NDArray[np.floating]) -> Vectors:
        """Transform vectors [N, 3] to camera coordinates (right, above, near); float64 [N, 3]."""
        projected: Vectors = vectors.astype(np.float64) @ self.frame.T
        return projected


def _axis_beside(direction: Vectors) -> Vectors:
    """Return the axis two after the one that is nearest to `direction`: x if that is y."""
    axis: Vectors = np.eye(3)[(int(np.abs(direction).argmax()) + 2) % 3]
    return axis


def _unit(vector: Vector | Vectors) -> Vectors:
    array = np.asarray(vector, np.float64)
    length = float(np.linalg.norm(array))
    if not 0 < length < np.inf:
        raise ParameterError(f"expected a direction, got {vector}; give one that is not zero.")
    unit: Vectors = array / length
    return unit
