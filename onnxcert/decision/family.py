"""The hypotheses of one input, tested together, and what errors of direction cost them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from onnxcert.correction import Correction
from onnxcert.decision.pvalues import binomial_tail, check_alpha, check_tau, p_values
from onnxcert.errors import ParameterError
from onnxcert.result import Selection

SMALLEST_LEVEL: Final = 1e-200


@dataclass(frozen=True)
class Family:
    """One hypothesis per component, all fixed before anything is drawn.

    Args:
        components: N, 1 or more.
        tau: in [1/2, 1).
        alpha: family-wise error rate of this input, in (0, 1).
        correction: the procedure.
        selection: where the candidate comes from.

    Raises:
        ParameterError: a number is out of range.
    """

    components: int
    tau: float
    alpha: float
    correction: Correction
    selection: Selection

    def __post_init__(self) -> None:
        check_tau(self.tau)
        check_alpha(self.alpha)
        if self.components < 1:
            raise ParameterError(f"an input has at least 1 component, got {self.components}.")
        if self.alpha / self.components < SMALLEST_LEVEL:
            raise ParameterError(
                f"alpha {self.alpha:g} over {self.components} components is a level below "
                f"{SMALLEST_LEVEL:g}, which is not computed; raise alpha."
            )

    def reserve(self, n: int) -> float:
        """The part of alpha that steps above alpha / N must leave alone; n draws are tested.

        It depends on nothing that is drawn. Split selection tests the candidate itself, so
        certifying a wrong class is always a false rejection, and nothing is reserved.

        Pooled selection tests "no class exceeds tau". Where some class does exceed tau the
        hypothesis is false, and certifying *another* class there, with probability at most
        F_{1 - tau}(x), is an error that control of false rejections does not count. At the fixed
        level alpha / N the p-value covers it, since F_{1 - tau}(x) <= p(x), so a single-step
        procedure pays nothing. A stepwise procedure tests some components at levels up to alpha.
        With x_min the smallest count whose p-value is at most alpha it reserves
        r = N F_{1 - tau}(x_min) and takes the level max(alpha / N, (alpha - r) / left) with
        `left` hypotheses left.

        Proof. Let m hypotheses be true and d = N - m false. The first true one to be rejected
        meets a level of at most max(alpha / N, (alpha - r) / m), as at least m are left, so
        rejecting any has probability at most max(m alpha / N, alpha - r) (Holm 1979). The false
        ones err in direction with probability at most d F_{1 - tau}(x_min) = d r / N together. If
        r <= alpha the sum is at most max((m alpha + d r) / N, alpha - r + d r / N) <= alpha. If
        r > alpha no level exceeds alpha / N, which is Bonferroni.
        """
        if self.selection == "split" or not self.correction.stepwise:
            return 0.0
        rejectable = np.flatnonzero(p_values(n, self.tau, self.selection) <= self.alpha)
        if rejectable.size == 0:
            return 0.0
        directional = float(binomial_tail(n, 1.0 - self.tau)[rejectable[0]])
        return min(self.alpha, self.components * directional)
