"""The distribution of Q = exp([v]x), v ~ N(0, sigma^2 I_3), which depends on the angle of Q only.

Q turns by a = |v| folded into [0, pi] about an axis that is uniform on the sphere. Its density
with respect to Haar measure is, with u_k = a + 2 pi k (docs/rotation.md),

    h(a) = 4 pi^2 (2 pi sigma^2)^(-3/2)  sum_k u_k^2 exp(-u_k^2 / 2 sigma^2) / (2 sin^2(a / 2)),

which decreases in a (Lemma 2 there).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]

# Sum over |k| <= 3: for sigma <= 1 the rest is below exp(-150), and omitting it lowers h.
_WRAPS = (0, -1, 1, -2, 2, -3, 3)
# Above the relative rounding error of exp, sin and the few operations here.
ROUNDING = 1e-12
# The largest 1 / (2 sin^2(u / 2)) - 2 / u^2 on [0, pi], at pi: 0.29736.
_BEND = 0.2974


def density(a: Numbers, sigma: float) -> Numbers:
    """Compute h at the angles `a` in (0, pi]."""
    total = np.zeros_like(a)
    for k in _WRAPS:
        u = a + 2 * math.pi * k
        total += u * u * np.exp(-0.5 * (u / sigma) ** 2)
    return np.asarray(_scale(sigma) * total / (2 * np.sin(a / 2) ** 2))


def angle_density(a: Numbers, sigma: float) -> Numbers:
    """Compute the density of the angle itself in [0, pi]: the folded Maxwell distribution."""
    total = np.zeros_like(a)
    for k in _WRAPS:
        u = a + 2 * math.pi * k
        total += u * u * np.exp(-0.5 * (u / sigma) ** 2)
    return np.asarray(_scale(sigma) / math.pi * total)


def lower_polygon(a: Numbers, sigma: float) -> Numbers:
    """Compute a decreasing polygon below h: its heights at the angles `a`.

    A chord exceeds h by at most width^2 / 8 times the largest h'' between its ends, so both ends
    are lowered by this and by `ROUNDING`. Left of sigma / 16, where h has a pole of very little
    mass, the polygon is constant, which is below h. Elsewhere a height above the previous one is
    lowered to it.

    Args:
        a: increasing angles in (0, pi], evenly spaced.
        sigma: at most 1.
    """
    bend = curvature_bound(a[:-1], a[1:], sigma) * (np.diff(a) ** 2 / 8)
    lowered = np.concatenate([bend, bend[-1:]])
    lowered[1:-1] = np.maximum(bend[:-1], bend[1:])
    heights = np.maximum(density(a, sigma) * (1 - ROUNDING) - lowered * (1 + ROUNDING), 0.0)
    level = int(np.searchsorted(a, sigma / 16))
    heights[:level] = heights[level]
    return np.asarray(np.minimum.accumulate(heights))


def curvature_bound(low: Numbers, high: Numbers, sigma: float) -> Numbers:
    """Compute an upper bound of h'' between the angles `low` and `high`, 0 < low < high <= pi.

    Term k of h is f_k = u^2 exp(-u^2 / 2 sigma^2) / (2 sin^2(a / 2)), and f_k'' = f_k (l' + l^2)
    with l = (log f_k)' = 2 / u - u / sigma^2 - cot(a / 2). For k = 0 the singular parts cancel:
    |l| <= u / sigma^2 and l' <= 0.2974 - 1 / sigma^2 (Lemma 2). The others are bounded piece by
    piece.
    """
    bend = max(0.0, _BEND - 1 / sigma**2)
    peak = np.exp(-0.5 * (low / sigma) ** 2) * (high / np.sin(high / 2)) ** 2 / 2
    total = peak * (bend + (high / sigma**2) ** 2)
    sine, cotangent = np.sin(low / 2), 1 / np.tan(low / 2)
    for k in _WRAPS[1:]:
        ends = np.abs(np.stack([low, high]) + 2 * math.pi * k)
        near, far = ends.min(axis=0), ends.max(axis=0)
        highest = np.clip(math.sqrt(2) * sigma, near, far)  # maximises u^2 exp(-u^2 / 2 sigma^2)
        size = highest**2 * np.exp(-0.5 * (highest / sigma) ** 2) / (2 * sine**2)
        steep = 2 / near + far / sigma**2 + cotangent
        total += size * (0.5 / sine**2 + steep**2)
    return np.asarray(_scale(sigma) * total)


def _scale(sigma: float) -> float:
    return 4 * math.pi**2 / math.sqrt(2 * math.pi * sigma**2) ** 3
