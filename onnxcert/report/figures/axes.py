"""Pixels of one panel: an array of the size of the image, converted to colours."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

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


def resize_nearest(array: npt.NDArray[Any], size: tuple[int, int]) -> npt.NDArray[Any]:
    """Resize a map by nearest neighbour."""
    rows, columns = (
        (2 * np.arange(after) + 1) * before // (2 * after)
        for before, after in zip(array.shape, size, strict=True)
    )
    small: npt.NDArray[Any] = array[rows[:, None], columns]
    return small


def image_panel(image: FloatArray, size: tuple[int, int]) -> ByteArray:
    """Return the image [3, H, W] as pixels of `size`."""
    pixels = np.rint(image.clip(0, 1) * 255).astype(np.uint8).transpose(1, 2, 0)
    return np.stack([_resize(pixels[..., c], size) for c in range(3)], axis=-1)


def hit_rate_panel(hit_rate: npt.NDArray[np.floating[Any]], size: tuple[int, int]) -> ByteArray:
    """Return the hit rates in colours."""
    level = np.rint(np.nan_to_num(hit_rate).clip(0, 1) * 255).astype(np.uint8)
    heat: ByteArray = hit_rate_colours()[_resize(level, size)]
    return heat


def radius_panel(
    radius: npt.NDArray[np.floating[Any]], largest: float, size: tuple[int, int]
) -> ByteArray:
    """Return radii from 0 to `largest` in colours, NaN in the white of abstention.

    A panel smaller than the image shows a subset of its pixels, as for the certified prediction:
    a mean of several radii would be certified for no pixel.
    """
    shown = resize_nearest(radius, size)
    level = np.rint(np.nan_to_num(shown) / (largest or 1.0) * 255).clip(0, 255).astype(np.uint8)
    table = radius_colours()
    return np.where(np.isnan(shown)[..., None], np.array(palette.ABSTAIN, np.uint8), table[level])


def _resize(plane: ByteArray, size: tuple[int, int]) -> ByteArray:
    from PIL import Image

    if size[0] >= plane.shape[0] and size[1] >= plane.shape[1]:
        return resize_nearest(plane, size)
    small = Image.fromarray(plane).resize((size[1], size[0]), Image.Resampling.BOX)
    return np.asarray(small)


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


def ignored_mask(truth: IntArray, classes: int, ignore_label: int | None) -> BoolArray:
    """Return the mask of pixels without a valid ground-truth label."""
    ignored: BoolArray = (truth < 0) | (truth >= classes)
    return ignored if ignore_label is None else ignored | (truth == ignore_label)


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
