"""Where a shape is looked at from: an orthographic camera, far away."""

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
    """An orthonormal frame: what is right, above and nearer in the picture.

    Attributes:
        right, above, near: unit vectors of the shape's space, each at right angles to the others;
            `near` points to the viewer.
    """

    right: Vector
    above: Vector
    near: Vector

    @classmethod
    def around(cls, azimuth: float, elevation: float, up: Vector = UP) -> Self:
        """Look at the origin from the side `azimuth` and from `elevation` above the ground.

        Args:
            azimuth, elevation: degrees. With +y up, azimuth 0 is the side of +x and 90 that of -z:
                the two sides that the versions of ShapeNet call the front.
            up: direction that is upright in the picture; not zero.
        """
        upright = _unit(up)
        # The axis two after the one that is nearest to `up`: x where that is y.
        first = np.eye(3)[(int(np.abs(upright).argmax()) + 2) % 3]
        first = _unit(first - (first @ upright) * upright)
        second = np.cross(upright, first)
        turn, rise = np.deg2rad(azimuth), np.deg2rad(elevation)
        level = np.cos(turn) * first + np.sin(turn) * second
        return cls._of(np.cos(rise) * level + np.sin(rise) * upright, upright)

    @classmethod
    def along(cls, axis: Vector, up: Vector = UP) -> Self:
        """Look down `axis`, from its tip to its foot; `up` is upright unless it is that axis."""
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
        """Rows right, above, near; float64 [3, 3]."""
        return np.array([self.right, self.above, self.near])

    def seen(self, vectors: npt.NDArray[np.floating]) -> Vectors:
        """Coordinates to the right, above and nearer; float64 [N, 3] of [N, 3]."""
        seen: Vectors = vectors.astype(np.float64) @ self.frame.T
        return seen


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
