"""Holm: Bonferroni in steps, each on the hypotheses that are left."""

from __future__ import annotations

from typing import ClassVar, final

from onnxcert._typing import IntArray, LevelArray


@final
class Holm:
    """Step down through the p-values in increasing order, the i-th against alpha / (N - i + 1),
    until one is not rejected (Holm 1979). Controls the FWER at alpha under any dependence.

    Components with equally many hits have one p-value. The first of them meets the smallest
    level, so they are rejected together or not at all, and the histogram of hits decides like the
    sorted list of N p-values. With a reserve the levels are max(alpha / N, (alpha - reserve) /
    left), so that it rejects whatever Bonferroni rejects.

    >>> import numpy as np
    >>> Holm().threshold(np.array([1.0, 0.04, 0.01]), np.array([0, 1, 4]), 0.05)
    1
    """

    name: ClassVar[str] = "holm"
    stepwise: ClassVar[bool] = True

    def threshold(
        self, p_values: LevelArray, histogram: IntArray, alpha: float, *, reserve: float = 0.0
    ) -> int:
        n = len(p_values) - 1
        left = int(histogram.sum())
        single = alpha / left
        lowest = n + 1
        for hits in range(n, -1, -1):
            if histogram[hits] == 0:
                continue
            if p_values[hits] > max(single, (alpha - reserve) / left):
                break
            lowest = hits
            left -= int(histogram[hits])
        return lowest
