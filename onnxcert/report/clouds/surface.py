"""Surface of a point cloud: spacing of the points and normals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self, final

import numpy as np
import numpy.typing as npt

from onnxcert.inputs.clouds.cloud import PointCloud

Vectors = npt.NDArray[np.float64]

_NEIGHBOURS: Final = 12
_SPACING_SAMPLE: Final = 2048  # about how many points the spacing is estimated from


@final
@dataclass(frozen=True, eq=False)
class Surface:
    """Points with their spacing and the normals of the surface.

    Attributes:
        points: float64 [N, 3], centred at the origin.
        normals: unit vectors of either sign, zero if unknown; float64 [N, 3].
        spacing: approximate distance between neighbours; 0 if all points coincide.
    """

    points: Vectors
    normals: Vectors
    spacing: float

    @classmethod
    def of(cls, cloud: PointCloud) -> Self:
        points = cloud.points.astype(np.float64)
        low, high = points.min(axis=0), points.max(axis=0)
        points -= (low + high) / 2
        # Copies of points, which fill a cloud up, must not change the spacing, and a search among
        # many copies is slow.
        places, index = np.unique(points, axis=0, return_inverse=True)
        if cloud.normals is None:
            normals = _estimate_normals(places)[index.reshape(-1)]
        else:
            normals = cloud.normals.astype(np.float64)
            length = np.linalg.norm(normals, axis=1, keepdims=True)
            normals = normals / np.where(length > 0, length, 1)
        return cls(points, normals, _estimate_spacing(places))


def _estimate_spacing(places: Vectors) -> float:
    """Return the side of the square that one point covers on average."""
    from scipy.spatial import KDTree

    if len(places) < 2:
        return 0.0
    sample = places[:: max(1, len(places) // _SPACING_SAMPLE)]
    nearest = min(4, len(places) - 1)
    distance, _ = KDTree(places).query(sample, [nearest + 1])
    # A circle of k times the area of that square holds k points on average.
    return float(np.median(distance) * np.sqrt(np.pi / nearest))


def _estimate_normals(places: Vectors) -> Vectors:
    """Return for each point the direction of least variance of its neighbours; zero if too few."""
    from scipy.spatial import KDTree

    if len(places) < 4:
        return np.zeros_like(places)
    _, index = KDTree(places).query(places, min(_NEIGHBOURS, len(places)))
    around = places[index] - places[index].mean(axis=1, keepdims=True)
    normals: Vectors = np.linalg.eigh(around.transpose(0, 2, 1) @ around)[1][:, :, 0]
    return normals
