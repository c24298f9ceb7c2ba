"""Intersection areas of two segments of the unit disc."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]


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
