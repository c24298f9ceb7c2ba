"""Holm: step-down Bonferroni, each step on the remaining hypotheses."""

from __future__ import annotations

from typing import ClassVar, final

import numpy as np

from onnxcert._typing import IntArray, LevelArray
from onnxcert.statistics.correction.base import Controls


def step_down(
    p_values: LevelArray, histogram: IntArray, alpha: float, *, k: int, reserve: float
) -> int:
    """Return the smallest number of hits that the Lehmann-Romano step-down rejects.

    k = 1 is Holm's procedure. The i-th smallest p-value is compared with k alpha / N for i <= k and
    k alpha / (N + k - i) beyond, until one is not rejected. Components with equally many hits have
    one p-value, and the first of them has the smallest level, so they are rejected together or not
    at all. So the histogram of hits gives the same result as the sorted list of N p-values. With a
    reserve r the levels are max(k alpha / N, k (alpha - r) / (N + k - i)), never below the
    single-step levels.
    """
    n = len(p_values) - 1
    components = int(histogram.sum())
    single = k * alpha / components
    lowest, before = n + 1, 0
    for hits in reversed(np.flatnonzero(histogram).tolist()):
        count = int(histogram[hits])
        i = before + 1
        stepped = k * (alpha - reserve) / (components + k - i) if i > k else 0.0
        if p_values[hits] > max(single, stepped):
            break
        lowest = hits
        before += count
    return lowest


@final
class Holm:
    """Step-down control of the FWER at alpha under any dependence (Holm 1979).

    Compare the i-th smallest p-value with alpha / (N - i + 1) until one is not rejected.

    >>> import numpy as np
    >>> Holm().threshold(np.array([1.0, 0.04, 0.01]), np.array([0, 1, 4]), 0.05)
    1
    """

    name: ClassVar[str] = "holm"
    controls: ClassVar[Controls] = "FWER"
    dependence: ClassVar[str] = "any"
    stepwise: ClassVar[bool] = True

    def entry_level(self, components: int, alpha: float, k: int) -> float:  # noqa: ARG002
        return alpha / components

    def largest_level(self, components: int, alpha: float, k: int) -> float:  # noqa: ARG002
        return alpha

    def threshold(
        self,
        p_values: LevelArray,
        histogram: IntArray,
        alpha: float,
        *,
        k: int = 1,  # noqa: ARG002 - none is tolerated
        reserve: float = 0.0,
    ) -> int:
        return step_down(p_values, histogram, alpha, k=1, reserve=reserve)
