"""Radii as text: rounded down, never to the nearest."""

from __future__ import annotations

import math


def rounded_down(radius: float) -> str:
    """`radius` with four significant digits, never more than it is.

    >>> rounded_down(0.16862)
    '0.1686'
    >>> rounded_down(0.16868)
    '0.1686'
    """
    if radius == 0:
        return "0"
    unit = 10.0 ** (math.floor(math.log10(radius)) - 3)
    digits = math.floor(radius / unit * (1 + 1e-12))
    return f"{digits * unit:.4g}"
