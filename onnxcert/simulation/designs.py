"""Designs of the calibration: components with known probabilities, a rule, its exact error rate."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, Self

import numpy as np
from scipy.stats import binom

from onnxcert._typing import LevelArray
from onnxcert.sampling.tally import Selection
from onnxcert.simulation.components import Walk, right_candidate, tail
from onnxcert.statistics import Family, find_boundaries, p_values, resolve_looks, thresholds
from onnxcert.statistics.correction.base import Controls, first_rejected
from onnxcert.statistics.rule import Rule
from onnxcert.statistics.thresholds import lower_bounds

Dependence = Literal["independent", "blocks", "exclusive", "together", "windows"]


@dataclass(frozen=True, kw_only=True)
class Design:
    """Components, their vote probabilities, and how they are tested.

    Args:
        name: as text.
        rule: at its nominal alpha.
        selection: where the candidate comes from.
        n: draws tested.
        n0: draws that choose the candidate.
        two: probability of the first class of each component with two classes.
        certain: number of components that always vote for one class.
        claim: under FDR, the tau whose certificates are counted.
        law_error: added to `two` for the computed votes; the decision accounts for it.
    """

    name: str
    rule: Rule
    selection: Selection
    n: int
    n0: int
    two: tuple[float, ...]
    certain: int = 0
    claim: float | None = None
    law_error: float = 0.0

    def at(self, alpha: float) -> Self:
        """Return the same design at another alpha."""
        return replace(self, rule=self.rule.but(alpha=alpha))

    @property
    def components(self) -> int:
        return len(self.two) + self.certain

    @property
    def controls(self) -> Controls:
        return self.family.correction.controls

    @cached_property
    def family(self) -> Family:
        return Family.of(self.rule, self.components, self.selection, self.law_error)

    def computed_probability(self, p: float) -> float:
        """Return P(computed vote) of a class that has probability p in the theorem."""
        return p + self.law_error

    @property
    def dependences(self) -> tuple[Dependence, ...]:
        """Dependence structures to test, the worst one last."""
        if self.controls == "FDR":
            return ("independent", "windows")
        return ("independent", "blocks", "exclusive" if self.family.k == 1 else "together")

    @property
    def looks(self) -> tuple[int, ...]:
        """Numbers of draws at the interim looks; empty without looks."""
        schedule = self.rule.schedule
        return () if schedule is None else resolve_looks(schedule, self.family, self.n0)

    def judged_at(self, p: float) -> float:
        """Return the smallest tau at which certifying a component of probability p is wrong."""
        return min((tau for tau in self.rule.taus if tau >= p), default=min(self.rule.taus))

    # -- a fixed number of draws -------------------------------------------------------------

    def bar(self, p: float) -> int:
        """Return the smallest hits with which a component errs, after all true ones are certified.

        For k-FWER the component is the k-th to err. These are onnxcert's own thresholds; the
        calibration tests how often they are reached.
        """
        family, n = self.family, self.n
        if self.rule.radius_map:
            reached = lower_bounds(self.rule, family, n) >= p
            return int(np.argmax(reached)) if reached.any() else n + 1
        tau = self.judged_at(p)
        if not family.correction.stepwise:
            empty = np.zeros(n + 1, dtype=np.int64)
            empty[0] = family.components
            found = thresholds(self.rule, family, n, empty)
            return found[self.rule.taus.index(tau)]
        if len(self.rule.taus) > 1:
            # At the largest tau the k - 1 earlier errors of the group are certified and so counted;
            # at the other tau they are not.
            errors = family.k - 1 if tau == max(self.rule.taus) else 0
            histogram = np.zeros(n + 1, dtype=np.int64)
            histogram[n] = sum(q > max(self.rule.taus) for q in self.two) + self.certain + errors
            histogram[0] = family.components - histogram[n]
            return thresholds(self.rule, family, n, histogram)[self.rule.taus.index(tau)]
        at_tau = replace(family, tau=tau)
        null = sum(q <= tau for q in self.two)
        level = family.k * (family.alpha - at_tau.reserve(n)) / max(null, family.k)
        table = p_values(n, at_tau.tested_tau, self.selection)
        return first_rejected(table, max(level, family.single_level))

    def reach(self, p: float) -> float:
        """Compute P(the s of a component makes it reach its `bar`)."""
        if self.looks:
            return self.error_chance(p)
        table = np.append(tail(self.n, self.computed_probability(p), self.selection), 0.0)
        return float(table[self.bar(p)])

    def share_reaches(self) -> LevelArray:
        """Compute the largest s with which r components err under Benjamini-Yekutieli, r >= 1."""
        family = self.family
        tau = self.rule.tau if self.claim is None else self.claim
        # All tau use the largest reserve.
        reserve = max(replace(family, tau=t).reserve(self.n) for t in self.rule.taus)
        one = family.correction.entry_level(self.components, 1.0, 1) / self.components
        r = self.certain + np.arange(1, len(self.two) + 1)
        table = p_values(self.n, replace(family, tau=tau).tested_tau, self.selection)
        bars = [first_rejected(table, rank * one * (family.alpha - reserve)) for rank in r]
        return np.append(tail(self.n, self.computed_probability(self.two[0]), self.selection), 0.0)[
            bars
        ]

    # -- looks -------------------------------------------------------------------------------

    def walk(self, p: float) -> Walk:
        """Return a component of probability p under interim looks."""
        looks, rows = find_boundaries(self.rule, self.family, self.n0)
        first = rows[self.rule.taus.index(self.judged_at(p))]
        return Walk(
            self.computed_probability(p),
            looks,
            self.n0,
            self.selection,
            tuple(first.tolist()),
            tuple(rows.min(axis=0).tolist()),
        )

    # -- exact rates -------------------------------------------------------------------------

    def error_chance(self, p: float) -> float:
        """Compute P(one component errs).

        Exact, except that pooled selection uses n0 = n (with a smaller n0 it errs less).
        """
        if self.looks:
            return self.walk(p).error_chance()
        low = self.bar(min(self.two))
        high = self.bar(p)
        directional = p > max(self.rule.taus) and not self.rule.radius_map
        first = (
            0.0 if directional else float(binom.sf(high - 1, self.n, self.computed_probability(p)))
        )
        second = float(binom.sf(min(low, high) - 1, self.n, 1.0 - self.computed_probability(p)))
        if self.selection == "pooled":
            return first + second
        right = right_candidate(self.n0, self.computed_probability(p))
        return right * first + (1.0 - right) * second

    def rate(self, dependence: Dependence) -> float | None:
        """Compute the exact rate of the error that alpha bounds; None where it is not known."""
        if self.selection == "pooled" and self.n0 < self.n and not self.looks:
            return None
        directional = max(self.two) > max(self.rule.taus) and not self.rule.radius_map
        if directional and self.family.correction.stepwise:
            return None
        if dependence == "windows":
            return self._share_rate()
        if self.controls == "FDR":
            return None
        chances = [self.error_chance(p) for p in self.two]
        k = self.family.k
        if dependence == "independent":
            if self.family.correction.stepwise and k > 1:
                return None
            count = np.ones(1)
            for chance in chances:
                count = np.convolve(count, [1.0 - chance, chance])
            return float(count[k:].sum())
        if k == 1:
            size = 2 if dependence == "blocks" else len(chances)
            groups = [sum(chances[i : i + size]) for i in range(0, len(chances), size)]
        else:
            groups = [self._group_rate(p) for p in self.two[::k]]
        together = dependence != "blocks"
        return sum(groups) if together else 1.0 - float(np.prod([1.0 - rate for rate in groups]))

    def _group_rate(self, p: float) -> float:
        """Compute P(a group of k components reaches its bars and is certified, all together)."""
        reach = self.reach(p)
        # The candidates of the components are chosen independently.
        return reach * (self.error_chance(p) / reach) ** self.family.k

    def _share_rate(self) -> float:
        reaches = self.share_reaches()
        size = len(self.two)
        right = 1.0
        if self.selection == "split" and self.two[0] > 0.5:
            right = right_candidate(self.n0, self.computed_probability(self.two[0]))
        gains = np.diff(reaches, prepend=0.0)
        r = np.arange(1, size + 1)
        return float((size * gains / r * right**r * r / (r + self.certain)).sum())
