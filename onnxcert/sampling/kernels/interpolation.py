"""Bilinear interpolation like the ONNX operator Resize, each operation rounded in float32.

Half-pixel centres, no antialiasing, edges repeated. At the exact position of a score its neighbour
still has the weight zero, so a neighbour that is not finite gives NaN.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from onnxcert._typing import Array


class Interpolation:
    """Interpolation from a grid of scores to one of components.

    Args:
        source: (h, w) of the scores.
        grid: (H, W) of the components.
        xp: the array library.
    """

    def __init__(self, source: tuple[int, ...], grid: tuple[int, ...], xp: Any) -> None:
        self.xp = xp
        y, x = (_neighbours(n, m, xp) for n, m in zip(grid, source, strict=True))
        (top, bottom, below, above), (left, right, after, before) = y, x
        above, below = above[:, None], below[:, None]
        self._corners = [
            (top, left, before * above),
            (top, right, after * above),
            (bottom, left, before * below),
            (bottom, right, after * below),
        ]

    def __call__(self, plane: Array) -> Array:
        """Interpolate scores, float32 [h, w] to [H, W]."""
        take = self.xp.take
        parts = [weight * take(take(plane, y, axis=0), x, axis=1) for y, x, weight in self._corners]
        return ((parts[0] + parts[1]) + parts[2]) + parts[3]


def _neighbours(size: int, source: int, xp: Any) -> tuple[Array, Array, Array, Array]:
    """Return for each position the indices of the scores before and after it, and its distances."""
    scale = float(np.float32(size) / np.float32(source))
    at = (xp.astype(xp.arange(size), xp.float32) + 0.5) / scale - 0.5
    at = xp.clip(at, 0.0, float(source - 1))
    low = xp.astype(xp.floor(at), xp.int64)
    high = xp.where(low + 1 < source, low + 1, low)
    half = xp.full(size, 0.5, dtype=xp.float32)
    to_low = xp.where(low == high, half, at - xp.astype(low, xp.float32))
    to_high = xp.where(low == high, half, xp.astype(high, xp.float32) - at)
    return low, high, to_low, to_high
