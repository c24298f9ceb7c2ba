"""Certificates against a second implementation of the corrections, that of statsmodels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from scipy.stats import binom

from onnxcert._typing import BoolArray, LevelArray
from onnxcert.rule import Rule
from onnxcert.store import Record

_METHODS: Final = {"bonferroni": "bonferroni", "holm": "holm", "benjamini-yekutieli": "fdr_by"}
# Ours rounds p-values up by 1e-11; either implementation may decide where they meet the level.
_LOW, _HIGH = 1.0 - 1e-9, 1.0 + 1e-9
# The part of a component's level that ours may keep for other classes at a floor.
_KEPT = 0.01


def unchecked(rule: Rule) -> str:
    """Why `rule` has no second implementation; empty if it has one."""
    if rule.procedure != "segcertify":
        return f"the procedure {rule.procedure} has no second implementation"
    if rule.schedule is not None:
        return "looks have no second implementation"
    if rule.correction not in _METHODS:
        return f"{rule.correction} has no second implementation"
    return ""


def independent_misfits(record: Record) -> Iterator[str]:
    """What is certified in `record` and what statsmodels' `multipletests` rejects, compared.

    With r, the reserve of pooled selection under stepwise corrections, multipletests at alpha - r
    rejects nothing that is not certified, and nothing is certified that it does not reject at
    alpha; without a reserve the two are equal. Benjamini-Yekutieli is held to alpha - r exactly.
    Several tau under Holm: the largest, and then Bonferroni among those that are left, at each.
    p-values come from SciPy's binomial tail and not from this program's tables.

    Args:
        record: of a rule that `unchecked` has nothing against; its arrays may be in its file.
    """
    check = _Check(record)
    for tau in sorted(check.rule.taus):
        certified = check.certified(tau)
        least, most = check.bounds(tau)
        if more := int(np.count_nonzero(certified & ~most)):
            yield f"{more} components are certified at tau {tau!r} that statsmodels does not reject"
        if fewer := int(np.count_nonzero(least & ~certified)):
            yield f"{fewer} components abstain at tau {tau!r} that statsmodels rejects"


class _Check:
    """The votes of one record and what may be certified of them."""

    def __init__(self, record: Record) -> None:
        self.rule = record.decision.rule
        self._n, self._hits = record.n, np.asarray(record.hits[...]).ravel()
        self._pooled = record.selection == "pooled"
        self._law_error = record.law_error
        self._level = np.asarray(record.level[...]).ravel()
        self._levels = np.asarray(record.levels[...])
        self._alpha = self.rule.alpha_per_input
        self._floor = self.rule.floor if self.rule.radius_map else min(self.rule.taus)

    def certified(self, tau: float) -> BoolArray:
        return np.asarray(self._level > np.searchsorted(self._levels, tau, side="left"))

    def bounds(self, tau: float) -> tuple[BoolArray, BoolArray]:
        """What must be certified at `tau`, and what may be; bool [N] each."""
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
        """Holm at the largest tau, and Bonferroni among those that it leaves."""
        top = max(self.rule.taus)
        done = self.certified(top)
        size, rest = self._hits.size, int(np.count_nonzero(~done))
        left = self._alpha - self._reserve(self._floor, self._alpha)
        least, _ = self._single_step(tau)
        most = done.copy()
        if rest:
            lower, upper = self._between(self._p(tau)[~done], left, self._alpha, "bonferroni")
            most[~done] = upper
            # Lower levels than Bonferroni's among all are not used.
            if left * size > self._alpha * rest * _HIGH:
                least[~done] |= lower
        if tau == top:
            most &= self._between(self._p(top), left, self._alpha, "holm")[1]
        return least, most

    def _shared(self, tau: float) -> tuple[BoolArray, BoolArray]:
        """Holm at each tau with its share of alpha, as records of before were decided."""
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
        """Bonferroni at any number of tau from a floor on; pooled, a part of each level is kept."""
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
        """What multipletests rejects at a little less than `low`, and a little more than `high`."""
        from statsmodels.stats.multitest import multipletests  # a second to import

        found = []
        for alpha in (low * _LOW, min(high * _HIGH, 1.0)):
            rejected = multipletests(p, alpha, method)[0] if alpha > 0.0 else np.zeros(p.size, bool)
            found.append(np.asarray(rejected, dtype=np.bool_))
        return found[0], found[1]

    def _reserve(self, tau: float, largest: float) -> float:
        """What errors of direction may cost, at most alpha; 0 under split selection."""
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
        """P(a class of probability tau, or 1 - tau, has as many votes); [N]."""
        tested = tau + self._law_error
        p = 1.0 - tested if other else tested
        return np.asarray(binom.sf(self._hits.astype(np.int64) - 1, self._n, p))


def _harmonic(size: int) -> float:
    return float((1.0 / np.arange(1, size + 1)).sum())
