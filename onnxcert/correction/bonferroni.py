"""Bonferroni: every component at alpha / N."""

from __future__ import annotations

from typing import ClassVar, final

import numpy as np

from onnxcert._typing import IntArray, LevelArray


@final
class Bonferroni:
    """Reject where p <= alpha / N. Controls the FWER at alpha by the union bound, whatever the
    dependence between components (Dunn 1961).

    >>> Bonferroni().threshold(np.array([1.0, 0.3, 0.01]), np.array([3, 0, 2]), 0.05)
    2
    """

    name: ClassVar[str] = "bonferroni"
    stepwise: ClassVar[bool] = False

    def threshold(
        self,
        p_values: LevelArray,
        histogram: IntArray,
        alpha: float,
        *,
        reserve: float = 0.0,  # noqa: ARG002 - no level exceeds alpha / N
    ) -> int:
        rejected = p_values <= alpha / int(histogram.sum())
        return int(np.argmax(rejected)) if rejected.any() else len(p_values)
