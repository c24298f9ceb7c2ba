"""Smooth random fields: clouds, worn asphalt, plaster, leaves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def noise_field(
    rng: np.random.Generator, height: int, width: int, cell: tuple[float, float]
) -> NDArray[np.float64]:
    """Return noise [height, width], mean 0, deviation about 1; `cell`: grain (rows, columns)."""
    rows = max(2, round(height / cell[0]) + 1)
    columns = max(2, round(width / cell[1]) + 1)
    coarse = Image.fromarray(rng.standard_normal((rows, columns)).astype(np.float32))
    field = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), dtype=np.float64)
    return np.asarray(field / (field.std() + 1e-9))


def octaves(
    rng: np.random.Generator, height: int, width: int, cell: tuple[float, float], count: int = 4
) -> NDArray[np.float64]:
    """Sum noise fields, each with half the grain and 0.55 of the strength of the one before."""
    total = np.zeros((height, width))
    for level in range(count):
        grain = (max(cell[0] / 2**level, 1.0), max(cell[1] / 2**level, 1.0))
        total += noise_field(rng, height, width, grain) * 0.55**level
    return np.asarray(total / (total.std() + 1e-9))
