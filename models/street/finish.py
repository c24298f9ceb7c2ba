"""Last steps from canvas to image: downscaling, texture, haze, lens and sensor."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .canvas import SCALE, Canvas
from .light import Light
from .palette import BUILDING, CAR, CLASS_NAMES, PAVEMENT, PERSON, ROAD, SIGN, SKY, TREE
from .texture import noise_field

# Fine and coarse variation of the brightness of each surface.
_FINE: Final = {SKY: 0.0, BUILDING: 0.03, ROAD: 0.02, PAVEMENT: 0.02, TREE: 0.13, CAR: 0.01,
                PERSON: 0.03, SIGN: 0.01}  # fmt: skip
_BROAD: Final = {SKY: 0.0, BUILDING: 0.045, ROAD: 0.03, PAVEMENT: 0.03, TREE: 0.09, CAR: 0.02,
                 PERSON: 0.03, SIGN: 0.01}  # fmt: skip


def finish(
    rng: np.random.Generator, canvas: Canvas, light: Light
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return pixels uint8 [h, w, 3] and labels uint8 [h, w] of a painted canvas."""
    height, width = canvas.height, canvas.width
    pixels = np.asarray(canvas.colour.resize((width, height), Image.Resampling.BOX), dtype=float)
    middle = slice(SCALE // 2, None, SCALE)
    labels = np.array(np.asarray(canvas.labels)[middle, middle])
    distance = np.asarray(canvas.distance, dtype=float)[middle, middle]

    order = range(len(CLASS_NAMES))
    fine = np.array([_FINE[c] for c in order])[labels]
    broad = np.array([_BROAD[c] for c in order])[labels]
    grain = fine * noise_field(rng, height, width, (1.5, 1.5))
    grain += broad * noise_field(rng, height, width, (7.0, 7.0))
    pixels = pixels * (1 + grain)[..., None]

    clear = np.exp(-light.thickness * np.maximum(distance - 4, 0))
    clear = np.where(labels == SKY, 1.0, clear)[..., None]
    pixels = pixels * clear + np.array(light.haze) * (1 - clear)

    # A tone curve that brightens shadows and keeps highlights.
    pixels = 255 * (np.clip(pixels, 0, 255) / 255) ** 0.86
    rows, columns = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    pixels *= (1 - 0.09 * (rows**2 + columns**2))[..., None]
    pixels += rng.normal(0, 1.6, pixels.shape)
    return np.clip(pixels, 0, 255).astype(np.uint8), labels
