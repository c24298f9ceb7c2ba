"""k-FWER: k - 1 wrong components are tolerated (Lehmann and Romano 2005)."""

from __future__ import annotations

from typing import ClassVar, final

from onnxcert._typing import IntArray, LevelArray
from onnxcert.correction.single_step import first_rejected
from onnxcert.correction.step_down import step_down
from onnxcert.statement import Controls


@final
class KFwer:
    """Reject where p <= k alpha / N. P(k or more wrong) <= alpha under any dependence.

    Lehmann and Romano 2005, Theorem 2.1 (i): the expected number of wrong rejections is at most
    N x k alpha / N = k alpha, and by Markov's inequality P(k or more) <= alpha.

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
    """Step down through the p-values, the i-th smallest against k alpha / N for i <= k and
    k alpha / (N + k - i) beyond. P(k or more wrong) <= alpha under any dependence.

    Lehmann and Romano 2005, Theorem 2.2: with m true hypotheses the k-th of them to be rejected is
    at most the (N - m + k)-th rejection, so k of the m have p-values up to k alpha / m, and by
    Markov's inequality that has probability alpha at most. (With N + 1 - i in place of N + k - i,
    as the formula is sometimes written, this fails.)

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
