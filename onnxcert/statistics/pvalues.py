"""p-values of "no class exceeds tau" for every possible number of hits."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
from scipy.stats import binom

from onnxcert._typing import LevelArray
from onnxcert.sampling.tally import Selection
from onnxcert.statistics.rule import check_tau

# SciPy's binomial tail has an error of about 1e-13. A p-value may be too large, never too small.
_ROUND_UP = 1.0 + 1e-11
_SMALLEST = 1e-260

# Tables up to this n are cached, because few are used again and again: 128 of them take 13 MB.
_CACHED: Final = 12_800


def binomial_tail(n: int, p: float) -> LevelArray:
    """Compute F_p(x) = P(Bin(n, p) >= x), x = 0 .. n, rounded up; float64 [n + 1], read-only."""
    return (_cached_tail if n <= _CACHED else _tail)(n, p)


def _tail(n: int, p: float) -> LevelArray:
    tail = binom.sf(np.arange(n + 1) - 1, n, p)
    # In the far tail SciPy may return 0 or not be monotone. No real level is this small.
    tail = np.where(np.arange(n + 1) > 0, np.maximum(tail, _SMALLEST), 1.0)
    return _read_only(np.minimum(tail * _ROUND_UP, 1.0))


_cached_tail = lru_cache(maxsize=128)(_tail)


def _read_only(table: LevelArray) -> LevelArray:
    table.flags.writeable = False
    return table


def p_values(n: int, tau: float, selection: Selection) -> LevelArray:
    """Compute the p-value of each number of hits 0 .. n among n tested draws.

    *Split* selection (Fischer et al. 2021, Algorithm 3): the candidate was chosen from other
    draws, so under the null P(vote = candidate) <= tau the hits are binomial with p at most tau
    and the p-value is F_tau(x).

    *Pooled* selection: the candidate was chosen from the first n0 of the same n draws. For
    x > n / 2 at most one class has x votes or more, so the chance that a class with probability at
    most tau gets x votes is at most the sum of F_p(x) over such classes. F_p(x) is convex in p
    below (x - 1) / (n - 1); where that is at least tau, the sum over probabilities that are each
    at most tau and add up to at most 1 is largest at (tau, 1 - tau). The p-value is therefore
    F_tau(x) + F_{1 - tau}(x) where (x - 1) / (n - 1) >= tau and x > n / 2, and 1 elsewhere.

    >>> p_values(3, 0.75, "split").round(4).tolist()
    [1.0, 0.9844, 0.8438, 0.4219]
    >>> p_values(3, 0.75, "pooled").round(4).tolist()
    [1.0, 1.0, 1.0, 0.4375]

    Returns:
        float64 [n + 1], decreasing, read-only.

    Raises:
        ParameterError: tau is outside [1/2, 1).
    """
    check_tau(tau)
    return (_cached_p_values if n <= _CACHED else _p_values)(n, tau, selection)


def _p_values(n: int, tau: float, selection: Selection) -> LevelArray:
    tail = binomial_tail(n, tau)
    if selection == "split":
        return tail
    hits = np.arange(n + 1)
    summed = np.minimum(tail + binomial_tail(n, 1.0 - tau), 1.0)
    valid = (hits - 1 >= tau * (n - 1)) & (2 * hits > n)
    return _read_only(np.where(valid, summed, 1.0))


_cached_p_values = lru_cache(maxsize=128)(_p_values)
