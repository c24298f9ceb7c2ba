"""Comparison of certificates with the corrections of statsmodels, a second implementation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from scipy.stats import binom

from onnxcert._typing import BoolArray, LevelArray
from onnxcert.results import Record
from onnxcert.statistics.rule import Rule

_METHODS: Final = {"bonferroni": "bonferroni", "holm": "holm", "benjamini-yekutieli": "fdr_by"}
# onnxcert rounds p-values up by 1e-11; close to the level either decision is accepted.
_LOW, _HIGH = 1.0 - 1e-9, 1.0 + 1e-9
# The part of a component's level that onnxcert may reserve for other classes at a floor.
_KEPT = 0.01


def explain_unchecked(rule: Rule) -> str:
    """Explain why `rule` has no second implementation; empty if it has one."""
    if rule.procedure != "segcertify":
        return f"the procedure {rule.procedure} has no second implementation"
    if rule.schedule is not None:
        return "looks have no second implementation"
    if rule.correction not in _METHODS:
        return f"{rule.correction} has no second implementation"
    return ""


def compare_with_statsmodels(record: Record) -> Iterator[str]:
    """Compare the certified components with those that statsmodels' `multipletests` rejects.

    Let r be the reserve of pooled selection under stepwise corrections. Whatever multipletests
    rejects at alpha - r must be certified; whatever is certified must be rejected at alpha. Without
    a reserve both sets are equal. Benjamini-Yekutieli must equal multipletests at alpha - r.
    Several tau under Holm: Holm at the largest tau, then Bonferroni among the remaining components
    at each tau. The p-values come from SciPy's binomial tail, not from the tables of onnxcert.

    Args:
        record: a record for whose rule `explain_unchecked` is empty; its arrays may be in the file.
    """
    check = _Check(record)
    for tau in sorted(check.rule.taus):
        certified = check.certified(tau)
        least, most = check.bounds(tau)
        if more := int(np.count_nonzero(certified & ~most)):
            yield f"statsmodels does not reject {more} components that are certified at tau {tau!r}"
        if fewer := int(np.count_nonzero(least & ~certified)):
            yield f"statsmodels rejects {fewer} components that abstain at tau {tau!r}"


class _Check:
    """The votes of one record, and bounds on the set of certified components."""

    def __init__(self, record: Record) -> None:
        self.rule = record.decision.rule
        self._n, self._hits = record.tally.n, np.asarray(record.tally.hits[...]).ravel()
        self._pooled = record.tally.selection == "pooled"
        self._law_error = record.tally.law_error
        self._level = np.asarray(record.level[...]).ravel()
        self._levels = np.asarray(record.levels[...])
        self._alpha = self.rule.alpha_per_input
        self._floor = self.rule.floor if self.rule.radius_map else min(self.rule.taus)

    def certified(self, tau: float) -> BoolArray:
        return np.asarray(self._level > np.searchsorted(self._levels, tau, side="left"))

    def bounds(self, tau: float) -> tuple[BoolArray, BoolArray]:
        """Return what must be certified at `tau` and what may be certified; bool [N] each."""
        rule, alpha = self.rule, self._alpha
        several = bool(rule.more_taus) or rule.radius_map
        if rule.correction == "benjamini-yekutieli":
            left = alpha - max(
                self._reserve(t, alpha / _harmonic(self._hits.size)) for t in rule.taus
            )
            if left > 0.0:
                return self._between(self._p(tau), left, left, "fdr_by")
            return self._single_step(tau) if several else self._bonferroni(tau)
        if rule.correction == "bonferroni":
            return self._single_step(tau) if several else self._bonferroni(tau)
        if not several:
            left = alpha - self._reserve(tau, alpha)
            least, most = self._between(self._p(tau), left, alpha, "holm")
            return least | self._bonferroni(tau)[0], most
        return self._closed(tau) if rule.closed_testing else self._shared(tau)

    def _closed(self, tau: float) -> tuple[BoolArray, BoolArray]:
        """Apply Holm at the largest tau, then Bonferroni among the remaining components."""
        top = max(self.rule.taus)
        done = self.certified(top)
        size, rest = self._hits.size, int(np.count_nonzero(~done))
        left = self._alpha - self._reserve(self._floor, self._alpha)
        least, _ = self._single_step(tau)
        most = done.copy()
        if rest:
            lower, upper = self._between(self._p(tau)[~done], left, self._alpha, "bonferroni")
            most[~done] = upper
            # A level below that of Bonferroni among all components is not used.
            if left * size > self._alpha * rest * _HIGH:
                least[~done] |= lower
        if tau == top:
            most &= self._between(self._p(top), left, self._alpha, "holm")[1]
        return least, most

    def _shared(self, tau: float) -> tuple[BoolArray, BoolArray]:
        """Apply Holm at each tau with its share of alpha, as earlier versions did."""
        alpha = self._alpha / len(self.rule.taus)
        least = most = np.ones(self._hits.size, np.bool_)
        for smaller in (t for t in self.rule.taus if t <= tau):
            left = alpha - self._reserve(smaller, alpha)
            lower, upper = self._between(self._p(smaller), left, alpha, "holm")
            least, most = least & lower, most & upper
        return least, most

    def _bonferroni(self, tau: float) -> tuple[BoolArray, BoolArray]:
        return self._between(self._p(tau), self._alpha, self._alpha, "bonferroni")

    def _single_step(self, tau: float) -> tuple[BoolArray, BoolArray]:
        """Apply Bonferroni at any number of tau >= floor; pooled selection reserves a part."""
        p = [self._p(self._floor), self._tail(tau)]
        if self._pooled:
            other = self._tail(self._floor, other=True)
            least = np.max([p[0], p[1] / (1.0 - _KEPT), other / _KEPT], axis=0)
        else:
            least = np.maximum(*p)
        lower, _ = self._between(np.minimum(least, 1.0), self._alpha, self._alpha, "bonferroni")
        _, upper = self._between(np.maximum(*p), self._alpha, self._alpha, "bonferroni")
        return lower, upper

    def _between(
        self, p: LevelArray, low: float, high: float, method: str
    ) -> tuple[BoolArray, BoolArray]:
        """Return what multipletests rejects just below `low` and just above `high`."""
        from statsmodels.stats.multitest import multipletests  # takes a second to import

        found = []
        for alpha in (low * _LOW, min(high * _HIGH, 1.0)):
            rejected = multipletests(p, alpha, method)[0] if alpha > 0.0 else np.zeros(p.size, bool)
            found.append(np.asarray(rejected, dtype=np.bool_))
        return found[0], found[1]

    def _reserve(self, tau: float, largest: float) -> float:
        """Return the part of alpha reserved for directional errors; 0 for split selection."""
        if not self._pooled:
            return 0.0
        x = np.arange(self._n + 1)
        passed = np.flatnonzero(self._pooled_p(x, tau) <= largest)
        if not passed.size:
            return 0.0
        other = 1.0 - tau - self._law_error
        directional = float(binom.sf(passed[0] - 1, self._n, other))
        return min(self._alpha, self._hits.size * directional)

    def _p(self, tau: float) -> LevelArray:
        table = np.arange(self._n + 1)
        p = (
            self._pooled_p(table, tau)
            if self._pooled
            else binom.sf(table - 1, self._n, tau + self._law_error)
        )
        return np.asarray(p[self._hits])

    def _pooled_p(self, x: np.ndarray, tau: float) -> LevelArray:
        tested = tau + self._law_error
        both = binom.sf(x - 1, self._n, tested) + binom.sf(x - 1, self._n, 1.0 - tested)
        convex = (x - 1 >= tested * (self._n - 1)) & (2 * x > self._n)
        return np.asarray(np.where(convex, np.minimum(both, 1.0), 1.0))

    def _tail(self, tau: float, *, other: bool = False) -> LevelArray:
        """Return P(a class of probability tau, or 1 - tau if `other`, has >= hits votes); [N]."""
        tested = tau + self._law_error
        p = 1.0 - tested if other else tested
        return np.asarray(binom.sf(self._hits.astype(np.int64) - 1, self._n, p))


def _harmonic(size: int) -> float:
    return float((1.0 / np.arange(1, size + 1)).sum())
