"""Lower confidence bounds for the candidate's probability, valid for all tau together."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from scipy.stats import beta, binom

from onnxcert._typing import LevelArray
from onnxcert.sampling.tally import Selection
from onnxcert.statistics.correction.base import first_rejected
from onnxcert.statistics.pvalues import binomial_tail, p_values

# Share of a component's level reserved for directional errors where several tau use it.
_DIRECTIONAL: Final = 0.01

# Bounds for at most this many draws are cached: every input needs the same ones.
_CACHED: Final = 12_800


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
            bounds.flags.writeable = False
            return bounds
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
        bounds.flags.writeable = False
        return bounds


_cached_bounds = lru_cache(maxsize=64)(OneSidedLevel._bounds)
