"""p-values of "no class exceeds tau" for every number of hits, and bounds for all tau together."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from scipy.stats import beta, binom

from onnxcert._typing import LevelArray
from onnxcert.sampling.tally import Selection
from onnxcert.statistics.correction.base import first_rejected
from onnxcert.statistics.rule import check_tau

# SciPy's binomial tail has an error of about 1e-13. A p-value may be too large, never too small.
_ROUND_UP = 1.0 + 1e-11
_SMALLEST = 1e-260

# Tables up to this n are cached, because few are used again and again: 128 of them take 13 MB.
_CACHED: Final = 12_800

# Share of a component's level reserved for directional errors where several tau use it.
_DIRECTIONAL: Final = 0.01


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


@dataclass(frozen=True)
class OneSidedLevel:
    """The error level of one component, simultaneous for all tau from a floor on.

    *Split* selection: the Clopper-Pearson bound. The tests of all tau are nested, so that with
    p = P(vote = candidate) an error at any tau means F_p(x) <= level, which has probability
    `level` at most (Clopper and Pearson 1934).

    *Pooled* selection: let x_0 be the smallest count whose pooled p-value at the floor tau_0 is
    at most the level and d = F_{1 - tau_0}(x_0). Certify from x_0 on, at every tau >= tau_0 with
    F_tau(x) <= level - d, and at tau_0 itself. If no class exceeds tau_0, every certificate is an
    error, and its probability is at most the pooled p-value at x_0. If a class c does (p_c >
    tau_0), another class reaches x_0 with probability at most d, and c itself is certified beyond
    p_c only where F_{p_c}(x) <= level - d. The sum is at most the level. x_0 is chosen so large
    that d is at most 1 % of the level. At a level of 1e-9 and a floor of 1/2 this costs 2 votes of
    100 and 10 of 1000, and none from a floor of 0.55 on.

    Args:
        n: draws tested.
        level: for one component; in (0, 1).
        selection: where the candidate comes from.
        floor: tau_0, in [1/2, 1).
    """

    n: int
    level: float
    selection: Selection
    floor: float

    @property
    def first(self) -> int:
        """Smallest hits x_0 that certify a component at the floor; n + 1 where none do."""
        x = first_rejected(p_values(self.n, self.floor, self.selection), self.level)
        if self.selection == "split":
            return x
        directional = binomial_tail(self.n, 1.0 - self.floor) <= _DIRECTIONAL * self.level
        return max(x, int(np.argmax(directional)) if directional.any() else self.n + 1)

    @property
    def left(self) -> float:
        """Level that remains for F_tau after the directional errors."""
        if self.selection == "split" or self.first > self.n:
            return self.level
        return self.level - float(binomial_tail(self.n, 1.0 - self.floor)[self.first])

    def threshold(self, tau: float) -> int:
        """Return the smallest hits that certify a component at tau; n + 1 where none do."""
        if tau == self.floor:
            return self.first
        return max(self.first, first_rejected(binomial_tail(self.n, tau), self.left))

    def lower_bounds(self) -> LevelArray:
        """Return the largest tau of 0 .. n hits, rounded down, 0 for none; read-only [n + 1]."""
        return (_cached_bounds if self.n <= _CACHED else OneSidedLevel._bounds)(self)

    def _bounds(self) -> LevelArray:
        bounds = np.zeros(self.n + 1)
        first = self.first
        hits = np.arange(first, self.n + 1)
        if hits.size == 0:
            return _read_only(bounds)
        bound = np.minimum(beta.ppf(self.left, hits, self.n - hits + 1), np.nextafter(1.0, 0.0))
        bound = np.maximum(bound * (1.0 - 1e-11), self.floor)
        # SciPy's quantile may be too large, so check it with the binomial tail itself.
        for _ in range(60):
            tail = binom.sf(hits - 1, self.n, bound) * (1.0 + 1e-11)
            over = (tail > self.left) & (bound > self.floor)
            if not over.any():
                break
            bound = np.where(over, np.maximum(bound * (1.0 - 1e-9), self.floor), bound)
        else:
            bound = np.where(over, self.floor, bound)
        bounds[first:] = np.maximum.accumulate(bound)
        return _read_only(bounds)


_cached_bounds = lru_cache(maxsize=64)(OneSidedLevel._bounds)
