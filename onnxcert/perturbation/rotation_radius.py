"""The Neyman-Pearson radius of rotation noise, from a one-sided (lower) bound.

Among all sets A with P(Q in A) = 1 - q, find the smallest probability that remains after a rotation
S of angle s. For every k >= 0 (docs/rotation.md, Lemma 1)

    P(Q S in A) >= M(k, s) - k q,    M(k, s) = integral of min(k h(angle of Q), h(angle of Q S^-1)).

So a lower bound of M is safe, and any k is. The angles of Q and Q S^-1 are 2 arccos of the absolute
coordinates, in two directions s / 2 apart, of a point that is uniform on the unit *disc*. By layers
M is one integral over the common areas of two segments of the disc (`segments`).
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.stats import chi, norm

from onnxcert.perturbation.angle_law import ROUNDING, lower_polygon


def segment(alpha: Numbers) -> Numbers:
    """Compute the area of the segment of half-angle alpha: all z with <z, e> >= cos(alpha)."""
    return np.asarray(alpha - np.sin(alpha) * np.cos(alpha))


def common_area(alpha: Numbers, beta: Numbers, omega: float) -> Numbers:
    """Compute the intersection area of two segments whose directions enclose the angle omega.

    If the chords cross, at V, the boundary is the arc from omega - beta to alpha and two pieces of
    chord. The area is the sector of the arc plus the triangles from the origin to the pieces.

    Args:
        alpha: half-angles of the first segment, in [0, pi / 2].
        beta: half-angles of the second segment, in [0, pi / 2].
        omega: in (0, pi).
    """
    cos_a, cos_b, sin_a = np.cos(alpha), np.cos(beta), np.sin(alpha)
    v = (cos_b - cos_a * math.cos(omega)) / math.sin(omega)  # V = (cos_a, v)
    start_x, start_y = np.cos(omega - beta), np.sin(omega - beta)
    triangles = cos_a * start_y - v * start_x + cos_a * v - sin_a * cos_a
    crossing = 0.5 * (alpha + beta - omega + triangles)
    inside = np.abs(alpha - beta) >= omega
    apart = alpha + beta <= omega
    smaller = segment(np.minimum(alpha, beta))
    return np.asarray(np.where(apart, 0.0, np.where(inside, smaller, crossing)))


def bend_bound(
    alpha: Numbers, beta: Numbers, d_alpha: Numbers, d_beta: Numbers, omega: float
) -> Numbers:
    """Compute an upper bound of the second derivative of `common_area` along a straight piece.

    If the chords cross, d A / d alpha = sin(alpha) (sin(alpha) - v): the length of a piece of
    chord, at most 2 sin(alpha), times its speed. With x = sin(alpha) d_alpha and
    y = sin(beta) d_beta the second derivative is at most 3/2 sin(2 alpha) d_alpha^2, the same in
    beta, and (2 x y - (x^2 + y^2) cos(omega)) / sin(omega) <= (x^2 + y^2) tan(omega / 2). If one
    segment lies in the other, it is 2 sin(2 alpha) d_alpha^2 of the smaller. The first derivative
    has no jumps.

    Args:
        alpha: the largest first half-angles on the piece.
        beta: the largest second half-angles on the piece.
        d_alpha: change of alpha over the piece.
        d_beta: change of beta over the piece.
        omega: the angle between the directions, in (0, pi).
    """
    a, b = np.minimum(1.0, 2 * alpha), np.minimum(1.0, 2 * beta)
    round_ = 2 * (a * d_alpha**2 + b * d_beta**2)
    corner = (np.sin(alpha) * d_alpha) ** 2 + (np.sin(beta) * d_beta) ** 2
    bound = round_ + math.tan(omega / 2) * corner
    return np.asarray(np.where(alpha + beta <= omega, 0.0, bound))


Numbers = npt.NDArray[np.float64]

_COARSE: Final = 150
# Attack angles are a geometric sequence that spans the factor _DEPTH. Up to this sigma (_CHAINED)
# Theorem 2 loses little over wide gaps; above, the gain is so large that fewer pieces suffice.
_DEPTH: Final = 3e-5
_CHAINED: Final = 0.5
_REACH: Final = 10.0
# Up to this sigma the loss of Theorem 2 at the cut locus is below the rounding error for every tau.
_CLASSICAL: Final = 0.3
# Below this sigma the gain is less than 7e-5, so it is not computed.
_SMALLEST: Final = 0.02


class Layers:
    """Lower bounds of M(k, s) for one sigma: h is replaced by a polygon below it."""

    def __init__(self, sigma: float, pieces: int) -> None:
        a = np.linspace(0.0, min(math.pi, 12 * sigma), pieces + 1)[1:]
        # Half-angles as functions of the level t: {h > t} is all angles below 2 half(t). Where the
        # polygon is constant, use the smallest angle.
        heights = np.append(lower_polygon(a, sigma), 0.0)
        self._levels, first = np.unique(heights, return_index=True)
        self._halves = np.append(a, a[-1])[first] / 2

    def overlap(self, k: float, s: float) -> float:
        """Compute a lower bound of M(k, s); k > 0, s in (0, pi].

        Between neighbouring levels both half-angles are linear, so the trapezoidal rule is too
        large by at most 1/12 of the largest second derivative of the area.
        """
        top = min(1.0, k) * self._levels[-1]
        t = np.unique(np.concatenate([k * self._levels, self._levels]))
        t = np.append(t[t < top], top)
        alpha = np.interp(t / k, self._levels, self._halves)
        beta = np.interp(t, self._levels, self._halves)
        d_alpha, d_beta = np.diff(alpha), np.diff(beta)
        near, opposite = s / 2, math.pi - s / 2
        area = common_area(alpha, beta, near) + common_area(alpha, beta, opposite)
        a, b = alpha[:-1], beta[:-1]
        bend = bend_bound(a, b, d_alpha, d_beta, near) + bend_bound(a, b, d_alpha, d_beta, opposite)
        dt = np.diff(t)
        # `common_area` divides a rounding error of a few times 2^-53 by sin(s / 2).
        lost = 1e-14 / math.sin(near) * top
        total = float(np.sum(dt * (0.5 * (area[:-1] + area[1:]) - bend / 12)))
        return float(2 / math.pi * (total * (1 - ROUNDING) - lost))


class RotationRadius:
    """The radius for one sigma, by tau."""

    def __init__(self, sigma: float) -> None:
        self._sigma = sigma
        chained = sigma <= _CHAINED
        self._step, pieces = (1.006, 4000) if chained else (1.004, 1500)
        self._steps = math.ceil(-math.log(_DEPTH) / math.log(self._step))
        self._fine, self._coarse = Layers(sigma, pieces), Layers(sigma, _COARSE)
        self._end = min(math.pi, _REACH * sigma)
        # P(|v| > pi), the mass beyond the cut locus.
        self._beyond = float(chi(3).sf(math.pi / sigma)) * (1 + ROUNDING)
        self._kept: dict[int, tuple[float, float]] = {}

    def __call__(self, tau: float) -> float:
        """Return an angle up to which P(Q in A) > tau implies P(Q S in A) > 1/2; rising in tau."""
        q = 1.0 - tau
        low, high = -1, self._steps + 1
        while high - low > 1:
            middle = (low + high) // 2
            k, m = self._at(middle)
            if m - k * q >= 0.5:
                low = middle
            else:
                high = middle
        if low == self._steps:
            return self._angle(low)
        k, m = self._at(low) if low >= 0 else (1.0, 1.0)
        # Continue from this angle by Theorem 2, but not beyond the next one.
        more = norm.isf(1.0 - (m - k * q)) - norm.isf(0.5 - self._beyond)
        reached = self._angle(low) + self._sigma * max(0.0, float(more)) * (1 - ROUNDING)
        least = classical_radius if self._sigma <= _CLASSICAL else radius_near_half
        return max(min(reached, self._angle(low + 1)), least(self._sigma, tau))

    def _angle(self, j: int) -> float:
        """Return attack angle number j; 0 for j < 0."""
        return 0.0 if j < 0 else self._end * self._step ** (j - self._steps)

    def _at(self, j: int) -> tuple[float, float]:
        """Return k and M(k, s) at attack angle number j."""
        if j not in self._kept:
            s = self._angle(j)

            def objective(log_k: float) -> float:
                """Compute minus the largest q with M(k, s) - k q >= 1/2."""
                k = math.exp(log_k)
                return (0.5 - self._coarse.overlap(k, s)) / k

            most = 0.7 * (s / self._sigma) ** 2 + 0.1
            found = minimize_scalar(
                objective, bounds=(-0.1, most), method="bounded", options={"xatol": 3e-3}
            )
            k = math.exp(float(found.x))
            self._kept[j] = (k, self._fine.overlap(k, s))
        return self._kept[j]


@lru_cache(maxsize=16)
def _radius_of(sigma: float) -> RotationRadius:
    return RotationRadius(sigma)


def classical_radius(sigma: float, tau: float) -> float:
    """Compute sigma * Phi^-1(tau), at most pi, rounded down."""
    return min(math.pi, max(0.0, sigma * float(norm.ppf(tau)) * (1 - ROUNDING)))


def radius_near_half(sigma: float, tau: float) -> float:
    """Compute a valid radius (Theorem 3) that is above the classical one for tau near 1/2."""
    slope = sigma * math.sqrt(2 * math.pi) / (1 - sigma**2 / 8)
    return min(math.pi, max(0.0, (tau - 0.5) * slope * (1 - ROUNDING)))


def exact_radius(sigma: float, tau: float) -> float:
    """Compute the Neyman-Pearson radius or slightly less, at most pi; sigma at most 1.

    The first call for a sigma takes some hundredths of a second; its results are cached.
    """
    if tau <= 0.5 or sigma < _SMALLEST:
        return classical_radius(sigma, tau)
    return _radius_of(float(sigma))(tau)
