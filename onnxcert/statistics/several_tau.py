"""Closed testing of several tau under a step-down correction."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from onnxcert._typing import IntArray
from onnxcert.statistics.bounds import OneSidedLevel
from onnxcert.statistics.correction.base import first_rejected
from onnxcert.statistics.family import Family
from onnxcert.statistics.pvalues import p_values


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
