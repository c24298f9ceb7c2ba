"""Pixels of one panel: the values of an image's pixels, converted to colours."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Final, final

import numpy as np
import numpy.typing as npt

from onnxcert._typing import BoolArray, FloatArray, IntArray
from onnxcert.report.figures import palette

ByteArray = npt.NDArray[np.uint8]

LINE: Final = (176, 182, 190)  # around panels and swatches

# Pixels of a panel.
_NARROWEST: Final = 240
_WIDEST: Final = 800
_TALLEST: Final = 1200


def panel_size(height: int, width: int) -> tuple[int, int]:
    """Return (height, width) of a panel: a whole multiple of the image's size, or smaller."""
    factor = min(-(-_NARROWEST // width), _TALLEST // height)
    if factor >= 1 and width <= _WIDEST:
        return height * factor, width * factor
    shrink = min(_WIDEST / width, _TALLEST / height)
    return max(1, round(height * shrink)), max(1, round(width * shrink))


def resize_nearest(array: npt.NDArray[Any], size: tuple[int, ...]) -> npt.NDArray[Any]:
    """Resize a map by nearest neighbour."""
    rows, columns = (
        (2 * np.arange(after) + 1) * before // (2 * after)
        for before, after in zip(array.shape, size, strict=True)
    )
    small: npt.NDArray[Any] = array[rows[:, None], columns]
    return small


@final
@dataclass(frozen=True)
class ImageCanvas:
    """Panel of the maps of an image; see `onnxcert.report.figures.maps.Canvas`.

    Attributes:
        grid: (height, width) of the image.
    """

    grid: tuple[int, int]

    @property
    def size(self) -> tuple[int, int]:
        """Size (height, width) of the panel."""
        return panel_size(*self.grid)

    def paint_image(self, image: FloatArray) -> ByteArray:
        """Return the image, [3, H, W] in [0, 1]."""
        pixels = np.rint(image.clip(0, 1) * 255).astype(np.uint8)
        return np.stack([self._resize(plane) for plane in pixels], axis=-1)

    def paint_labels(
        self, labels: IntArray, colours: ByteArray, ignored: BoolArray | None = None
    ) -> ByteArray:
        small = None if ignored is None else resize_nearest(ignored, self.size)
        return paint(resize_nearest(labels, self.size), colours, small)

    def paint_hit_rate(self, hit_rate: npt.NDArray[np.floating[Any]]) -> ByteArray:
        heat: ByteArray = hit_rate_colours()[self._resize(_level(hit_rate, 1.0))]
        return heat

    def paint_radius(self, radius: npt.NDArray[np.floating[Any]], largest: float) -> ByteArray:
        # A panel smaller than the image shows a subset of its pixels, as for the certified
        # prediction: a mean of several radii would be certified for no pixel.
        return colour_radius(resize_nearest(radius, self.size), largest)

    def _resize(self, plane: ByteArray) -> ByteArray:
        from PIL import Image

        height, width = self.size
        if height >= plane.shape[0] and width >= plane.shape[1]:
            return resize_nearest(plane, self.size)
        small = Image.fromarray(plane).resize((width, height), Image.Resampling.BOX)
        return np.asarray(small)


def colour_hit_rate(hit_rate: npt.NDArray[np.floating[Any]]) -> ByteArray:
    """Return the colour of each hit rate, uint8 [..., 3]."""
    colours: ByteArray = hit_rate_colours()[_level(hit_rate, 1.0)]
    return colours


def colour_radius(radius: npt.NDArray[np.floating[Any]], largest: float) -> ByteArray:
    """Return the colour of each radius from 0 to `largest`, the white of abstention for NaN."""
    colours = radius_colours()[_level(radius, largest or 1.0)]
    return np.where(np.isnan(radius)[..., None], np.array(palette.ABSTAIN, np.uint8), colours)


def _level(values: npt.NDArray[np.floating[Any]], largest: float) -> ByteArray:
    level: ByteArray = np.rint(np.nan_to_num(values) / largest * 255).clip(0, 255).astype(np.uint8)
    return level


@cache
def hit_rate_colours() -> ByteArray:
    """Return the colour map of the hit rate, uint8 [256, 3], from 0 to 1."""
    import matplotlib

    table: ByteArray = matplotlib.colormaps["viridis"](np.arange(256), bytes=True)[:, :3]
    return table


@cache
def radius_colours() -> ByteArray:
    """Return the colour map of the radius, uint8 [256, 3], from 0 to the largest radius.

    It runs from light to dark because abstention is white. The lightest colours are left out, so
    that the smallest radius does not look like abstention.
    """
    import matplotlib

    place = np.linspace(0.86, 0.12, 256)
    table: ByteArray = matplotlib.colormaps["magma"](place, bytes=True)[:, :3]
    return table


def paint(labels: IntArray, colours: ByteArray, ignored: BoolArray | None = None) -> ByteArray:
    """Return labels in colours: abstention is white, ignored pixels are hatched."""
    table = np.vstack([colours, np.array(palette.ABSTAIN, np.uint8)])
    known = (labels >= 0) & (labels < len(colours))
    painted: ByteArray = table[np.where(known, labels, len(colours))]
    if ignored is not None:
        painted[ignored] = hatch(labels.shape)[ignored]
    return painted


def hatch(shape: tuple[int, ...]) -> ByteArray:
    """Return diagonal stripes, uint8 [*shape, 3]."""
    y, x = np.ogrid[: shape[0], : shape[1]]
    hatch: ByteArray = np.array(palette.IGNORED, np.uint8)[(x + y) // 4 % 2]
    return hatch
