"""Spending functions: the share of the level used up to each interim look (Lan, DeMets 1983)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from scipy.stats import norm

from onnxcert._typing import LevelArray
from onnxcert.errors import ParameterError

Spending = Callable[[Sequence[int], float], LevelArray]


def equal(looks: Sequence[int], level: float) -> LevelArray:  # noqa: ARG001
    """Spend the same at each look: j / K after j of K looks."""
    return np.arange(1, len(looks) + 1) / len(looks)


def pocock(looks: Sequence[int], level: float) -> LevelArray:  # noqa: ARG001
    """Spend ln(1 + (e - 1) t) at the share t of the draws: nearly constant boundaries."""
    return np.array([math.log1p((math.e - 1.0) * look / looks[-1]) for look in looks])


def obrien_fleming(looks: Sequence[int], level: float) -> LevelArray:
    """Spend 2 (1 - Phi(z / sqrt(t))) / level, z = Phi^-1(1 - level / 2): very little early."""
    z = float(norm.isf(level / 2.0))
    share = np.array([look / looks[-1] for look in looks])
    return np.asarray(np.minimum(2.0 * norm.sf(z / np.sqrt(share)) / level, 1.0))


SPENDING: Final[dict[str, Spending]] = {
    "equal": equal,
    "pocock": pocock,
    "obrien-fleming": obrien_fleming,
}


def cumulative(name: str, looks: Sequence[int], level: float) -> LevelArray:
    """Return the share of `level` to spend up to each look, increasing to 1; float64 [K].

    Raises:
        ParameterError: `name` is not a spending function.
    """
    if name not in SPENDING:
        raise ParameterError(f"the spending must be one of {', '.join(SPENDING)}, got {name!r}.")
    shares = np.minimum(SPENDING[name](looks, level), 1.0)
    shares[-1] = 1.0
    return np.asarray(np.maximum.accumulate(shares), dtype=np.float64)
