"""Holm: step-down Bonferroni, each step on the remaining hypotheses."""

from __future__ import annotations

from typing import ClassVar, final

from onnxcert._typing import IntArray, LevelArray
from onnxcert.correction.step_down import step_down
from onnxcert.statement import Controls


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
