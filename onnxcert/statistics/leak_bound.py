"""How many votes must depend on other draws of the batch before a certificate can be wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from onnxcert.sampling.tally import Selection
from onnxcert.statistics.correction.base import first_rejected
from onnxcert.statistics.family import Family
from onnxcert.statistics.pvalues import p_values
from onnxcert.statistics.rule import Rule
from onnxcert.statistics.sample_size import find_boundaries
from onnxcert.statistics.thresholds import one_sided

_SMALLEST: Final = 1e-9


def min_leak_shares(
    rule: Rule, components: int, selection: Selection, n: int, n0: int
) -> tuple[tuple[int, float], ...]:
    """Return the smallest share of votes that a leak must change to certify a wrong component.

    A leak is a dependence of a draw's votes on the other draws of its batch. Without leaks, a
    component with P(vote = candidate) <= tau has at most tau n votes on average. One hit below the
    threshold certifies nothing, so a leak that certifies the component changes at least a share
    q = (threshold - 1) / n - tau of the votes. The threshold is that of a family in which all
    components have the same votes. For several tau, the smallest q is used; for a radius map, the
    one at its floor: at a larger tau fewer votes suffice, but the radius is less wrong.

    Args:
        rule: the rule of the run.
        components: N.
        selection: where the candidate comes from.
        n: draws tested; under interim looks the maximum.
        n0: draws that choose the candidate.

    Returns:
        A pair (draws tested, share) for each look at which anything can be certified; without
        looks at most one. They do not depend on the draws.
    """
    if rule.procedure == "predict":
        return ((n, _SMALLEST),)  # few votes may separate the two classes: check all draws
    family = Family.of(rule, 1 if rule.procedure == "jointclass" else components, selection)
    taus: Sequence[float] = rule.taus
    looks: Sequence[int] = (n,)
    if rule.schedule is not None:
        looks, bounds = find_boundaries(rule, family, n0)
        firsts = bounds.T.tolist()
    elif rule.procedure == "indivclass" or rule.radius_map:
        test = one_sided(rule, family, n)
        if rule.procedure == "indivclass":
            test = replace(test, floor=0.5)
        taus, firsts = (test.floor,), [[test.first]]
    else:
        levels = [replace(family, tau=tau).entry_level_at(n) for tau in taus]
        tables = [p_values(n, tau, selection) for tau in taus]
        firsts = [list(map(first_rejected, tables, levels))]
    found = []
    for tested, first in zip(looks, firsts, strict=True):
        shares = [
            (hits - 1) / tested - tau
            for hits, tau in zip(first, taus, strict=True)
            if hits <= tested
        ]
        if shares:
            found.append((tested, max(min(shares), _SMALLEST)))
    return tuple(found)
