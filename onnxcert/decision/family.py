"""The hypotheses of one input, tested together, and the level they are tested at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from onnxcert.correction import Bonferroni, Correction
from onnxcert.decision.pvalues import binomial_tail, check_alpha, check_tau, p_values
from onnxcert.errors import ParameterError
from onnxcert.result import Selection


@dataclass(frozen=True)
class Level:
    """The procedure that is really run, and the alpha it is run at."""

    correction: Correction
    alpha: float


@dataclass(frozen=True)
class Family:
    """One hypothesis per component, all fixed before anything is drawn.

    Args:
        components: N, 1 or more.
        tau: in [1/2, 1).
        alpha: family-wise error rate of this input, in (0, 1).
        correction: the procedure asked for.
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

    def level(self, n: int) -> Level:
        """Procedure and level for n tested draws; depends on nothing that is drawn.

        Split selection tests the candidate itself, so certifying a wrong class is always a false
        rejection and the correction runs at alpha.

        Pooled selection tests "no class exceeds tau". Where some class does exceed tau the
        hypothesis is false, and certifying *another* class there, with probability at most
        F_{1 - tau}(x), is an error that control of false rejections does not count. At the fixed
        level alpha / N (Bonferroni) the p-value covers it, since F_{1 - tau}(x) <= p(x). A
        stepwise procedure tests some components at levels up to alpha, so it pays in advance:
        with x_min the smallest count whose p-value is at most alpha, all N components together
        err directionally with probability at most N F_{1 - tau}(x_min), and the procedure runs
        at what is left of alpha. Where less than half is left, or tau = 1/2, the steps gain less
        than they cost and the single-step procedure runs at alpha.
        """
        if self.selection == "split" or not self.correction.stepwise:
            return Level(self.correction, self.alpha)
        rejectable = np.flatnonzero(p_values(n, self.tau, self.selection) <= self.alpha)
        if rejectable.size == 0:
            return Level(self.correction, self.alpha)
        directional = float(binomial_tail(n, 1.0 - self.tau)[rejectable[0]])
        paid = self.components * directional
        if self.tau == 0.5 or paid > self.alpha / 2:
            return Level(Bonferroni(), self.alpha)
        return Level(self.correction, self.alpha - paid)
