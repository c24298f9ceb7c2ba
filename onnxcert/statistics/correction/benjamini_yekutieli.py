"""Benjamini-Yekutieli: bounds the expected share of wrong components among the certified."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
from scipy.special import digamma

from onnxcert._typing import IntArray, LevelArray
from onnxcert.statistics.correction.base import Controls, Correction, first_rejected


@final
@dataclass(frozen=True)
class BenjaminiYekutieli(Correction):
    """Step-up control of the FDR under any dependence (Benjamini, Yekutieli 2001, Theorem 1.3).

    Reject the largest number R of smallest p-values that are all at most R alpha / (N c_N),
    c_N = 1 + 1/2 + ... + 1/N. The false discovery rate E[V / max(R, 1)] is at most alpha m / N,
    where m of the N hypotheses are true. This is weaker than the FWER: *some* wrong certificates
    are expected among many. If the reserve for directional errors is all of alpha, the rule is
    Bonferroni's, whose FWER bounds the FDR.

    >>> BenjaminiYekutieli().threshold(np.array([1.0, 0.03, 0.01]), np.array([1, 3, 1]), 0.1)
    1
    """

    name: str = "benjamini-yekutieli"
    controls: Controls = "FDR"
    dependence: ClassVar[str] = "any"
    stepwise: ClassVar[bool] = True

    def entry_level(self, components: int, alpha: float, k: int) -> float:  # noqa: ARG002
        return alpha / harmonic(components)

    def threshold(
        self,
        p_values: LevelArray,
        histogram: IntArray,
        alpha: float,
        *,
        k: int = 1,  # noqa: ARG002 - a share is controlled, not a number
        reserve: float = 0.0,
    ) -> int:
        components = int(histogram.sum())
        if reserve >= alpha:
            return first_rejected(p_values, alpha / components)
        rejected = np.cumsum(histogram[::-1])[::-1]
        levels: LevelArray = np.multiply(rejected, alpha - reserve, dtype=np.float64)
        levels /= components * harmonic(components)
        return first_rejected(np.where(rejected > 0, p_values, np.inf), levels)


def harmonic(components: int) -> float:
    """Return 1 + 1/2 + ... + 1/N, rounded up.

    >>> round(harmonic(3), 10)
    1.8333333333
    """
    return float(digamma(components + 1) + np.euler_gamma) * (1.0 + 1e-13)
