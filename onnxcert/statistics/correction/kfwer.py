"""k-FWER corrections: k - 1 wrong components are tolerated (Lehmann and Romano 2005)."""

from __future__ import annotations

from typing import ClassVar, final

from onnxcert._typing import IntArray, LevelArray
from onnxcert.statistics.correction.base import Controls
from onnxcert.statistics.correction.bonferroni import first_rejected
from onnxcert.statistics.correction.holm import step_down


@final
class KFwer:
    """Single-step control of the k-FWER at alpha under any dependence: reject if p <= k alpha / N.

    Lehmann and Romano 2005, Theorem 2.1 (i): the expected number of wrong rejections is at most
    N x k alpha / N = k alpha, so by Markov's inequality P(k or more) <= alpha.

    >>> import numpy as np
    >>> KFwer().threshold(np.array([1.0, 0.02, 0.01]), np.array([3, 0, 2]), 0.05, k=2)
    1
    """

    name: ClassVar[str] = "kfwer"
    controls: ClassVar[Controls] = "k-FWER"
    dependence: ClassVar[str] = "any"
    stepwise: ClassVar[bool] = False

    def entry_level(self, components: int, alpha: float, k: int) -> float:
        return k * alpha / components

    largest_level = entry_level

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
class KFwerStepDown:
    """Step-down control of the k-FWER at alpha under any dependence.

    Compare the i-th smallest p-value with k alpha / N for i <= k and with k alpha / (N + k - i)
    for i > k, until one is not rejected. Lehmann and Romano 2005, Theorem 2.2: with m true
    hypotheses, the k-th of them to be rejected is at most the (N - m + k)-th rejection. So k of the
    m have p-values up to k alpha / m, which has probability at most alpha by Markov's inequality.
    (With N + 1 - i instead of N + k - i, as the formula is sometimes written, this fails.)

    >>> import numpy as np
    >>> KFwerStepDown().threshold(np.array([1.0, 0.03, 0.01]), np.array([1, 1, 4]), 0.05, k=2)
    1
    """

    name: ClassVar[str] = "kfwer-stepdown"
    controls: ClassVar[Controls] = "k-FWER"
    dependence: ClassVar[str] = "any"
    stepwise: ClassVar[bool] = True

    def entry_level(self, components: int, alpha: float, k: int) -> float:
        return k * alpha / components

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
        return step_down(p_values, histogram, alpha, k=k, reserve=reserve)
