"""Thresholds: the smallest hits that certify a component, at one, several or all tau."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from onnxcert._typing import IntArray, LevelArray
from onnxcert.statistics.correction.base import first_rejected
from onnxcert.statistics.family import Family, tested_tau
from onnxcert.statistics.pvalues import OneSidedLevel, p_values
from onnxcert.statistics.rule import Rule


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


def closed_thresholds(
    family: Family, taus: Sequence[float], n: int, histogram: IntArray
) -> tuple[int, ...]:
    """Return the smallest hits of n that certify at each of several tau; n + 1 where none do.

    Holm (k-FWER step-down) at the largest tau with all of alpha certifies R components there. Each
    tau is then tested at alpha / max(1, N - R), for k-FWER at
    k alpha / max(k, min(N, N + k - 1 - R)). Let m components have no class above the largest tau.
    Unless k errors happen at the fixed level k alpha / m, which has probability alpha at most, the
    steps certify at most k - 1 of the m at the largest tau. Then R <= N - m + k - 1, and the levels
    are at most k alpha / m.

    *Pooled* selection uses alpha - r instead of alpha, where r is the reserve at the smallest tau
    (`Family.reserve`); it covers directional errors at every tau. These levels are used where they
    exceed k alpha / N. Components that Bonferroni certifies for several tau (`OneSidedLevel`) are
    always certified. Proof: docs/statistics.md, section 6.

    Args:
        family: with a step-down correction and all of alpha; its tau is ignored.
        taus: two or more, in any order.
        n: draws tested.
        histogram: components with 0, 1, ..., n hits; integers [n + 1].
    """
    at = {tau: replace(family, tau=tau) for tau in taus}
    components, k = family.components, family.k
    top, floor = at[max(taus)], at[min(taus)]
    single = family.single_level
    bonferroni = OneSidedLevel(n, single, family.selection, floor.tested_tau)
    fixed = {tau: bonferroni.threshold(one.tested_tau) for tau, one in at.items()}
    reserve = floor.reserve(n)
    # Change the p-values at the largest tau so that the single-step level rejects exactly what
    # Bonferroni for several tau rejects.
    table = p_values(n, top.tested_tau, family.selection)
    enough = np.arange(n + 1) >= fixed[max(taus)]
    table = np.where(enough, np.minimum(table, single), table)
    table = np.where(~enough & (table <= single), math.nextafter(single, 1.0), table)
    lowest = family.correction.threshold(table, histogram, family.alpha, k=k, reserve=reserve)
    certified = int(histogram[lowest:].sum())
    # Components that may still be null at the largest tau.
    null = max(k, min(components, components + k - 1 - certified))
    level = k * (family.alpha - reserve) / null
    if level <= single:
        return tuple(fixed[tau] for tau in taus)
    return tuple(
        min(
            fixed[tau],
            first_rejected(p_values(n, one.tested_tau, family.selection), level),
        )
        for tau, one in at.items()
    )
