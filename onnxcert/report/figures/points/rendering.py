"""Rendering of a point cloud from one side: the point that each pixel shows, and its shading.

Each point is a small ball, so that near points hide those behind them. A rendering depends on the
shape alone and is coloured once for each panel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self, final

import numpy as np

from onnxcert._typing import FloatArray, IntArray
from onnxcert.data.points.point_cloud import PointCloud
from onnxcert.report.figures.axes import ByteArray
from onnxcert.report.figures.points.viewpoint import UP, Vectors, Viewpoint

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


_ROUND: Final = 0.38  # weight of the ball's normal; the rest is the surface's normal
_LIGHT: Final = np.array([-0.22, 0.45, 0.86])  # direction towards the light, in camera coordinates
_DARKEST: Final = 0.66  # brightness of a surface that faces away from the light


def lambert_shading(normals: Vectors, ball: Vectors) -> FloatArray:
    """Return the Lambertian shading of each pixel, float32 [P].

    Args:
        normals: surface normals in camera coordinates; [P, 3].
        ball: position of the pixel within the disc of its point; [P, 2].
    """
    # Normals of real scans have either sign; a visible surface faces the viewer.
    facing = normals * np.where(normals[:, 2:] < 0, -1.0, 1.0)
    facing[~facing.any(axis=1)] = (0, 0, 1)
    bulge = np.sqrt(np.clip(1 - (ball**2).sum(axis=1), 0, 1))
    mixed = (1 - _ROUND) * facing + _ROUND * np.column_stack([ball, bulge])
    mixed /= np.linalg.norm(mixed, axis=1, keepdims=True)
    towards = _LIGHT / np.linalg.norm(_LIGHT)
    # A surface that faces the viewer has exactly the colour of the legend.
    lit = np.clip(mixed @ towards / towards[2], 0, 1)
    shade: FloatArray = (_DARKEST + (1 - _DARKEST) * lit).astype(np.float32)
    return shade


def eye_dome_shading(depth: Vectors, radius: float) -> FloatArray:
    """Return shading that is darker where the surroundings are nearer to the viewer.

    Edges and hollows stand out. After C. Boucheny's eye-dome lighting (2009), which compares
    depths instead of tracing light.
    """
    known = np.where(np.isfinite(depth), depth, depth[np.isfinite(depth)].min(initial=0) - 1e3)
    dark = np.zeros(depth.shape)
    for ring in (2, 5):
        around = np.pad(known, ring, mode="edge")
        middle, away = slice(ring, -ring), (slice(2 * ring, None), slice(None, -2 * ring))
        for nearby in [around[middle, x] for x in away] + [around[y, middle] for y in away]:
            dark += np.clip((nearby - known) / (radius + 8) - 0.2, 0, 2)
    lit: FloatArray = np.exp(-0.11 * np.minimum(dark, 7)).astype(np.float32)
    return lit


FINE: Final = 2  # supersampling factor along each side; a "fine pixel" is a rendered one

_BALL: Final = 1.05  # radius of a point, in spacings
_SMALLEST, _LARGEST = 3.0, 17.0  # bounds on the radius of a point, in fine pixels
_SHADOW: Final = 0.16  # darkening of the ground in the middle of the shadow


@final
@dataclass(frozen=True)
class Window:
    """Visible part of the image plane.

    Attributes:
        across: horizontal coordinate of the centre, in the unit of the shape.
        up: vertical coordinate of the centre.
        scale: fine pixels per unit.
        height: height in fine pixels.
        width: width in fine pixels.
    """

    across: float
    up: float
    scale: float
    height: int
    width: int

    def pixels(self, seen: Vectors) -> tuple[IntArray, IntArray]:
        """Return (row, column) of each point; integers [N]."""
        column = (seen[:, 0] - self.across) * self.scale + self.width / 2
        row = (self.up - seen[:, 1]) * self.scale + self.height / 2
        return np.floor(row).astype(np.int64), np.floor(column).astype(np.int64)


@final
@dataclass(frozen=True, eq=False)
class Rendering:
    """Shape seen from one side, without colours.

    Attributes:
        visible: index of the point that each fine pixel shows, -1 for none; int64 [h, w].
        light: factor of the colour of each fine pixel, in (0, 1]; float32 [h, w].
    """

    visible: IntArray
    light: FloatArray

    @classmethod
    def of(
        cls, surface: Surface, viewpoint: Viewpoint, window: Window, *, shadow: bool = False
    ) -> Self:
        """Render `surface`, with or without its shadow on the ground."""
        seen = viewpoint.project(surface.points)
        radius = float(np.clip(_BALL * surface.spacing * window.scale, _SMALLEST, _LARGEST))
        row, column = window.pixels(seen)
        visible, depth = _nearest_ball(row, column, seen[:, 2] * window.scale, radius, window)
        shown = visible >= 0
        light = np.ones(visible.shape, np.float32)
        here = visible[shown]
        y, x = np.nonzero(shown)
        ball = np.stack([(x - column[here]) / radius, (row[here] - y) / radius], axis=1)
        light[shown] = lambert_shading(viewpoint.project(surface.normals)[here], ball)
        light[shown] *= eye_dome_shading(depth, radius)[shown]
        if shadow:
            light[~shown] -= _shadow(surface, viewpoint, window, radius)[~shown]
        return cls(visible, light)

    def paint(
        self, colours: FloatArray, paper: tuple[int, int, int], soft: FloatArray | None = None
    ) -> ByteArray:
        """Return the coloured rendering at its final size.

        Args:
            colours: colours 0 to 255 of the points, float32 [N, 3], or of the fine pixels,
                float32 [h, w, 3].
            paper: colour of the background.
            soft: share of the shading that is left out for each point; float32 [N].

        Returns:
            uint8 [h / 2, w / 2, 3].
        """
        shown = self.visible >= 0
        fine = np.empty((*self.visible.shape, 3), np.float32)
        fine[:] = paper
        here = self.visible[shown]
        fine[shown] = colours[here] if colours.ndim == 2 else colours[shown]
        light = self.light.copy()
        if soft is not None:
            light[shown] += (1 - light[shown]) * soft[here]
        fine *= light[..., None]
        h, w = fine.shape[0] // FINE, fine.shape[1] // FINE
        mean = fine.reshape(h, FINE, w, FINE, 3).mean(axis=(1, 3))
        pixels: ByteArray = np.rint(mean).clip(0, 255).astype(np.uint8)
        return pixels


def project_to_ground(points: Vectors) -> Vectors:
    """Project points vertically to the ground, where their shadows fall; float64 [N, 3]."""
    height = points @ np.array(UP)
    ground: Vectors = points - (height - height.min())[:, None] * np.array(UP)
    return ground


def _nearest_ball(
    row: IntArray, column: IntArray, near: Vectors, radius: float, window: Window
) -> tuple[IntArray, Vectors]:
    """Return (index, depth) of the ball that is nearest to the viewer at each pixel."""
    height, width = window.height, window.width
    reach = int(np.ceil(radius))
    dy, dx = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    inside = dy**2 + dx**2 < radius**2
    offsets = zip(dy[inside].tolist(), dx[inside].tolist(), strict=True)
    # One number to compare: depth in 1/64 pixel, then the index; the lowest index wins ties.
    top = len(row)
    step = 64.0
    base = np.rint((near - near.min()) * step).astype(np.int64) + 1
    best = np.zeros(height * width, np.int64)
    order = np.arange(top - 1, -1, -1)
    for y, x in offsets:
        bulge = round(step * float(np.sqrt(radius**2 - y * y - x * x)))
        r, c = row + y, column + x
        fits = (r >= 0) & (r < height) & (c >= 0) & (c < width)
        np.maximum.at(best, r[fits] * width + c[fits], ((base + bulge) * top + order)[fits])
    found = best > 0
    visible = np.where(found, top - 1 - best % top, -1).reshape(height, width)
    depth = np.where(found, best // top / step, -np.inf).reshape(height, width)
    return visible, depth


def _shadow(surface: Surface, viewpoint: Viewpoint, window: Window, radius: float) -> FloatArray:
    """Return the darkening of the ground below the shape; float32 [h, w]."""
    from PIL import Image, ImageFilter

    row, column = window.pixels(viewpoint.project(project_to_ground(surface.points)))
    visible, _ = _nearest_ball(row, column, np.zeros(len(row)), radius, window)
    mask = Image.fromarray(np.where(visible >= 0, 255, 0).astype(np.uint8))
    soft = np.asarray(mask.filter(ImageFilter.GaussianBlur(7 * FINE)), np.float32) / 255
    dark: FloatArray = (_SHADOW * soft).astype(np.float32)
    return dark
