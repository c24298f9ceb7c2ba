"""Thresholds: the smallest hits that certify a component, at one, several or all tau."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from onnxcert._typing import IntArray, LevelArray
from onnxcert.statistics.bounds import OneSidedLevel
from onnxcert.statistics.family import Family, tested_tau
from onnxcert.statistics.rule import Rule
from onnxcert.statistics.several_tau import closed_thresholds


def thresholds(rule: Rule, family: Family, n: int, histogram: IntArray) -> tuple[int, ...]:
    """Return the smallest hits of n that certify at each tau of `rule`; n + 1 where none do.

    Args:
        rule: without a schedule.
        family: that of the rule.
        n: draws tested.
        histogram: components with 0, 1, ..., n hits; integers [n + 1].
    """
    taus = rule.taus
    if rule.radius_map:
        bounds = lower_bounds(rule, family, n)
        return tuple(int(np.argmax(bounds >= t)) if bounds[-1] >= t else n + 1 for t in taus)
    families = [family if tau == family.tau else replace(family, tau=tau) for tau in taus]
    fdr = family.correction.controls == "FDR"
    # Under FDR a threshold must not be raised afterwards, because the share counts the certified
    # components. One reserve for all tau keeps the thresholds in order (`Family.reserve`).
    reserve = max(_reserve(one, n) for one in families) if fdr else None
    # If the reserve is all of alpha, the procedure is Bonferroni's.
    single = not family.correction.stepwise or (reserve is not None and reserve >= family.alpha)
    found: Sequence[int]
    if len(taus) > 1 and family.correction.stepwise and not fdr and rule.closed_testing:
        found = closed_thresholds(family, taus, n, histogram)
    elif len(taus) > 1 and single:
        test = one_sided(rule, family, n)
        found = [test.threshold(one.tested_tau) for one in families]
    else:
        found = [
            one.threshold(n, histogram, _reserve(one, n) if reserve is None else reserve)
            for one in families
        ]
    # A component certified at tau is certified at every smaller tau.
    return tuple(
        max(votes for votes, lower in zip(found, taus, strict=True) if lower <= tau) for tau in taus
    )


def one_sided(rule: Rule, family: Family, n: int) -> OneSidedLevel:
    """Return the error level of one component, for all tau of `rule` together."""
    floor = tested_tau(_floor(rule), family.law_error)
    return OneSidedLevel(n, family.single_level, family.selection, floor)


def lower_bounds(rule: Rule, family: Family, n: int) -> LevelArray:
    """Return the largest tau certified by 0 .. n hits, rounded down; 0 for none; [n + 1].

    `OneSidedLevel` bounds the probability of computed votes, from floor + law error on. Minus the
    law error, this is a bound for the votes of the theorem.
    """
    bounds = one_sided(rule, family, n).lower_bounds()
    if family.law_error == 0.0:
        return bounds
    less = np.nextafter(bounds - family.law_error, 0.0)
    return np.where(bounds > 0.0, np.maximum(less, _floor(rule)), 0.0)


def _floor(rule: Rule) -> float:
    return rule.floor if rule.radius_map else min(rule.taus)


@lru_cache(maxsize=256)
def _reserve(family: Family, n: int) -> float:
    return family.reserve(n)
