"""Conditional power: the expected gain of further draws, never part of a certificate."""

from __future__ import annotations

import numpy as np
from scipy.stats import betabinom

from onnxcert._typing import IntArray, LevelArray


def predictive_power(n: int, more: int, bound: int) -> LevelArray:
    """Compute P(hits of n + more draws reach `bound`) for 0 .. n hits of n; float64 [n + 1].

    This is the conditional power, averaged over Jeffreys' posterior of the hit probability,
    Beta(hits + 1/2, n - hits + 1/2) (the predictive power).
    """
    hits = np.arange(n + 1)
    missing = bound - hits
    chance = betabinom.sf(missing - 1, more, hits + 0.5, n - hits + 0.5)
    return np.asarray(np.where(missing <= 0, 1.0, np.where(missing > more, 0.0, chance)))


def expected_gain(undecided: IntArray, n: int, more: int, bound: int) -> float:
    """Compute the expected number of undecided components that `more` draws would certify.

    Args:
        undecided: components that are not certified, by hits 0 .. n; integers [n + 1].
        n: draws so far.
        more: further draws.
        bound: hits of n + more that certify.
    """
    if more < 1 or bound > n + more:
        return 0.0
    return float(undecided @ predictive_power(n, more, bound))
