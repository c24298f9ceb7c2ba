"""Hits from which a component is certified, at one tau, several or all of them."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np

from onnxcert._typing import IntArray
from onnxcert.decision.bounds import OneSidedLevel
from onnxcert.decision.family import Family
from onnxcert.rule import Rule


def thresholds(rule: Rule, family: Family, n: int, histogram: IntArray) -> tuple[int, ...]:
    """Hits of n from which a component is certified at each tau of `rule`; n + 1 where none is.

    Args:
        rule: without a schedule.
        family: that of the rule.
        n: draws tested.
        histogram: components with 0, 1, ..., n hits; integers [n + 1].
    """
    taus = rule.taus
    if rule.radius_map:
        bounds = one_sided(rule, family, n).lower_bounds()
        return tuple(int(np.argmax(bounds >= t)) if bounds[-1] >= t else n + 1 for t in taus)
    families = [replace(family, tau=tau) for tau in taus]
    fdr = family.correction.controls == "FDR"
    # Expected shares count those certified, so that a threshold cannot be raised afterwards: one
    # reserve for all tau keeps the thresholds in order (`Family.reserve`).
    reserve = max(_reserve(one, n) for one in families) if fdr else None
    # Where it takes all of alpha the procedure is Bonferroni's.
    single = not family.correction.stepwise or (reserve is not None and reserve >= family.alpha)
    if len(taus) > 1 and single:
        test = one_sided(rule, family, n)
        found = [test.threshold(tau) for tau in taus]
    else:
        found = [
            one.threshold(n, histogram, _reserve(one, n) if reserve is None else reserve)
            for one in families
        ]
    # Whoever is certified at a tau is so at every smaller one.
    return tuple(
        max(votes for votes, lower in zip(found, taus, strict=True) if lower <= tau) for tau in taus
    )


def one_sided(rule: Rule, family: Family, n: int) -> OneSidedLevel:
    """What one component may err with, for all tau of `rule` together."""
    floor = rule.floor if rule.radius_map else min(rule.taus)
    return OneSidedLevel(n, family.single_level, family.selection, floor)


@lru_cache(maxsize=256)
def _reserve(family: Family, n: int) -> float:
    return family.reserve(n)
