"""Shapes for tests of clouds: boxes and spheres, sampled on their surface."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from onnxcert.data.points.point_cloud import PointCloud

Array = npt.NDArray[np.float64]

# Centre and sides of the boxes of a chair that faces +z, +y up, and the part each belongs to.
CHAIR = (
    ((0.0, 0.0, 0.0), (1.0, 0.1, 1.0), 0),
    ((0.0, 0.55, -0.45), (1.0, 1.0, 0.1), 1),
    *(((x, -0.5, z), (0.1, 0.9, 0.1), 2) for x in (-0.43, 0.43) for z in (-0.43, 0.43)),
)


def chair(count: int = 2048, *, normals: bool = True, seed: int = 0) -> PointCloud:
    """Seat 0, back 1 and legs 2, in the unit sphere."""
    rng = np.random.default_rng(seed)
    areas = [2 * (a * b + b * c + a * c) for _, (a, b, c), _ in CHAIR]
    counts = rng.multinomial(count, np.array(areas) / sum(areas))
    sides = [box(rng, n, *one[:2]) for one, n in zip(CHAIR, counts, strict=True)]
    points = np.concatenate([p for p, _ in sides])
    points -= points.mean(axis=0)
    points /= np.linalg.norm(points, axis=1).max()
    facing = np.concatenate([q for _, q in sides]).astype(np.float32)
    parts = np.repeat([part for *_, part in CHAIR], counts)
    mixed = rng.permutation(count)
    return PointCloud(
        points[mixed].astype(np.float32),
        facing[mixed] if normals else None,
        category="chair",
        labels=parts[mixed].astype(np.int32),
    )


def box(
    rng: np.random.Generator,
    count: int,
    centre: tuple[float, float, float],
    sides: tuple[float, float, float],
) -> tuple[Array, Array]:
    """(points, outward normals) on the surface of a box."""
    a, b, c = sides
    areas = np.array([b * c, a * c, a * b])
    axis = rng.choice(3, count, p=areas / areas.sum())
    side = rng.choice([-0.5, 0.5], count)
    points = rng.uniform(-0.5, 0.5, (count, 3))
    points[np.arange(count), axis] = side
    normals = np.zeros((count, 3))
    normals[np.arange(count), axis] = 2 * side
    return points * sides + centre, normals


def sphere(count: int, *, seed: int = 0, normals: bool = False) -> PointCloud:
    """Points all over the unit sphere."""
    points = np.random.default_rng(seed).normal(size=(count, 3))
    points = (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)
    return PointCloud(points, points.copy() if normals else None)
