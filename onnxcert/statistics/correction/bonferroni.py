"""Bonferroni: every component at alpha / N."""

from __future__ import annotations

from typing import ClassVar, final

import numpy as np

from onnxcert._typing import IntArray, LevelArray
from onnxcert.statistics.correction.base import Controls


def first_rejected(p_values: LevelArray, level: float) -> int:
    """Return the smallest number of hits whose p-value is at most `level`; n + 1 if none is.

    >>> first_rejected(np.array([1.0, 0.3, 0.01]), 0.3)
    1
    """
    rejected = p_values <= level
    return int(np.argmax(rejected)) if rejected.any() else len(p_values)


@final
class Bonferroni:
    """Single-step control of the FWER under any dependence: reject if p <= alpha / N.

    The FWER is at most alpha by the union bound (Dunn 1961).

    >>> import numpy as np
    >>> Bonferroni().threshold(np.array([1.0, 0.3, 0.01]), np.array([3, 0, 2]), 0.05)
    2
    """

    name: ClassVar[str] = "bonferroni"
    controls: ClassVar[Controls] = "FWER"
    dependence: ClassVar[str] = "any"
    stepwise: ClassVar[bool] = False

    def entry_level(self, components: int, alpha: float, k: int) -> float:  # noqa: ARG002
        return alpha / components

    largest_level = entry_level

    def threshold(
        self,
        p_values: LevelArray,
        histogram: IntArray,
        alpha: float,
        *,
        k: int = 1,
        reserve: float = 0.0,  # noqa: ARG002 - no level exceeds alpha / N
    ) -> int:
        return first_rejected(p_values, self.entry_level(int(histogram.sum()), alpha, k))
