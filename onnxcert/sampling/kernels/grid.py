"""The grid of noisy inputs, which makes the model's input a function of x + e alone.

In floating point, `x + sigma z` shows the low bits of x: the sums with x and with its neighbour lie
on different lattices (Jin et al. 2022; Voracek and Hein 2023). So x + e is rounded to a grid that
depends on sigma alone. The model then sees a fixed function of the real number x + e.
docs/statistics.md, section 11, derives the distance of the law of a computed draw from that.
"""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple

from array_api_compat import array_namespace

from onnxcert._typing import Array

STEPS: Final = 14  # the grid step is about sigma / 2^STEPS


class Split(NamedTuple):
    """x = nearest + rest * step.

    Attributes:
        nearest: the grid point nearest to x, float32.
        rest: (x - nearest) in steps, exact, at most 1/2 in size; float64, or float32 if that is
            exact, as it is except for denormal numbers.
    """

    nearest: Array
    rest: Array


def grid_step(sigma: float) -> float:
    """Return g = 2^(floor(log2 sigma) - 14), with sigma / g in [2^14, 2^15); 0 for no noise.

    >>> grid_step(0.25) == 2.0**-16
    True
    """
    return math.ldexp(1.0, math.frexp(sigma)[1] - 1 - STEPS) if sigma else 0.0


def split(x: Array, step: float) -> Split:
    """Split float32 `x` into its nearest grid point and the rest.

    Every operation is exact: the step is a power of two, and |x| < 2^29 steps
    (`onnxcert.perturbation.Gaussian.check`), so that each part has fewer bits than its type.
    """
    xp: Any = array_namespace(x)
    steps = xp.astype(x, xp.float64) / step
    nearest = xp.round(steps)
    return Split(xp.astype(nearest * step, xp.float32), steps - nearest)
