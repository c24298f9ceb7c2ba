"""Prediction of the certified share of further inputs, from the votes of an earlier run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, Self

import numpy as np
from scipy.stats import binom

from onnxcert._typing import IntArray, LevelArray

# The grid of vote rates has equal steps of arcsin(sqrt(p)): there Jeffreys' prior Beta(1/2, 1/2) is
# flat and a binomial has a constant spread.
_RATES: Final = 512
_STEPS: Final = 50


@cache
def _rates() -> LevelArray:
    angles = (np.arange(_RATES) + 0.5) / _RATES * (np.pi / 2.0)
    return np.asarray(np.sin(angles) ** 2)


@dataclass(frozen=True, eq=False)
class VoteRates:
    """The distribution of the vote rates P(vote = candidate) over the components of one input.

    Attributes:
        shares: share of the components at each rate of the grid; float64 [512], sum 1.
    """

    shares: LevelArray

    @classmethod
    def of(cls, histogram: IntArray, *, steps: int = _STEPS) -> Self:
        """Estimate the distribution from the hits of a pilot.

        Each component's rate has the posterior Beta(hits + 1/2, n - hits + 1/2); their mean is the
        first step. It is too wide, because it contains the pilot's binomial noise. Further steps of
        the EM algorithm (Laird 1978) use the last mean as the prior and narrow it. The algorithm is
        stopped early, because its limit is a few spikes (Laird and Louis 1991).

        Args:
            histogram: components with 0 .. n hits of n; integers [n + 1].
            steps: of the EM algorithm.
        """
        n = len(histogram) - 1
        seen = np.flatnonzero(histogram)
        weight = histogram[seen] / histogram.sum()
        likelihood = binom.logpmf(seen[:, None], n, _rates()[None, :])
        likelihood = np.exp(likelihood - likelihood.max(axis=1, keepdims=True))
        shares = np.full(_RATES, 1.0 / _RATES)
        for _ in range(steps):
            posterior = likelihood * shares
            posterior /= posterior.sum(axis=1, keepdims=True)
            shares = weight @ posterior
        return cls(shares)

    def hits(self, n: int) -> LevelArray:
        """Compute the expected share of components with 0 .. n hits of n new draws; [n + 1]."""
        found = np.zeros(n + 1)
        for part in np.array_split(np.arange(_RATES), max(1, n // 1000)):
            found += self.shares[part] @ binom.pmf(np.arange(n + 1), n, _rates()[part, None])
        return found

    def above(self, tau: float) -> float:
        """Return the share of components whose rate exceeds tau."""
        return float(self.shares[_rates() > tau].sum())

    def reach(self, n: int, votes: int) -> float:
        """Compute the expected share of components with at least `votes` hits of n new draws."""
        return float(self.shares @ binom.sf(votes - 1, n, _rates()))

    def crossing_shares(self, looks: Sequence[int], bounds: Sequence[int]) -> tuple[float, ...]:
        """Compute the expected share that reaches the boundary up to each look."""
        from scipy.signal import fftconvolve  # slow to import, and only this needs it

        rates = _rates()[:, None]
        alive, crossed = np.ones((_RATES, 1)), np.zeros(_RATES)
        found, before = [], 0
        for look, bound in zip(looks, bounds, strict=True):
            drawn = look - before
            step = binom.pmf(np.arange(drawn + 1), drawn, rates)
            alive = np.maximum(fftconvolve(alive, step, axes=1), 0.0)
            crossed += alive[:, bound:].sum(axis=1)
            alive = alive[:, :bound]
            found.append(min(1.0, float(self.shares @ crossed)))
            before = look
        return tuple(found)
