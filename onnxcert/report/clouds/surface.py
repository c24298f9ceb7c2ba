"""What a cloud tells of the surface its points lie on: how dense they are, which way it faces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self, final

import numpy as np
import numpy.typing as npt

from onnxcert.inputs.clouds.cloud import PointCloud

Vectors = npt.NDArray[np.float64]

_NEIGHBOURS: Final = 12
_ASKED: Final = 2048  # points that are asked for their neighbours' distance


@final
@dataclass(frozen=True, eq=False)
class Surface:
    """Points with the side of a square that each stands for, and the surface's normals.

    Attributes:
        points: float64 [N, 3], the cloud's centre at the origin.
        normals: unit vectors, of either sign; float64 [N, 3], zero where nothing is known.
        spacing: about the distance of two neighbours; 0 where all points are one.
    """

    points: Vectors
    normals: Vectors
    spacing: float

    @classmethod
    def of(cls, cloud: PointCloud) -> Self:
        points = cloud.points.astype(np.float64)
        low, high = points.min(axis=0), points.max(axis=0)
        points -= (low + high) / 2
        # A cloud filled up with copies of its points is as dense as it was without them; also, a
        # search among many copies takes long.
        places, index = np.unique(points, axis=0, return_inverse=True)
        if cloud.normals is None:
            normals = _estimated(places)[index.reshape(-1)]
        else:
            normals = cloud.normals.astype(np.float64)
            length = np.linalg.norm(normals, axis=1, keepdims=True)
            normals = normals / np.where(length > 0, length, 1)
        return cls(points, normals, _spacing(places))


def _spacing(places: Vectors) -> float:
    """The side of the square that one of the points has to itself."""
    from scipy.spatial import KDTree

    if len(places) < 2:
        return 0.0
    asked = places[:: max(1, len(places) // _ASKED)]
    nearest = min(4, len(places) - 1)
    distance, _ = KDTree(places).query(asked, [nearest + 1])
    # k of them are expected within a circle of the area k times that square.
    return float(np.median(distance) * np.sqrt(np.pi / nearest))


def _estimated(places: Vectors) -> Vectors:
    """The direction in which the neighbours of a point spread least; zero if there are too few."""
    from scipy.spatial import KDTree

    if len(places) < 4:
        return np.zeros_like(places)
    _, index = KDTree(places).query(places, min(_NEIGHBOURS, len(places)))
    around = places[index] - places[index].mean(axis=1, keepdims=True)
    normals: Vectors = np.linalg.eigh(around.transpose(0, 2, 1) @ around)[1][:, :, 0]
    return normals
