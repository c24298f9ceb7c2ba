"""Panels of a point cloud: one shape from two sides, coloured by class, hit rate or radius."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Self, final

import numpy as np
import numpy.typing as npt

from onnxcert._typing import BoolArray, FloatArray, IntArray
from onnxcert.data.points.point_cloud import PointCloud
from onnxcert.report.figures import palette
from onnxcert.report.figures.axes import LINE, ByteArray, colour_hit_rate, colour_radius, hatch
from onnxcert.report.figures.points.rendering import (
    FINE,
    Rendering,
    Surface,
    Window,
    project_to_ground,
)
from onnxcert.report.figures.points.viewpoint import Viewpoint

GROUND: Final = (201, 210, 223)  # between the paper and the white of abstention
SOFT: Final = 0.45  # softening of the shading in a heat map, so that it is not read as a value
_PALE: Final = 0.6  # softening of points that abstain: they must stay paler than any class

# Azimuth and elevation: from the front right, then from the back left and higher up, so that each
# view shows what the other hides.
_VIEWS: Final = ((-52.0, 20.0), (128.0, 36.0))

# Pixels of one view.
_SIDE: Final = 300
_LEAST: Final = 240
_MARGIN: Final = 16


@final
@dataclass(frozen=True, eq=False)
class Scene:
    """Shape rendered from two sides, one above the other; the panels colour the same rendering.

    The views are from the front, and from behind and above; points are shaded balls. This is the
    canvas of the maps of a cloud; see `onnxcert.report.figures.maps.Canvas`.

    Attributes:
        views: the renderings, of equal width.
        grid: the number of points, as the shape of the maps.
    """

    views: tuple[Rendering, ...]
    grid: tuple[int]

    @classmethod
    def of(cls, cloud: PointCloud) -> Self:
        surface = Surface.of(cloud)
        sides = [Viewpoint.around(azimuth, rise) for azimuth, rise in _VIEWS]
        return cls(
            tuple(
                Rendering.of(surface, side, window, shadow=True)
                for side, window in zip(sides, _windows(surface, sides), strict=True)
            ),
            (len(cloud),),
        )

    @property
    def size(self) -> tuple[int, int]:
        """Size (height, width) of a panel."""
        high = sum(view.visible.shape[0] // FINE for view in self.views) + len(self.views) - 1
        return high, self.views[0].visible.shape[1] // FINE

    def paint_labels(
        self, labels: IntArray, colours: ByteArray, ignored: BoolArray | None = None
    ) -> ByteArray:
        known = (labels >= 0) & (labels < len(colours))
        table = np.vstack([colours, np.array(palette.ABSTAIN, np.uint8)])
        shown = table[np.where(known, labels, len(colours))]
        return self._stack_views(shown, np.where(known, 0, _PALE), ignored)

    def paint_hit_rate(self, hit_rate: npt.NDArray[np.floating[Any]]) -> ByteArray:
        return self._paint_heat(colour_hit_rate(hit_rate))

    def paint_radius(self, radius: npt.NDArray[np.floating[Any]], largest: float) -> ByteArray:
        return self._paint_heat(colour_radius(radius, largest))

    def paint_grey(self, values: FloatArray) -> ByteArray:
        """Colour each point in grey, from dark at the lowest value to light at the highest."""
        low, high = float(values.min()), float(values.max())
        share = (values - low) / (high - low) if high > low else np.full_like(values, 0.5)
        return self._paint_heat(np.rint(24 + 226 * share).astype(np.uint8)[:, None].repeat(3, 1))

    def paint_plain(self, colour: tuple[int, int, int]) -> ByteArray:
        """Give every point the same colour."""
        return self.paint_labels(np.zeros(self.grid, np.int64), np.array([colour], np.uint8))

    def _paint_heat(self, colours: ByteArray) -> ByteArray:
        return self._stack_views(colours, np.full(self.grid, SOFT), None)

    def _stack_views(
        self, shown: ByteArray, softening: npt.NDArray[np.float64], ignored: BoolArray | None
    ) -> ByteArray:
        colours, soft = shown.astype(np.float32), softening.astype(np.float32)
        parts: list[ByteArray] = []
        for view in self.views:
            if parts:
                parts.append(np.full((1, self.size[1], 3), LINE, np.uint8))
            fine = colours
            if ignored is not None and ignored.any():
                shape = view.visible.shape
                stripes = hatch((shape[0] // FINE, shape[1] // FINE)).repeat(FINE, 0)
                hidden = ignored[view.visible][..., None]
                fine = np.where(hidden, stripes.repeat(FINE, 1), colours[view.visible])
            parts.append(view.paint(fine, GROUND, soft))
        return np.concatenate(parts)


def _windows(surface: Surface, sides: list[Viewpoint]) -> list[Window]:
    """Return a window for each side, of equal scale and width, that fits the shape and shadow."""
    both = np.concatenate([surface.points, project_to_ground(surface.points)])
    planes = [side.project(both)[:, :2] for side in sides]
    centres = [(plane.min(axis=0) + plane.max(axis=0)) / 2 for plane in planes]
    extents = np.array([np.ptp(plane, axis=0) for plane in planes])
    widest, tallest = (float(extent) for extent in extents.max(axis=0))
    room = FINE * (_SIDE - 2 * _MARGIN)
    scale = room / max(widest, tallest, 1e-30)

    def even(extent: float) -> int:
        return FINE * max(_LEAST, round(extent * scale / FINE) + 2 * _MARGIN)

    return [
        Window(float(x), float(y), scale, even(float(tall)), even(widest))
        for (x, y), (_, tall) in zip(centres, extents, strict=True)
    ]
