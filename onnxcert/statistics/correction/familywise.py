"""Corrections of the FWER and the k-FWER: single step and step-down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from onnxcert._typing import IntArray, LevelArray
from onnxcert.statistics.correction.base import Correction, first_rejected


@dataclass(frozen=True)
class _FamilyWise(Correction):
    """FWER: k = 1. k-FWER: any k."""

    dependence: ClassVar[str] = "any"

    def _k(self, k: int) -> int:
        return k if self.controls == "k-FWER" else 1

    def entry_level(self, components: int, alpha: float, k: int) -> float:
        return self._k(k) * alpha / components


@final
@dataclass(frozen=True)
class SingleStep(_FamilyWise):
    """Single-step control at alpha under any dependence: reject if p <= k alpha / N.

    k = 1 is Bonferroni: the FWER is at most alpha by the union bound (Dunn 1961). Otherwise Lehmann
    and Romano 2005, Theorem 2.1 (i): the expected number of wrong rejections is at most
    N x k alpha / N = k alpha, so by Markov's inequality P(k or more) <= alpha.

    >>> p_values, histogram = np.array([1.0, 0.02, 0.01]), np.array([3, 0, 2])
    >>> SingleStep("kfwer", "k-FWER").threshold(p_values, histogram, 0.05, k=2)
    1
    >>> SingleStep("bonferroni", "FWER").threshold(p_values, histogram, 0.05)
    2
    """

    stepwise: ClassVar[bool] = False

    def threshold(
        self,
        p_values: LevelArray,
        histogram: IntArray,
        alpha: float,
        *,
        k: int = 1,
        reserve: float = 0.0,  # noqa: ARG002 - no level exceeds k alpha / N
    ) -> int:
        return first_rejected(p_values, self.entry_level(int(histogram.sum()), alpha, k))


@final
@dataclass(frozen=True)
class StepDown(_FamilyWise):
    """Step-down control at alpha under any dependence.

    Compare the i-th smallest p-value with k alpha / N for i <= k and with k alpha / (N + k - i)
    for i > k, until one is not rejected. k = 1 is Holm's procedure (1979). Otherwise Lehmann and
    Romano 2005, Theorem 2.2: with m true hypotheses, the k-th of them to be rejected is at most the
    (N - m + k)-th rejection. So k of the m have p-values up to k alpha / m, which has probability
    at most alpha by Markov's inequality. (With N + 1 - i instead of N + k - i, as the formula is
    sometimes written, this fails.) With a reserve r the levels are
    max(k alpha / N, k (alpha - r) / (N + k - i)), never below the single-step levels.

    >>> p_values, histogram = np.array([1.0, 0.04, 0.01]), np.array([1, 1, 4])
    >>> StepDown("holm", "FWER").threshold(p_values, histogram, 0.1)
    1
    >>> StepDown("kfwer-stepdown", "k-FWER").threshold(p_values, histogram, 0.06, k=2)
    1
    """

    stepwise: ClassVar[bool] = True

    def largest_level(self, components: int, alpha: float, k: int) -> float:  # noqa: ARG002
        return alpha

    def threshold(
        self,
        p_values: LevelArray,
        histogram: IntArray,
        alpha: float,
        *,
        k: int = 1,
        reserve: float = 0.0,
    ) -> int:
        # Components with equally many hits have one p-value, and the first of them has the smallest
        # level, so they are rejected together or not at all. So the histogram of hits gives the
        # same result as the sorted list of N p-values.
        k = self._k(k)
        components = int(histogram.sum())
        single = k * alpha / components
        lowest, before = len(p_values), 0
        for hits in reversed(np.flatnonzero(histogram).tolist()):
            i = before + 1
            stepped = k * (alpha - reserve) / (components + k - i) if i > k else 0.0
            if p_values[hits] > max(single, stepped):
                break
            lowest = hits
            before += int(histogram[hits])
        return lowest
