"""Shading of rendered points: by their normals, and by the depth of their surroundings."""

from __future__ import annotations

from typing import Final

import numpy as np

from onnxcert._typing import FloatArray
from onnxcert.report.clouds.viewpoint import Vectors

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
    rings = (2, 5)
    for ring in rings:
        for y, x in ((0, ring), (0, -ring), (ring, 0), (-ring, 0)):
            dark += np.clip((_shift(known, y, x) - known) / (radius + 8) - 0.2, 0, 2)
    lit: FloatArray = np.exp(-0.11 * np.minimum(dark, 7)).astype(np.float32)
    return lit


def _shift(array: Vectors, y: int, x: int) -> Vectors:
    padded = np.pad(array, max(abs(y), abs(x)), mode="edge")
    margin = max(abs(y), abs(x))
    h, w = array.shape
    shifted: Vectors = padded[margin + y : margin + y + h, margin + x : margin + x + w]
    return shifted
