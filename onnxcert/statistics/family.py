"""The family of hypotheses of one input, and the cost of directional errors."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from onnxcert._typing import IntArray
from onnxcert.errors import ParameterError
from onnxcert.sampling.tally import Selection, check_law_error
from onnxcert.statistics.correction import Correction, get_correction
from onnxcert.statistics.pvalues import binomial_tail, p_values
from onnxcert.statistics.rule import Rule, check_alpha, check_tau

SMALLEST_LEVEL: Final = 1e-200


def tested_tau(tau: float, law_error: float) -> float:
    """Return the tau at which votes are tested so that a certificate holds at `tau`; rounded up.

    Let p be the distribution of one draw in the theorem and q that of the computed draw. For every
    event |q - p| <= law_error. A wrong certificate at tau has p <= tau, hence q <= tau +
    law_error. So every theorem is applied to q at this value (docs/statistics.md, section 11).

    Raises:
        ParameterError: a number is out of range, or the sum reaches 1.
    """
    check_tau(tau)
    check_law_error(law_error)
    if law_error == 0.0:
        return tau
    tested = math.nextafter(tau + law_error, 1.0)
    if tested >= 1.0:
        raise ParameterError(
            f"tau {tau:.12g} plus the law error {law_error:.3g} of the computed noise must be "
            "below 1, or no votes certify anything; lower tau."
        )
    return tested


@dataclass(frozen=True)
class Family:
    """One hypothesis per component, all fixed before drawing.

    Args:
        components: N, 1 or more.
        tau: in [1/2, 1).
        alpha: error rate of this input, in (0, 1).
        correction: the multiple-testing procedure.
        selection: where the candidate comes from.
        k: smallest number of wrong components that is not tolerated, from 1 to N.
        law_error: of one draw (`onnxcert.sampling.tally.Tally`); tests are at `tested_tau`.

    Raises:
        ParameterError: a number is out of range, or tau and the law error reach 1 together.
    """

    components: int
    tau: float
    alpha: float
    correction: Correction
    selection: Selection
    k: int = 1
    law_error: float = 0.0

    def __post_init__(self) -> None:
        tested_tau(self.tau, self.law_error)
        check_alpha(self.alpha)
        if self.components < 1:
            raise ParameterError(f"an input has at least 1 component, got {self.components}.")
        if not 1 <= self.k <= self.components:
            raise ParameterError(
                f"the budget must be below the number of components {self.components}, got "
                f"{self.k - 1}; otherwise nothing is guaranteed."
            )
        if self.alpha / self.components < SMALLEST_LEVEL:
            raise ParameterError(
                f"alpha {self.alpha:g} over {self.components} components is a level below "
                f"{SMALLEST_LEVEL:g}, the smallest that is supported; raise alpha."
            )

    @classmethod
    def of(cls, rule: Rule, components: int, selection: Selection, law_error: float = 0.0) -> Self:
        """Return the family that `rule` tests at its first tau.

        Where several tau share alpha (old records without `Rule.closed_testing`), the family has
        the share of one tau.
        """
        for tau in rule.taus:
            tested_tau(tau, law_error)
        correction = get_correction(rule.correction)
        k = rule.budget.of(components) + 1 if correction.controls == "k-FWER" else 1
        alpha = rule.alpha_per_input / (1 if rule.closed_testing else len(rule.taus))
        return cls(components, rule.tau, alpha, correction, selection, k, law_error)

    @property
    def tested_tau(self) -> float:
        """Tau at which votes are tested: tau plus the law error."""
        return tested_tau(self.tau, self.law_error)

    @property
    def entry_level(self) -> float:
        """Largest p-value that certifies all components if every component has it."""
        return self.correction.entry_level(self.components, self.alpha, self.k)

    def entry_level_at(self, n: int) -> float:
        """Return `entry_level` for n draws, after the reserve for directional errors under FDR."""
        if self.correction.controls != "FDR":
            return self.entry_level
        left = self.alpha - self.reserve(n)
        return max(self.entry_level * left / self.alpha, self.alpha / self.components * (left <= 0))

    @property
    def single_level(self) -> float:
        """Single-step level of each component: k alpha / N."""
        return self.k * self.alpha / self.components

    def threshold(self, n: int, histogram: IntArray, reserve: float | None = None) -> int:
        """Return the smallest hits of n that certify a component; n + 1 where none do.

        Args:
            n: draws tested.
            histogram: components with 0, 1, ..., n hits.
            reserve: at least this family's own, where several tau share one; None for its own.
        """
        return self.correction.threshold(
            p_values(n, self.tested_tau, self.selection),
            histogram,
            self.alpha,
            k=self.k,
            reserve=self.reserve(n) if reserve is None else reserve,
        )

    def reserve(self, n: int) -> float:
        """Return the part of alpha that levels above k alpha / N must not use; n draws are tested.

        It does not depend on the draws. Split selection tests the candidate itself, so certifying
        a wrong class is always a false rejection, and nothing is reserved.

        Pooled selection tests "no class exceeds tau". Where a class does exceed tau, the
        hypothesis is false. Certifying *another* class there has probability at most
        F_{1 - tau}(x) and is an error that control of false rejections does not count. At the
        fixed level k alpha / N the p-value covers it, since F_{1 - tau}(x) <= p(x), so a
        single-step procedure needs no reserve. A stepwise procedure tests some components at
        levels up to `largest_level`. Let x_min be the smallest count whose p-value is at most that
        level at alpha. The reserve is r = N F_{1 - tau}(x_min) / k.

        Proof for step-down (Holm: k = 1), whose i-th level is k alpha / N or, where that is more,
        k (alpha - r) / (N + k - i). Let m hypotheses be true and d = N - m false. Before the k-th
        error at most d rejections were right, so it is the (d + k)-th rejection at most and its
        level is at most u = max(k alpha / N, k (alpha - r) / max(m, k)). Hence k errors need k
        components that each err at the level u, and by Markov's inequality the chance of that is
        at most (m u + d F_{1 - tau}(x_u)) / k. If u = k alpha / N, both kinds of error have
        probability at most k alpha / N in each component, together alpha. Otherwise r <= alpha,
        x_u >= x_min, and the sum is at most (alpha - r) + d r / N <= alpha.

        Proof for Benjamini-Yekutieli at alpha - r: V / R <= (false rejections) / R + (directional
        errors), whose expectations are at most alpha - r and d F_{1 - tau}(x_min) <= r.

        Several tau under Benjamini-Yekutieli use the largest of their reserves at each tau. The
        p-values increase with tau, so R_tau decreases and the thresholds are in order. (Raising a
        threshold to restore the order would remove correct rejections from R and break the proof.)
        A component counts as wrong once: at the smallest tau that its class does not exceed, or,
        for another class, at the smallest of all tau. Each such term over R at the smallest tau is
        at most the same term over R at its own tau, whose expectation is at most (alpha - r) / N.
        So the expected share of components wrong at their certified tau is at most alpha, too.
        """
        if self.selection == "split" or not self.correction.stepwise:
            return 0.0
        largest = self.correction.largest_level(self.components, self.alpha, self.k)
        rejectable = np.flatnonzero(p_values(n, self.tested_tau, self.selection) <= largest)
        if rejectable.size == 0:
            return 0.0
        directional = float(binomial_tail(n, 1.0 - self.tested_tau)[rejectable[0]])
        return min(self.alpha, self.components * directional / self.k)
