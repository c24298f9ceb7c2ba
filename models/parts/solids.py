"""Solids with closed surfaces: lofts through polygons, surfaces of revolution, swept tubes.

A surface is a triangle mesh, fine enough to approximate curved faces. Each solid can also tell
which points lie inside it, so that the hidden surface of other solids can be left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats: TypeAlias = NDArray[np.float64]
Contains: TypeAlias = Callable[[Floats], NDArray[np.bool_]]


@dataclass(frozen=True, eq=False)
class Solid:
    """Closed surface and its interior.

    Attributes:
        triangles: [T, 3, 3], corners counter-clockwise as seen from outside.
        contains: function that returns whether each of the points [M, 3] lies inside, [M].
    """

    triangles: Floats
    contains: Contains

    def moved(self, matrix: ArrayLike, shift: ArrayLike = (0.0, 0.0, 0.0)) -> Solid:
        """Apply ``p -> matrix p + shift``; a reflection keeps the triangles facing outwards."""
        linear, offset = np.asarray(matrix, float), np.asarray(shift, float)
        inverse, contains = np.linalg.inv(linear), self.contains
        triangles = self.triangles @ linear.T + offset
        if np.linalg.det(linear) < 0:
            triangles = triangles[:, ::-1]
        return Solid(triangles, lambda points: contains((points - offset) @ inverse.T))

    def shifted(self, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Solid:
        """Translate the solid."""
        return self.moved(np.eye(3), (x, y, z))

    def mirrored(self) -> Solid:
        """Reflect the solid in the plane x = 0."""
        return self.moved(np.diag((-1.0, 1.0, 1.0)))


def loft(sections: ArrayLike) -> Solid:
    """Build the solid through polygons [S, K, 3]; the first and the last polygon are its ends.

    Between two polygons it must be convex. This is not checked; it holds if each polygon is convex
    and similar to its neighbours. A polygon may shrink to a point.
    """
    rings = np.asarray(sections, float)
    sides = np.concatenate([_side(low, high) for low, high in pairwise(rings)])
    mesh = _solid_faces(np.concatenate([sides, _lid(rings[0])[:, ::-1], _lid(rings[-1])]))
    if np.linalg.det(mesh).sum() < 0:  # six times the volume; negative if inside out
        mesh = mesh[:, ::-1]
    pieces = [_planes(low, high) for low, high in pairwise(rings)]
    low, high = rings.min((0, 1)), rings.max((0, 1))

    def contains(points: Floats) -> NDArray[np.bool_]:
        inside: NDArray[np.bool_] = ((points > low) & (points < high)).all(1)
        near = points[inside]
        hit = np.zeros(len(near), np.bool_)
        for normals, heights in pieces:
            hit |= (near @ normals.T < heights - 1e-9).all(1)
        inside[inside] = hit
        return inside

    return Solid(mesh, contains)


def box(low: ArrayLike, high: ArrayLike) -> Solid:
    """Build the block between two opposite corners."""
    (x, y, z), (u, v, w) = np.asarray(low, float), np.asarray(high, float)
    base = np.array([[x, y, z], [u, y, z], [u, y, w], [x, y, w]])
    top = base.copy()
    top[:, 1] = v
    return loft([base, top])


def revolve(profile: ArrayLike, around: int = 28) -> Solid:
    """Revolve a closed polygon [M, 2] of (distance from the y axis, y) about the y axis."""
    outline = np.asarray(profile, float)
    angles = 2 * np.pi * np.arange(around) / around
    wheel = np.stack([np.cos(angles), np.ones(around), np.sin(angles)], 1)
    rings = outline[:, None, [0, 1, 0]] * wheel
    following = np.roll(rings, -1, 0)
    mesh = np.concatenate([_side(low, high) for low, high in zip(rings, following, strict=True)])
    mesh = _solid_faces(mesh)
    if np.linalg.det(mesh).sum() < 0:
        mesh = mesh[:, ::-1]

    def contains(points: Floats) -> NDArray[np.bool_]:
        x, y, z = points.T
        # Distance relative to the flat faces, which are nearer to the axis than the corners.
        aside = np.arctan2(z, x) % (2 * np.pi / around) - np.pi / around
        distance = np.hypot(x, z) * np.cos(aside) / np.cos(np.pi / around)
        return _in_polygon(distance, y, outline)

    return Solid(mesh, contains)


def tube(path: ArrayLike, radius: float | Sequence[float], sides: int = 10) -> Solid:
    """Sweep a circle along `path` [S, 3]; `radius` is one number or one for each corner."""
    centres = np.asarray(path, float)
    ahead = np.gradient(centres, axis=0)
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
    side = np.eye(3)[np.abs(ahead[0]).argmin()]
    angles = 2 * np.pi * (np.arange(sides) + 0.5) / sides
    sections = []
    for centre, way, size in zip(
        centres, ahead, np.broadcast_to(radius, len(centres)), strict=True
    ):
        side = side - (side @ way) * way  # transported along the path, so the tube does not twist
        side /= np.linalg.norm(side)
        circle = np.outer(np.cos(angles), side) + np.outer(np.sin(angles), np.cross(way, side))
        sections.append(centre + size * circle)
    return loft(sections)


def ring(radii: tuple[float, float], sides: int, turn: float = 0.0) -> Floats:
    """Return the corners [sides, 2] of an ellipse."""
    angles = 2 * np.pi * np.arange(sides) / sides + turn
    return np.stack([radii[0] * np.cos(angles), radii[1] * np.sin(angles)], 1)


def _side(low: Floats, high: Floats) -> Floats:
    """Return the triangles [2 K, 3, 3] between two polygons."""
    next_low, next_high = np.roll(low, -1, 0), np.roll(high, -1, 0)
    return np.concatenate(
        [np.stack([low, next_low, next_high], 1), np.stack([low, next_high, high], 1)]
    )


def _lid(polygon: Floats) -> Floats:
    """Return the triangles [K, 3, 3] from the middle of a polygon to its edges."""
    middle = np.broadcast_to(polygon.mean(0), polygon.shape)
    return np.stack([polygon, np.roll(polygon, -1, 0), middle], 1)


def _normals(triangles: Floats) -> Floats:
    first, second, third = np.moveaxis(triangles, 1, 0)
    return np.cross(second - first, third - first)


def _solid_faces(triangles: Floats) -> Floats:
    """Remove triangles without area."""
    kept: Floats = triangles[np.linalg.norm(_normals(triangles), axis=1) > 1e-10]
    return kept


def _planes(low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """Return outward normals [F, 3] and heights [F] of the planes between two polygons.

    A side that is not quite flat gets the best fitting plane; a side without area gets none.
    """
    quads = np.stack([low, np.roll(low, -1, 0), np.roll(high, -1, 0), high], 1)
    normals = [np.cross(quads[:, 2] - quads[:, 0], quads[:, 3] - quads[:, 1])]
    normals += [_normals(_lid(end)).sum(0, keepdims=True) for end in (low, high)]
    middles = np.concatenate([quads.mean(1), low.mean(0)[None], high.mean(0)[None]])
    faces = np.concatenate(normals)
    sizes = np.linalg.norm(faces, axis=1, keepdims=True)
    faces, middles = (rows[sizes[:, 0] > 1e-10] for rows in (faces / (sizes + 1e-30), middles))
    heights = (faces * middles).sum(1)
    inward = faces @ quads.mean((0, 1)) > heights
    return np.where(inward[:, None], -faces, faces), np.where(inward, -heights, heights)


def _in_polygon(x: Floats, y: Floats, outline: Floats) -> NDArray[np.bool_]:
    """Return whether points lie in a closed polygon [M, 2]: an odd number of edges to the right."""
    inside = np.zeros(len(x), bool)
    for (u, v), (s, t) in zip(outline, np.roll(outline, -1, 0), strict=True):
        if v != t:
            inside ^= ((v > y) != (t > y)) & (x < u + (y - v) * (s - u) / (t - v))
    return inside
