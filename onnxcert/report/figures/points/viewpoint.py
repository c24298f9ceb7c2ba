"""Orthographic camera."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self, final

import numpy as np
import numpy.typing as npt

from onnxcert.errors import ParameterError

Vector = tuple[float, float, float]
Vectors = npt.NDArray[np.float64]

UP: Final[Vector] = (0.0, 1.0, 0.0)  # of ShapeNet and of the bundled shapes, and so everywhere


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
    def around(cls, azimuth: float, elevation: float) -> Self:
        """Look at the origin from the side `azimuth` and from `elevation` above the ground.

        Args:
            azimuth: degrees; 0 is the side of +x and 90 that of -z: the front in the two versions
                of ShapeNet.
            elevation: degrees.
        """
        turn, rise = np.deg2rad(azimuth), np.deg2rad(elevation)
        level = np.cos(rise) * np.array([np.cos(turn), 0, -np.sin(turn)])
        return cls.along(level + np.sin(rise) * np.array(UP))

    @classmethod
    def along(cls, axis: Vector | Vectors, up: Vector | Vectors = UP) -> Self:
        """Look along `axis` from its tip; `up` is upright unless it is parallel to `axis`."""
        near, upright = _unit(axis), _unit(up)
        if abs(near @ upright) > 1 - 1e-6:
            # The axis two after the one that is nearest: x if that is y.
            upright = np.eye(3)[(int(np.abs(near).argmax()) + 2) % 3]
        right = _unit(np.cross(upright, near))
        return cls(np.array([right, np.cross(near, right), near]))

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
