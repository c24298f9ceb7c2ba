"""How many votes must depend on other draws of the batch before a certificate can be wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from onnxcert._typing import LevelArray
from onnxcert.sampling.tally import Selection
from onnxcert.statistics.boundaries import boundaries
from onnxcert.statistics.bounds import OneSidedLevel
from onnxcert.statistics.family import Family
from onnxcert.statistics.pvalues import p_values
from onnxcert.statistics.rule import Rule
from onnxcert.statistics.sample_size import resolve_looks
from onnxcert.statistics.thresholds import one_sided


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
    family = Family.of(rule, components, selection)
    if rule.procedure == "jointclass":
        family = Family.of(rule, 1, selection)
    if rule.procedure == "predict":
        return _smallest_share(n, [0.0])  # few votes may separate the two classes: check all draws
    if rule.procedure == "indivclass":
        return _smallest_share(
            n, [_share_at_floor(OneSidedLevel(n, family.single_level, selection, 0.5))]
        )
    if rule.schedule is not None:
        looks = resolve_looks(rule.schedule, family, n0)
        found = boundaries(looks, rule.taus, family.single_level, selection, rule.schedule.spending)
        return tuple(
            pair
            for look, bounds in zip(looks, found.T.tolist(), strict=True)
            for pair in _smallest_share(
                look,
                [
                    (bound - 1) / look - tau
                    for bound, tau in zip(bounds, rule.taus, strict=True)
                    if bound <= look
                ],
            )
        )
    if rule.radius_map:
        return _smallest_share(n, [_share_at_floor(one_sided(rule, family, n))])
    return _smallest_share(
        n,
        [
            _largest_failing_share(
                p_values(n, tau, selection), replace(family, tau=tau).entry_level_at(n), n
            )
            - tau
            for tau in rule.taus
        ],
    )


def _largest_failing_share(p: LevelArray, level: float, n: int) -> float:
    """Return the largest share of hits that does not certify; infinity if no hits certify."""
    certifies = p <= level
    return (int(np.argmax(certifies)) - 1) / n if certifies.any() else np.inf


def _share_at_floor(test: OneSidedLevel) -> float:
    """Return the share of votes that a leak must change at the floor of a lower bound."""
    return (test.first - 1) / test.n - test.floor if test.first <= test.n else np.inf


def _smallest_share(tested: int, shares: list[float]) -> tuple[tuple[int, float], ...]:
    smallest = min(shares, default=np.inf)
    return ((tested, max(smallest, 1e-9)),) if np.isfinite(smallest) else ()
