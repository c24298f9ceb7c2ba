"""Shapes as point clouds with labelled parts; a shape is determined by its seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .catalogue import BUILDERS, CLASS_NAMES
from .solids import Solid

# Seeds from here on are held out from training; the samples and the measurements use them.
HELD_OUT: Final = 900_000
POINTS: Final = 2048


@dataclass(frozen=True, eq=False)
class Shape:
    """Shape in the unit-sphere frame: the mean of the points is 0, the largest distance is 1.

    Attributes:
        points: coordinates, float32 [N, 3], +y up.
        normals: outward unit vectors, float32 [N, 3].
        labels: indices into `catalogue.CLASS_NAMES`, uint8 [N].
        category: name of the category.
    """

    points: NDArray[np.float32]
    normals: NDArray[np.float32]
    labels: NDArray[np.uint8]
    category: str


def make_shape(seed: int, count: int = POINTS) -> Shape:
    """Generate the shape number `seed`; ten consecutive seeds give one shape of every category.

    Args:
        seed: integer of at least 0; the same seed and count give the same shape.
        count: number of points on the surface.

    >>> shape = make_shape(3)
    >>> shape.category, shape.points.shape
    ('chair', (2048, 3))
    """
    rng = np.random.default_rng(seed)
    category = list(BUILDERS)[seed % len(BUILDERS)]
    things = BUILDERS[category](rng)
    stretch = np.diag(rng.uniform(0.9, 1.1, 3))
    names = [CLASS_NAMES.index(f"{category} {part}") for part, _ in things]
    solids = [solid.moved(stretch) for _, solid in things]
    points, normals, chosen = sample_surface(solids, count, rng)
    points -= points.mean(0)
    points /= np.linalg.norm(points, axis=1).max()
    labels = np.asarray(names, np.uint8)[chosen]
    return Shape(points.astype(np.float32), normals.astype(np.float32), labels, category)


def sample_surface(
    solids: list[Solid], count: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Sample points uniformly by area on the outer surface of the union of `solids`.

    Returns:
        Points [count, 3], outward unit normals [count, 3], and the index of each point's solid
        [count].
    """
    triangles = np.concatenate([solid.triangles for solid in solids])
    owner = np.repeat(np.arange(len(solids)), [len(solid.triangles) for solid in solids])
    first, second, third = np.moveaxis(triangles, 1, 0)
    normals = np.cross(second - first, third - first)
    areas = np.linalg.norm(normals, axis=1)
    normals /= areas[:, None]
    ends = np.cumsum(areas)
    kept_points, kept_faces, kept = [], [], 0
    while kept < count:
        face = np.searchsorted(ends, rng.random(count) * ends[-1], side="right")
        face = np.minimum(face, len(ends) - 1)
        u, v = rng.random((2, count))
        over = u + v > 1
        u, v = np.where(over, 1 - u, u)[:, None], np.where(over, 1 - v, v)[:, None]
        points = first[face] + u * (second - first)[face] + v * (third - first)[face]
        seen = np.ones(count, bool)
        for index, solid in enumerate(solids):
            others = np.flatnonzero(seen & (owner[face] != index))
            seen[others[solid.contains(points[others])]] = False
        kept_points.append(points[seen])
        kept_faces.append(face[seen])
        kept += int(seen.sum())
    chosen = np.concatenate(kept_faces)[:count]
    return np.concatenate(kept_points)[:count], normals[chosen], owner[chosen]
