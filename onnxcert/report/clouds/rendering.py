"""Rendering of a point cloud from one side: the point that each pixel shows, and its shading.

Each point is a small ball, so that near points hide those behind them. A rendering depends on the
shape alone and is coloured once for each panel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self, final

import numpy as np

from onnxcert._typing import FloatArray, IntArray
from onnxcert.report.clouds.lighting import eye_dome_shading, lambert_shading
from onnxcert.report.clouds.surface import Surface
from onnxcert.report.clouds.viewpoint import Vector, Vectors, Viewpoint
from onnxcert.report.panels import ByteArray

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
    def of(cls, surface: Surface, viewpoint: Viewpoint, window: Window, up: Vector | None) -> Self:
        """Render `surface`, with a shadow on the ground unless `up` is None."""
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
        if up is not None:
            light[~shown] -= _shadow(surface, viewpoint, window, radius, up)[~shown]
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
        return _downsample(fine)


def project_to_ground(points: Vectors, up: Vector) -> Vectors:
    """Project points vertically to the ground, where their shadows fall; float64 [N, 3]."""
    upright = np.asarray(up, np.float64) / np.linalg.norm(up)
    height = points @ upright
    ground: Vectors = points - (height - height.min())[:, None] * upright
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


def _shadow(
    surface: Surface, viewpoint: Viewpoint, window: Window, radius: float, up: Vector
) -> FloatArray:
    """Return the darkening of the ground below the shape; float32 [h, w]."""
    from PIL import Image, ImageFilter

    row, column = window.pixels(viewpoint.project(project_to_ground(surface.points, up)))
    visible, _ = _nearest_ball(row, column, np.zeros(len(row)), radius, window)
    mask = Image.fromarray(np.where(visible >= 0, 255, 0).astype(np.uint8))
    soft = np.asarray(mask.filter(ImageFilter.GaussianBlur(7 * FINE)), np.float32) / 255
    dark: FloatArray = (_SHADOW * soft).astype(np.float32)
    return dark


def _downsample(fine: FloatArray) -> ByteArray:
    h, w = fine.shape[0] // FINE, fine.shape[1] // FINE
    mean = fine.reshape(h, FINE, w, FINE, 3).mean(axis=(1, 3))
    halved: ByteArray = np.rint(mean).clip(0, 255).astype(np.uint8)
    return halved
